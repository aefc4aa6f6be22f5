"""The drill `hot-budget`: many callers on one budget line through the coalescer, and nobody gets a wrong answer."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from cairn.drills.books import (
    AT,
    AWARD,
    LINE,
    ROUND,
    appropriation,
    books_are_proven,
    hold,
    hold_of,
    published,
    scope_of,
)
from cairn.drills.drill import Drill, Fault, Trial, edits_function, patches
from cairn.drills.ground import APPLICATION, cutting
from contracts.errors import Unavailable
from contracts.ids import EnrollmentId
from contracts.steps.payments import EncumberFunds, EncumbranceStatus, FundsHeld, HoldFunds
from kit.clock import SystemClock
from kit.db import Connection, Database
from services.payments.domain import NotYetKnown, PostingFailed, RequestDiffers
from services.payments.store import ledger as store
from services.payments.usecases import holding
from services.payments.usecases.coalescer import Coalescer, Waiting
from services.payments.usecases.program import follow_program
from services.payments.usecases.waiting import hold_id_of

CALLERS = 64
CASES = 3_000
CENTS, PRICE_CENTS = 300_000, 250_000
CROSSING = 40
ANSWER_SECONDS_MAX = 15.0
"""Who has no answer by then is forgotten, not late: a machine under load may well let a batch wait for seconds."""
ATTEMPTS_MAX = 20
WRITING = """
SELECT pid FROM pg_stat_activity
WHERE datname = current_database() AND application_name = $1 AND state <> 'idle'
"""


@dataclass
class Seen:
    """What the callers were told."""

    held: dict[str, FundsHeld] = field(default_factory=dict[str, FundsHeld])
    encumbered: set[str] = field(default_factory=set[str])
    wrong: Counter[str] = field(default_factory=Counter[str])
    asked: int = 0
    cut_off: int = 0


@dataclass
class Counters:
    """The program's two counters, as a payments process has them, and somebody who looks from outside."""

    holds: Coalescer[HoldFunds, FundsHeld]
    encumbrances: Coalescer[EncumberFunds, Any]
    outside: Database


async def run(trial: Trial) -> None:
    """Holds, encumbrances below the hold, repeats, other particulars, callers cut off, connections lost."""
    db = await trial.ground.open(connections_max=12)
    cases = [f"case {number}" for number in range(trial.count(CASES, least=60))]
    async with db.transaction() as tx:
        await follow_program(published(len(cases) * CENTS), tx, now=AT)
    clock, seen = SystemClock(), Seen()
    outside = await trial.ground.open(connections_max=4, name="outside")
    at = Counters(holding.holding(db, clock), holding.encumbering(db, clock), outside)
    flavors = {case: trial.chance.random() for case in cases}
    work = iter(cases)

    async def caller() -> None:
        for case in work:
            await _serve(at, seen, case, flavors[case])
            if +seen.wrong:
                # It has failed; where nobody is answered any more, each further case would wait the whole time.
                return

    def rest() -> float:
        """Until the next cut: a batch is lost whole or not at all."""
        return 0.05 + trial.chance.random() * len(cases) / 5_000

    async with cutting(trial.ground, db, WRITING, APPLICATION, most=max(4, len(cases) // 25), rest=rest):
        await asyncio.gather(*(caller() for _ in range(CALLERS)))
    await _one_spoiled_case(trial, at, seen)
    await at.holds.close()
    await at.encumbrances.close()
    trial.equal("wrong answers", {}, dict(+seen.wrong))
    await _rows_say_the_same(trial, seen, len(cases))
    await _crosswise(trial, db)
    await books_are_proven(trial, db)


async def _serve(at: Counters, seen: Seen, case: str, flavor: float) -> None:
    """One case; a few of them ask twice, ask for something else under the same case, or are cut off."""
    ask = hold_of(case, CENTS)
    if flavor < 0.1:
        seen.cut_off += 1
        gone = asyncio.create_task(at.holds.ask(ask))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)
    answers = await asyncio.gather(*(_answer(at.holds, one) for one in ([ask, ask] if flavor > 0.95 else [ask])))
    for answer in answers:
        seen.asked += 1
        if not isinstance(answer, FundsHeld) or answer.hold_id != hold_id_of(ask.application_id, 1):
            seen.wrong[f"hold: {answer}"] += 1
            return
    seen.held[ask.application_id] = answers[0]
    if 0.9 < flavor < 0.95:
        other = await _answer(at.holds, hold_of(case, CENTS - 1))
        seen.wrong["another amount was not refused"] += not isinstance(other, RequestDiffers)
        stranger = await _answer(at.holds, hold_of(f"{case} elsewhere", CENTS, program_id="nobody-published"))
        seen.wrong["an unknown program was not put off"] += not isinstance(stranger, NotYetKnown)
    if flavor < 0.5:
        await _visible(at, seen, ask.application_id, "held")
    answer = await _answer(at.encumbrances, encumbrance_of(ask))
    if getattr(answer, "status", None) is not EncumbranceStatus.ENCUMBERED:
        seen.wrong[f"encumbrance: {answer}"] += 1
        return
    seen.encumbered.add(ask.application_id)
    if flavor < 0.5:
        await _visible(at, seen, ask.application_id, "encumbered")


def encumbrance_of(ask: HoldFunds, cents: int = PRICE_CENTS) -> EncumberFunds:
    """The enrollment that follows the hold."""
    enrollment_id = EnrollmentId.derive(ask.application_id)
    return EncumberFunds(application_id=ask.application_id, enrollment_id=enrollment_id, price_cents=cents)


async def _answer(counter: Coalescer[Any, Any], ask: Any) -> Any:
    """The answer, or the refusal. What is unavailable is asked again, as the journey does."""
    for attempt in range(ATTEMPTS_MAX):
        try:
            return await asyncio.wait_for(counter.ask(ask), ANSWER_SECONDS_MAX)
        except NotYetKnown as refusal:
            return refusal
        except Unavailable:
            await asyncio.sleep(0.01 * attempt)
        except TimeoutError:
            return "no answer"
        except Exception as error:
            return error
    return "unavailable for good"


async def _visible(at: Counters, seen: Seen, application_id: str, state: str) -> None:
    """What was answered must be there for anybody, now."""
    async with at.outside.connection() as connection:
        found = await connection.fetchval("SELECT state FROM funding WHERE application_id = $1", application_id)
    if found != state:
        seen.wrong[f"answered {state}, but there is {found}"] += 1


async def _one_spoiled_case(trial: Trial, at: Counters, seen: Seen) -> None:
    """A case whose row points at an entry that is not there fails alone, not those who came with it."""
    asks = [hold_of(f"companion {number}", 1) for number in range(8)]
    owner = await trial.ground.owner()
    async with at.outside.transaction() as tx:
        more = [appropriation(row, 8, "companions") for row in (LINE, ROUND, AWARD)]
        await store.post(tx, more)
    for ask in asks:
        await _answer(at.holds, ask)
    spoiled = "UPDATE funding SET hold_transfer_id = 'trf_none' WHERE application_id = $1"
    await owner.execute(spoiled, asks[3].application_id)
    answers = await asyncio.gather(*(_answer(at.encumbrances, encumbrance_of(ask, 1)) for ask in asks))
    failed = [number for number, answer in enumerate(answers) if isinstance(answer, Exception)]
    trial.equal("of eight that came together, those that failed", [3], failed)
    trial.holds("why", "posting_failed", isinstance(answers[3], PostingFailed), answers[3])


async def _rows_say_the_same(trial: Trial, seen: Seen, cases: int) -> None:
    owner = await trial.ground.owner()
    trial.equal("cases held, of those that asked", cases, len(seen.held))
    rows = await owner.fetch(
        "SELECT f.application_id, f.hold_id, f.state, f.hold_number, t.outcome, t.amount_cents FROM funding AS f"
        " LEFT JOIN transfer AS t ON t.id = f.hold_transfer_id WHERE f.amount_cents = $1",
        CENTS,
    )
    hold_ids = {case: answer.hold_id for case, answer in seen.held.items()}
    differing = [
        row["application_id"]
        for row in rows
        if (row["outcome"], row["amount_cents"]) != ("ok", CENTS)
        or row["hold_id"] != hold_ids.get(row["application_id"])
        or (row["state"] == "encumbered") != (row["application_id"] in seen.encumbered)
    ]
    trial.equal("rows that say something else than was answered", [], differing)
    told = await owner.fetch(
        "SELECT type, count(*) AS facts, count(DISTINCT key) AS cases FROM outbox WHERE key = ANY ($1::text[])"
        " GROUP BY type",
        list(seen.held),
    )
    facts = {row["type"].rsplit(".", 2)[1]: (row["facts"], row["cases"]) for row in told}
    expected = {"placed": (cases, cases), "encumbered": (cases, cases)}
    trial.equal("facts of holds and encumbrances, and their cases", expected, facts)
    transactions = await owner.fetchval("SELECT count(DISTINCT xmin::text) FROM funding WHERE amount_cents = $1", CENTS)
    trial.holds("transactions that wrote those rows", f"fewer than {cases}", transactions < cases, transactions)


async def _crosswise(trial: Trial, db: Database) -> None:
    """Transactions that post twice in one book, for other awards each time, never wait for each other crosswise."""
    awards = [f"award/oh-imap/round-6/p{number}" for number in range(6)]
    async with db.transaction() as tx:
        await store.post(tx, [appropriation(row, 10**6, "crosswise") for row in (LINE, ROUND, *awards)])
    orders = [trial.chance.sample(awards, 4) for _ in range(CROSSING)]

    async def twice(number: int) -> None:
        async with db.transaction() as tx:
            for award in orders[number]:
                await store.post(tx, [hold(f"cross {number} {award}", 1, scope=scope_of(award=award))])

    found = await asyncio.gather(*(twice(number) for number in range(CROSSING)), return_exceptions=True)
    trial.equal("transactions that lost a deadlock", [], [type(one).__name__ for one in found if one is not None])


async def _answers_before_commit(self: Coalescer[Any, Any], batch: list[Waiting[Any, Any]]) -> Sequence[Any]:
    async with self._db.transaction() as tx:
        answers = await self._together(tx, batch)
        for one, answer in zip(batch, answers, strict=True):
            one.tell(answer)
        # The callers go on before the commit.
        await asyncio.sleep(0.02)
    return answers


async def _mixed_up(tx: Connection, batch: Any, *, now: Any, right: Any = holding.hold_together) -> Any:
    answers = await right(tx, batch, now=now)
    return [*answers[1:], *answers[:1]]


async def _all_fail_together(self: Any, batch: list[Waiting[Any, Any]]) -> None:
    for one in batch:
        one.tell(PostingFailed(code="batch", transfer_id="none"))


def _stops_at_whoever_is_gone(self: Waiting[Any, Any], answer: Any, right: Any = Waiting[Any, Any].tell) -> None:
    if self.answer.done():
        raise asyncio.CancelledError
    right(self, answer)


COALESCER = "services.payments.usecases.coalescer"

DRILLS = (
    Drill(
        "hot-budget",
        "64 callers on one budget line share transactions, and each gets its own answer once it is on record",
        run,
        test_scale=0.1,
    ),
)
FAULTS = (
    Fault(
        "answers-before-commit",
        "The coalescer answers when the work is done and commits afterwards.",
        "hot-budget",
        patches(f"{COALESCER}:Coalescer._transact", _answers_before_commit),
        check="wrong answers",
    ),
    Fault(
        "answers-mixed-up",
        "The coalescer gives each caller its neighbor's answer.",
        "hot-budget",
        patches("services.payments.usecases.holding:hold_together", _mixed_up),
        check="wrong answers",
    ),
    Fault(
        "one-fails-for-all",
        "A batch that fails is not tried request by request.",
        "hot-budget",
        patches(f"{COALESCER}:Coalescer._one_by_one", _all_fail_together),
        check="of eight that came together, those that failed",
    ),
    Fault(
        "cut-off-caller-costs-others",
        "Answering a caller that is gone stops the answers to the rest.",
        "hot-budget",
        patches(f"{COALESCER}:Waiting.tell", _stops_at_whoever_is_gone),
        check="wrong answers",
    ),
    Fault(
        "locked-in-another-order",
        "The book is locked last instead of first.",
        "hot-budget",
        edits_function("post", "ORDER BY lock_order, id FOR UPDATE", "ORDER BY lock_order DESC, id FOR UPDATE"),
        check="transactions that lost a deadlock",
    ),
)
