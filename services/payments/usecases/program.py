"""Follow the facts of others: programs become budgets; applications, enrollments and credentials become copies."""

from collections.abc import Mapping
from datetime import datetime

from contracts.events.applications import (
    ApplicationSubmitted,
    CredentialRecorded,
    EnrollmentAccepted,
    EnrollmentStarted,
)
from contracts.events.eligibility import ListedRound, ProgramPublished
from contracts.ids import TransferId
from kit.db import Connection
from services.payments.books.budgets import Standing, Target, lower_to, raise_to, targets_of
from services.payments.books.ledger import Posted, Transfer, round_row
from services.payments.books.waiting import order_of
from services.payments.store import authority as authority_store
from services.payments.store import claim_rules
from services.payments.store import funding as funding_store
from services.payments.store import ledger as ledger_store
from services.payments.store import program as program_store
from services.payments.store.program import Alert
from services.payments.usecases.payees import know_payees
from services.payments.usecases.waiting import serve_waiting

PUBLISHER = "program publication"
LOWERING_REFUSED = "lowering_refused"
RAISING_REFUSED = "raising_refused"
"""The line is closed."""
YEAR_CHANGE_REFUSED = "year_change_refused"
"""A round whose money is in the books of one fiscal year is published for another."""
NO_LONGER_LISTED = "no_longer_listed"
"""A round or an award has money and the newest version does not name it."""


async def follow_program(fact: ProgramPublished, tx: Connection, *, now: datetime) -> None:
    """Bring every line, round and award to what the newest version says, and serve who waited for the difference.

    A row moves by the difference to the version before: what budget documents moved in between stays moved.
    Money that is committed is not taken back: that becomes an alert to the budget officer.
    """
    if not await program_store.take_version(tx, fact):
        return
    rounds = await _in_their_years(tx, fact, now=now)
    await program_store.take_rounds(tx, fact.program_id, rounds)
    await program_store.take_providers(tx, fact.program_id, fact.providers)
    await claim_rules.take(tx, fact)
    await know_payees(tx, [(one.provider_id, one.supplier_number, one.name) for one in fact.providers], now=now)
    await funding_store.put_in_order(tx, fact.program_id, order_of(fact.waiting_list))
    targets = {target.row: target for target in targets_of(fact.program_id, rounds)}
    standing = await authority_store.published(tx, sorted(targets))
    moves = [move for target in targets.values() for move in _moves(target, standing, fact.pack_version, now)]
    posted = await ledger_store.post(tx, moves)
    followed: dict[str, int] = {}
    for one in posted:
        [row] = one.transfer.scope.rows
        if one.is_ok:
            followed[row] = targets[row].cents
        else:
            await _alert(tx, fact, targets[row], standing.get(row, Standing()), one, now=now)
    await authority_store.now_published(tx, followed)
    for row, stands in (await authority_store.unlisted(tx, fact.program_id, sorted(targets))).items():
        # Running cases may need the money: a document of two people takes it back, never the mere absence of a line.
        alert = Alert(row, NO_LONGER_LISTED, 0, stands.cents, fact.pack_version, now)
        alert_id = TransferId.derive(NO_LONGER_LISTED, row, str(stands.postings))
        await program_store.raise_alert(tx, alert_id, fact.program_id, alert)
    for book in sorted({move.scope.book for move in moves}):
        await serve_waiting(tx, book, now=now)


async def _in_their_years(tx: Connection, fact: ProgramPublished, *, now: datetime) -> list[ListedRound]:
    """The rounds as listed, but those that have money stay in their fiscal year; a change of it is an alert.

    Its row belongs to that year's budget line: held in another, it would be guarded by no line at all.
    """
    funded = await ledger_store.balances(tx, [round_row(fact.program_id, one.round_id) for one in fact.rounds])
    rounds: list[ListedRound] = []
    for one in fact.rounds:
        row = round_row(fact.program_id, one.round_id)
        year = int(funded[row].book.rsplit("/", 1)[1]) if row in funded else one.fiscal_year
        rounds.append(one.model_copy(update={"fiscal_year": year}))
        if year != one.fiscal_year:
            cents = one.appropriation_cents or 0
            alert = Alert(row, YEAR_CHANGE_REFUSED, cents, funded[row].appropriated_cents, fact.pack_version, now)
            alert_id = TransferId.derive(YEAR_CHANGE_REFUSED, row, fact.pack_version)
            await program_store.raise_alert(tx, alert_id, fact.program_id, alert)
    return rounds


def _moves(target: Target, standing: Mapping[str, Standing], version: str, now: datetime) -> list[Transfer]:
    stands = standing.get(target.row, Standing())
    up = raise_to(target, stands, actor=PUBLISHER, at=now)
    down = lower_to(target, stands, version=version, actor=PUBLISHER, at=now)
    return [move for move in (up, down) if move is not None]


async def _alert(
    tx: Connection, fact: ProgramPublished, target: Target, stands: Standing, refused: Posted, *, now: datetime
) -> None:
    code = LOWERING_REFUSED if target.cents < stands.cents else RAISING_REFUSED
    alert = Alert(target.row, code, target.cents, stands.cents, fact.pack_version, now)
    await program_store.raise_alert(tx, refused.transfer.id, fact.program_id, alert)


async def follow_application(fact: ApplicationSubmitted, tx: Connection) -> None:
    """Remember whose application it is: its partner alone may see its exam codes."""
    await program_store.take_application(tx, fact)


async def follow_enrollment(fact: EnrollmentAccepted, tx: Connection) -> None:
    """Remember the accepted enrollment and its price: a claim is matched against it."""
    await program_store.take_enrollment(tx, fact)


async def follow_start(fact: EnrollmentStarted, tx: Connection) -> None:
    """Remember when the course began: the year's end asks for the date of service."""
    await program_store.started(tx, fact)


async def follow_credential(fact: CredentialRecorded, tx: Connection) -> None:
    """Remember the credential: a claim is matched against it."""
    await program_store.take_credential(tx, fact)
