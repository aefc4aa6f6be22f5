"""The drill `overspend`: more asked for than there is, by many clients at once, and somebody watching from outside."""

import asyncio

from cairn.drills.books import AWARD, LINE, ROUND, books_are_proven, hold, opened
from cairn.drills.drill import TO_ITS_END, Drill, Fault, Trial, drops_constraint, edits_function, together
from services.payments.books.ledger import Code
from services.payments.store import ledger as store

CLIENTS = 64
AWARDS, REQUESTS, DUPLICATES = 1_000, 5_000, 1_000
AWARD_CENTS = 300_000


async def run(trial: Trial) -> None:
    """Money for exactly so many awards; more requests, some of them twice; every balance sampled all the while."""
    awards, requests = trial.count(AWARDS), trial.count(REQUESTS)
    db = await trial.ground.open(connections_max=CLIENTS + 2)
    async with db.transaction() as tx:
        await store.post(tx, opened(awards * AWARD_CENTS))
    holds = [hold(f"hold {number}", AWARD_CENTS) for number in range(requests)]
    asked = holds + trial.chance.sample(holds, trial.count(DUPLICATES))
    trial.chance.shuffle(asked)
    answers: dict[str, list[Code | None]] = {one.id: [] for one in holds}
    work, lowest, samples, running = iter(asked), 0, 0, True

    async def client() -> None:
        for one in work:
            async with db.transaction() as tx:
                [posted] = await store.post(tx, [one])
            answers[one.id].append(posted.outcome)

    async def watch() -> None:
        nonlocal lowest, samples
        while running:
            async with db.connection() as connection:
                rows = await store.balances(connection, [LINE, ROUND, AWARD])
            lowest = min(lowest, *(cents for row in rows.values() for cents in row.stages.values()))
            samples += 1
            await asyncio.sleep(0.005)

    watching = asyncio.create_task(watch())
    try:
        await asyncio.gather(*(client() for _ in range(CLIENTS)))
    finally:
        running = False
        await watching
    granted = sum(Code.OK in outcomes for outcomes in answers.values())
    trial.equal("requests granted", awards, granted)
    trial.equal("requests with two different answers", 0, sum(len(set(each)) > 1 for each in answers.values()))
    trial.equal("lowest balance any sample saw", 0, lowest)
    trial.holds("samples taken from outside", "more than 0", samples > 0, samples)
    await _all_is_held(trial, awards)
    await books_are_proven(trial, db)


async def _all_is_held(trial: Trial, awards: int) -> None:
    owner = await trial.ground.owner()
    rows = await owner.fetch("SELECT id, available_cents, held_cents FROM balance ORDER BY id")
    trial.equal(
        "available and held at each level",
        dict.fromkeys((AWARD, LINE, ROUND), (0, awards * AWARD_CENTS)),
        {row["id"]: (row["available_cents"], row["held_cents"]) for row in rows},
    )


DRILLS = (Drill("overspend", "64 clients cannot commit more than was appropriated, whatever they ask at once", run),)

_CHECK_GONE = drops_constraint("balance", "commitments_within_credits")

FAULTS = (
    Fault(
        "check-and-guard-skipped",
        "Neither the posting function nor the CHECK asks whether there is money.",
        "overspend",
        together(
            _CHECK_GONE,
            edits_function("post", "WHERE b.cents IS NULL OR b.cents < d.cents", "WHERE b.cents IS NULL"),
            edits_function("post", "ELSIF row_available[at] < amounts[i] AND verdict = 'ok' THEN", "ELSIF false THEN"),
        ),
        check="lowest balance any sample saw",
    ),
    Fault(
        "balances-read-without-lock",
        "What is available is read without holding the row until the commit.",
        "overspend",
        together(_CHECK_GONE, edits_function("post", "ORDER BY lock_order, id FOR UPDATE", "ORDER BY lock_order, id")),
        check="requests granted",
    ),
    Fault(
        "guard-left-to-the-check",
        "The posting function does not ask, so the CHECK takes the whole batch down.",
        "overspend",
        together(
            edits_function("post", "WHERE b.cents IS NULL OR b.cents < d.cents", "WHERE b.cents IS NULL"),
            edits_function("post", "ELSIF row_available[at] < amounts[i] AND verdict = 'ok' THEN", "ELSIF false THEN"),
        ),
        check=TO_ITS_END,
        seen="commitments_within_credits",
    ),
)
