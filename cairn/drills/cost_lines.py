"""The drill `cost-lines`: cases of several cost lines on too little money; a cent keeps its line, a hold is whole."""

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence

from cairn.drills.books import AT, books_are_proven, hold_of, published
from cairn.drills.drill import Drill, Fault, Trial, patches
from cairn.drills.hot_budget import encumbrance_of
from contracts.events.eligibility import ListedWaitingList
from contracts.ids import TransferId
from contracts.plan import CostKind, CostLine
from contracts.steps.payments import HoldFunds, HoldStatus, ReleaseFunds
from kit.clock import FixedClock
from services.payments.books import cost_lines
from services.payments.books.cost_lines import Lines, Move, Part
from services.payments.books.ledger import Kind, Transfer
from services.payments.usecases.funding import encumber_funds, hold_funds, release_funds
from services.payments.usecases.holding import holding
from services.payments.usecases.program import follow_program

CASES = 1_000
CENTS_MEAN = 50_000
ENROLLED = "after encumbrances"
ROOM = 0.6
"""For this share of what is asked there is money."""

# Each case by its row: what is set aside for it, and under which lines it may be.
KEPT = """
SELECT application_id, cost_lines,
    CASE state WHEN 'held' THEN amount_cents ELSE 0 END AS held,
    CASE state WHEN 'encumbered' THEN encumbered_cents ELSE 0 END AS encumbered
FROM funding
"""
MOVED = """
SELECT substring(t.workflow_id FROM '^application/(.+)$') AS application_id, m.stage, t.cost_line,
    sum(m.cents)::bigint AS cents
FROM transfer AS t
CROSS JOIN LATERAL (VALUES (t.debit, -t.amount_cents), (t.credit, t.amount_cents)) AS m(stage, cents)
WHERE t.outcome = 'ok' AND t.workflow_id IS NOT NULL AND m.stage IN ('held', 'encumbered')
GROUP BY 1, 2, 3 HAVING sum(m.cents) <> 0
"""


async def run(trial: Trial) -> None:
    """Half of the holds one by one and half together; prices below the holds; withdrawals serve those who wait."""
    cases = trial.count(CASES, least=40)
    db = await trial.ground.open(connections_max=4)
    asks = [_ask(trial, number) for number in range(cases)]
    program = published(round(ROOM * sum(ask.amount_cents for ask in asks)))
    # Whoever is too large is tried, and refused, and the next one too.
    order = ListedWaitingList(order=["waitlisted_at"], smaller_may_pass=True)
    async with db.transaction() as tx:
        await follow_program(program.model_copy(update={"waiting_list": order}), tx, now=AT)
    coalescer = holding(db, FixedClock(AT))
    alone, at_once = asks[: cases // 2], asks[cases // 2 :]
    answers = [await hold_funds(ask, db=db, now=AT) for ask in alone]
    answers += await asyncio.gather(*(coalescer.ask(ask) for ask in at_once))
    short = sum(answer.status is HoldStatus.WAITING for answer in answers)
    trial.holds("holds for which there was not enough", "more than 0", short > 0, short)
    for ask in trial.chance.sample(asks, cases // 2):
        await encumber_funds(encumbrance_of(ask, trial.chance.randint(1, ask.amount_cents)), db=db, now=AT)
    await _rows_are_the_journal(trial, ENROLLED)
    for ask in trial.chance.sample(asks, cases // 4):
        await release_funds(ReleaseFunds(application_id=ask.application_id, reason="withdrawn"), db=db, now=AT)
    await _rows_are_the_journal(trial, "after withdrawals")
    await books_are_proven(trial, db)


def _ask(trial: Trial, number: int) -> HoldFunds:
    kinds = trial.chance.sample(list(CostKind), trial.chance.randint(1, len(CostKind)))
    lines = [CostLine(kind=kind, price_cents=trial.chance.randint(1, CENTS_MEAN)) for kind in kinds]
    ask = hold_of(f"case {number}", sum(line.price_cents for line in lines))
    return ask.model_copy(update={"cost_lines": lines})


async def _rows_are_the_journal(trial: Trial, when: str) -> None:
    owner = await trial.ground.owner()
    moved: dict[str, dict[str, dict[str, int]]] = {}
    for row in await owner.fetch(MOVED):
        moved.setdefault(row["application_id"], {}).setdefault(row["stage"], {})[row["cost_line"]] = row["cents"]
    kept = {row["application_id"]: dict(row) for row in await owner.fetch(KEPT)}
    nothing = {case for case, row in kept.items() if not row["held"] and not row["encumbered"]}
    trial.equal(f"cases without money for which some is set aside, {when}", set(), nothing & moved.keys())
    found = {case: {stage: sum(of.values()) for stage, of in moved.get(case, {}).items()} for case in kept}
    named = {case: {stage: row[stage] for stage in ("held", "encumbered") if row[stage]} for case, row in kept.items()}
    others = {case for case in kept.keys() - nothing if found[case] != named[case]}
    trial.equal(f"cases of which the journal has other cents than their rows, {when}", set(), others)
    awards: dict[str, dict[str, int]] = {case: json.loads(row["cost_lines"]) for case, row in kept.items()}
    over = {
        case
        for case, stages in moved.items()
        for of in stages.values()
        if any(cents > awards[case].get(line, 0) for line, cents in of.items())
    }
    trial.equal(f"cases with more under a line than their award has, {when}", set(), over)


def _but_the_last(moves: Iterable[Move], known: Mapping[TransferId, Part]) -> list[list[Transfer]]:
    found = cost_lines.entries_of(moves, known)
    return [of[:-1] if len(of) > 1 and of[0].kind is Kind.ENCUMBER else of for of in found]


def _all_on_one(cents: int, left: Lines, _: Lines) -> dict[CostKind, int]:
    return {min(left): cents}


def _kept(_: Sequence[object]) -> list[Transfer]:
    return []


DRILLS = (
    Drill("cost-lines", "a case's cents keep their cost lines, and a hold is whole or not at all", run, test_scale=0.1),
)
FAULTS = (
    Fault(
        "cost-line-dropped",
        "An encumbrance of several cost lines forgets the last of them.",
        "cost-lines",
        patches("services.payments.usecases.postings:entries_of", _but_the_last),
        check=f"cases of which the journal has other cents than their rows, {ENROLLED}",
    ),
    Fault(
        "cost-line-exceeded",
        "A move takes all of its cents from one line.",
        "cost-lines",
        patches("services.payments.books.cost_lines:divided", _all_on_one),
        check=f"cases with more under a line than their award has, {ENROLLED}",
    ),
    Fault(
        "hold-left-in-part",
        "What was held for the other lines of a refused hold stays held.",
        "cost-lines",
        patches("services.payments.usecases.postings:_given_back", _kept),
        check=f"cases without money for which some is set aside, {ENROLLED}",
    ),
)
