"""What every use case needs of the ledger: transfers of a case, postings that must succeed, a person's cap."""

from collections.abc import Sequence
from datetime import datetime

from contracts.ids import TransferId
from contracts.journey import workflow_id
from kit.db import Connection
from services.payments.budgets import Standing, person_target, raise_to
from services.payments.domain import BooksMoved, Funding, PostingFailed
from services.payments.ledger import Code, Kind, Scope, Transfer
from services.payments.store import ledger as ledger_store

JOURNEY = "journey"
DATABASE_CLOCK = "database clock"
WAITING_LIST = "waiting list"


def transfer_of(
    funding: Funding,
    kind: Kind,
    cents: int,
    *,
    of: TransferId | None,
    reason: str,
    at: datetime,
    actor: str = JOURNEY,
    key: str | int = "",
) -> Transfer:
    """A transfer of the case's money; its id is the case's, the hold's number, the kind and `key`."""
    return Transfer(
        id=TransferId.derive(kind, funding.application_id, funding.hold_number, key),
        kind=kind,
        scope=funding.scope,
        amount_cents=cents,
        reason=reason,
        actor=actor,
        occurred_at=at,
        pending_id=of,
        workflow_id=workflow_id(funding.application_id),
    )


async def post_or_fail(tx: Connection, transfers: Sequence[Transfer]) -> None:
    """Post what the business rows say must be possible; anything but ok undoes the transaction."""
    for posted in await ledger_store.post(tx, transfers):
        if not posted.is_ok:
            raise PostingFailed(code=(posted.outcome or posted.code).value, transfer_id=posted.transfer.id)


async def cap_of_person(
    tx: Connection, scope: Scope, program_id: str, round_id: str, person_id: str, cap_cents: int | None, *, at: datetime
) -> Transfer | None:
    """The posting that gives the person's row its cap, where it does not have it yet."""
    if scope.person is None or cap_cents is None:
        return None
    row = (await ledger_store.balances(tx, [scope.person])).get(scope.person)
    standing = Standing(row.appropriated_cents, row.appropriations) if row else Standing()
    target = person_target(scope.book, program_id, round_id, person_id, cap_cents)
    return raise_to(target, standing, actor=JOURNEY, at=at)


async def post_holds(tx: Connection, caps: Sequence[Transfer], holds: Sequence[Transfer]) -> list[Code]:
    """Post the caps and then the holds, in one batch; one outcome per hold."""
    posted = await ledger_store.post(tx, [*caps, *holds])
    if any(one.outcome is None for one in posted):
        # Another transaction gave a person's row another cap a moment ago.
        raise BooksMoved
    return [one.outcome for one in posted[len(caps) :] if one.outcome is not None]
