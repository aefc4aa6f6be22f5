"""Books for the drills of the ledger: a line, a round, awards; transfers and cases by name; the prover as a check."""

from datetime import UTC, datetime, timedelta

from cairn.drills.drill import Trial
from contracts.events.eligibility import ListedAward, ListedProvider, ListedRound, ProgramPublished
from contracts.ids import ApplicationId, PersonId, TransferId
from contracts.steps.payments import HoldFunds
from kit.db import Database
from services.payments.books.ledger import Kind, Scope, Transfer, award_row, line_row, person_row, round_row
from services.payments.store import ledger as store

AT = datetime(2026, 3, 10, 15, 0, tzinfo=UTC)
PROGRAM, ROUND_ID, PROVIDER = "oh-imap", "round-6", "lorain-ccc"
LINE = line_row(PROGRAM, 2026)
ROUND = round_row(PROGRAM, ROUND_ID)
AWARD = award_row(PROGRAM, ROUND_ID, PROVIDER)


def person(name: str) -> str:
    return person_row(PROGRAM, ROUND_ID, name)


def scope_of(person_name: str | None = None, *, award: str = AWARD) -> Scope:
    return Scope(LINE, LINE, ROUND, award, person(person_name) if person_name else None)


def transfer(
    name: str, kind: Kind, cents: int, *, scope: Scope | None = None, pending: TransferId | None = None
) -> Transfer:
    """A transfer whose id belongs to `name`."""
    return Transfer(
        id=TransferId.derive(name),
        kind=kind,
        scope=scope or scope_of(),
        amount_cents=cents,
        reason="drill",
        actor="drill",
        occurred_at=AT,
        pending_id=pending,
    )


def hold(name: str, cents: int, *, scope: Scope | None = None) -> Transfer:
    return transfer(name, Kind.HOLD, cents, scope=scope)


def appropriation(row: str, cents: int, name: str = "") -> Transfer:
    """Money for one balance row."""
    level = row.split("/", 1)[0]
    return transfer(f"appropriate {row} {name}", Kind.APPROPRIATE, cents, scope=Scope(LINE, **{level: row}))


def opened(cents: int, *, rows: tuple[str, ...] = (LINE, ROUND, AWARD)) -> list[Transfer]:
    """Line, round and award, each with this much."""
    return [appropriation(row, cents) for row in rows]


def published(cents: int) -> ProgramPublished:
    """A program with one round and one provider award, each with this much."""
    return ProgramPublished(
        program_id=PROGRAM,
        title="A program",
        pack_version="000000000001",
        published_at=AT + timedelta(minutes=1),
        providers=[ListedProvider(provider_id=PROVIDER, name="A college", supplier_number="0000000001")],
        credentials=[],
        rounds=[
            ListedRound(
                round_id=ROUND_ID,
                title="A round",
                appropriation_cents=cents,
                document_reference="HB 33",
                fiscal_year=2026,
                per_credential_cap_cents=300_000,
                awards=[ListedAward(provider_id=PROVIDER, ceiling_cents=cents, seats={})],
            )
        ],
    )


def hold_of(case: str, cents: int, *, hold_seconds: int = 86_400, program_id: str = PROGRAM) -> HoldFunds:
    """What the journey of this case asks."""
    return HoldFunds(
        application_id=ApplicationId.derive(case),
        person_id=PersonId.derive(case),
        program_id=program_id,
        round_id=ROUND_ID,
        provider_id=PROVIDER,
        credential_id="cyber",
        amount_cents=cents,
        hold_seconds=hold_seconds,
    )


async def books_are_proven(trial: Trial, db: Database) -> None:
    """The journal folded again gives every balance row."""
    async with db.connection() as connection:
        proof = await store.prove(connection)
    trial.equal("differences the prover finds", (), proof.differences)
    trial.equal("transfers moved on for more than they brought", (), proof.overdrawn)
    trial.equal("entries against the rules of posting", (), proof.misplaced)
    trial.equal("ids with two entries, rows out of balance", ((), ()), (proof.repeated, proof.negative))
