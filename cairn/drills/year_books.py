"""Books for the drills of the year's end: cases with service dates around the last midnight, the close, its result."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cairn.drills.drill import Trial
from contracts.ids import ApplicationId, EnrollmentId, HoldId, PersonId, TransferId
from contracts.journey import workflow_id
from contracts.steps.fiscal_year import (
    ApproveYearEnd,
    HardCloseYear,
    PostYearEnd,
    ProposeYearEnd,
    SoftCloseYear,
    YearEndReport,
)
from kit.db import Database
from services.payments.books.ledger import Kind, Scope, Transfer, award_row, line_row, round_row
from services.payments.domain import scope_of
from services.payments.store import ledger as store
from services.payments.usecases import fiscal_year, year_end

PROGRAM, ROUND, PROVIDER, YEAR = "oh-imap", "round-6", "lorain-ccc", 2026
ZONE = ZoneInfo("America/New_York")
LINE, NEXT = line_row(PROGRAM, YEAR), line_row(PROGRAM, YEAR + 1)
NOW = datetime(2026, 7, 1, 4, 5, tzinfo=UTC)
LAST_MIDNIGHT = datetime(2026, 7, 1, tzinfo=ZONE)
POSTED_AT_ONCE = 500
CALLS_MAX = 5_000
ASKED = {"program_id": PROGRAM, "fiscal_year": YEAR}

CALENDAR = """
INSERT INTO program_version (program_id, pack_version, published_at, fiscal_year_start, time_zone)
VALUES ($1, '0123456789ab', now(), $2, $3)
"""
WRONG_CASES = """
SELECT count(*) FROM unnest($1::text[], $2::text[], $3::text[]) AS e(application_id, state, book)
LEFT JOIN funding AS f ON f.application_id = e.application_id
WHERE f.state IS DISTINCT FROM e.state OR f.book IS DISTINCT FROM e.book
"""


@dataclass(frozen=True, slots=True)
class YearCase:
    """One case of the year: its money, and the moment its course began."""

    application_id: ApplicationId
    cents: int
    started_at: datetime

    @property
    def encumbrance(self) -> TransferId:
        return TransferId.derive(Kind.ENCUMBER, self.application_id)

    @property
    def is_of_the_year(self) -> bool:
        """By the wall clock where the program is; written down here without the calendar that is tried out."""
        return self.started_at < LAST_MIDNIGHT


def cases_of(trial: Trial, count: int) -> list[YearCase]:
    """Most began long before or after; every fifth within an hour of the last midnight."""
    found: list[YearCase] = []
    for number in range(count):
        if number % 5 == 0:
            began = LAST_MIDNIGHT.astimezone(UTC) + timedelta(minutes=trial.chance.choice((-59, -30, -1, 0, 1, 59)))
        else:
            began = LAST_MIDNIGHT.astimezone(UTC) + timedelta(days=trial.chance.choice((-200, -30, -2, 2, 40)))
        name = f"year {trial.seed} {number}"
        found.append(YearCase(ApplicationId.derive(name), trial.chance.randrange(1, 300_001), began))
    return found


def scope() -> Scope:
    return scope_of(LINE, PROGRAM, ROUND, PROVIDER, None)


def transfer(
    kind: Kind, case: YearCase, key: str = "", *, of: TransferId | None = None, at: Scope | None = None
) -> Transfer:
    """A move of the case's whole money; its id belongs to case, kind and key."""
    return Transfer(
        id=TransferId.derive(kind, case.application_id, *([key] if key else [])),
        kind=kind,
        scope=at or scope(),
        amount_cents=case.cents,
        reason="drill",
        actor="drill",
        occurred_at=NOW - timedelta(days=60),
        pending_id=of,
        workflow_id=workflow_id(case.application_id),
    )


async def open_year(
    trial: Trial,
    db: Database,
    cases: list[YearCase],
    spare_cents: int,
    *,
    held: Sequence[YearCase] = (),
    waiting: Sequence[YearCase] = (),
) -> None:
    """Line, round and award with money for `cases` and `held` and some to spare; every one of `cases` encumbered."""
    total = sum(case.cents for case in (*cases, *held)) + spare_cents
    rows = ((LINE, "line"), (round_row(PROGRAM, ROUND), "round"), (award_row(PROGRAM, ROUND, PROVIDER), "award"))
    authority = [
        Transfer(
            id=TransferId.derive("appropriation", row),
            kind=Kind.APPROPRIATE,
            scope=Scope(LINE, **{level: row}),
            amount_cents=total,
            reason="drill",
            actor="drill",
            occurred_at=NOW,
        )
        for row, level in rows
    ]
    async with db.transaction() as tx:
        await tx.execute(CALENDAR, PROGRAM, "07-01", ZONE.key)
        await store.post(tx, authority)
    for first in range(0, len(cases), POSTED_AT_ONCE):
        part = cases[first : first + POSTED_AT_ONCE]
        holds = [transfer(Kind.HOLD, case) for case in part]
        moves = [transfer(Kind.ENCUMBER, case, of=hold.id) for case, hold in zip(part, holds, strict=True)]
        async with db.transaction() as tx:
            await store.post(tx, holds)
            await store.post(tx, moves)
    async with db.transaction() as tx:
        await store.post(tx, [transfer(Kind.HOLD, case) for case in held])
    rows = [_encumbered(case) for case in cases]
    await _copy(trial, cases, rows + [_held(case) for case in held] + [_waiting(case) for case in waiting])


async def _copy(trial: Trial, cases: list[YearCase], rows: list[tuple[object, ...]]) -> None:
    owner = await trial.ground.owner()
    await owner.copy_records_to_table(
        "funding",
        records=rows,
        columns=[
            "application_id", "hold_number", "person_id", "program_id", "round_id", "provider_id", "credential_id",
            "book",
            "person_capped", "amount_cents", "hold_seconds", "state", "hold_id", "hold_transfer_id", "enrollment_id",
            "encumbrance_transfer_id", "encumbered_cents", "changed_at",
        ],
    )  # fmt: skip
    await owner.copy_records_to_table(
        "enrollment",
        records=[
            (EnrollmentId.derive(c.application_id), c.application_id, PROVIDER, "cyber", c.cents, c.started_at)
            for c in cases
        ],
        columns=["enrollment_id", "application_id", "provider_id", "credential_id", "price_cents", "started_at"],
    )


def _encumbered(case: YearCase) -> tuple[object, ...]:
    own = case.application_id
    hold = (HoldId.derive(own), TransferId.derive(Kind.HOLD, own))
    return _row(case, "encumbered", *hold, EnrollmentId.derive(own), case.encumbrance, case.cents)


def _held(case: YearCase) -> tuple[object, ...]:
    own = case.application_id
    return _row(case, "held", HoldId.derive(own), TransferId.derive(Kind.HOLD, own), None, None, 0)


def _waiting(case: YearCase) -> tuple[object, ...]:
    return _row(case, "waiting", None, None, None, None, 0)


def _row(case: YearCase, state: str, *moves: object) -> tuple[object, ...]:
    own = case.application_id
    place = (own, 1, PersonId.derive(own), PROGRAM, ROUND, PROVIDER, "cyber", LINE, False, case.cents, 3600)
    return (*place, state, *moves, NOW)


async def close_year(db: Database, *, now: datetime) -> YearEndReport:
    """The workflow's steps from the first to the last, as a close that is started anew asks them."""
    await fiscal_year.soft_close(SoftCloseYear(**ASKED), db=db, now=now)
    proposal = await fiscal_year.propose(ProposeYearEnd(**ASKED), db=db, now=now)
    if proposal.unapproved or not proposal.approvals:
        ask = ApproveYearEnd(**ASKED, digest=proposal.digest, made_by="anna", checked_by="ben")
        await fiscal_year.approve(ask, db=db, now=now)
    for _ in range(CALLS_MAX):
        if (await year_end.post_year_end(PostYearEnd(**ASKED), db=db, now=now)).left == 0:
            break
    return await year_end.hard_close(HardCloseYear(**ASKED), db=db, now=now)


async def year_is_closed(
    trial: Trial, db: Database, cases: list[YearCase], carried_cents: int, *, others: int = 0
) -> None:
    """What was open is where its service date puts it; of `others` a hold went back, or they waited in vain."""
    closed = await stages(db, LINE)
    left = {stage: closed[stage] for stage in ("available", "held", "encumbered")}
    trial.equal("what the closed line still promises", dict.fromkeys(left, 0), left)
    trial.equal("encumbered in the next year's line", carried_cents, (await stages(db, NEXT))["encumbered"])
    owner = await trial.ground.owner()
    wrong = await owner.fetchval(
        WRONG_CASES,
        [case.application_id for case in cases],
        ["encumbered" if case.is_of_the_year else "lapsed" for case in cases],
        [NEXT if case.is_of_the_year else LINE for case in cases],
    )
    trial.equal("cases whose money is not where their service date puts it", 0, wrong)
    told = await owner.fetchval("SELECT count(*) FROM outbox WHERE type = 'cairn.payments.funds.lapsed.v1'")
    trial.equal("cases told that their money lapsed", sum(not c.is_of_the_year for c in cases) + others, told)


async def stages(db: Database, row: str) -> dict[str, int]:
    """Cents of a balance row by stage; nothing where there is no such row."""
    async with db.connection() as connection:
        found = (await store.balances(connection, [row])).get(row)
    return dict(found.stages) if found else {}
