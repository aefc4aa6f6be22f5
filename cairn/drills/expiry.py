"""The drill `expiry`: holds end on the database's clock, whatever the clocks of those who ask show."""

from datetime import timedelta

from cairn.drills.books import AT, books_are_proven, hold_of, published
from cairn.drills.drill import Drill, Fault, Trial, patches
from cairn.drills.hot_budget import encumbrance_of
from contracts.steps.payments import EncumbranceStatus
from kit.clock import SystemClock
from kit.db import Connection
from services.payments.store import funding as funding_store
from services.payments.usecases.funding import encumber_funds, expire_holds, hold_funds
from services.payments.usecases.program import follow_program

CASES = 40
CENTS = 300_000
SKEW = timedelta(hours=1)


async def run(trial: Trial) -> None:
    """Half of the holds are past their hour; sweeps by clocks an hour slow and an hour fast end just those."""
    db = await trial.ground.open(connections_max=4)
    owner = await trial.ground.owner()
    now = SystemClock().now()
    async with db.transaction() as tx:
        await follow_program(published(CASES * CENTS), tx, now=AT)
    asks = [hold_of(f"case {number}", CENTS, hold_seconds=1_800) for number in range(CASES)]
    for ask in asks:
        await hold_funds(ask, db=db, now=now)
    late = {ask.application_id for ask in asks[: CASES // 2]}
    await owner.execute(
        "UPDATE funding SET expires_at = now() - interval '1 minute' WHERE application_id = ANY ($1::text[])",
        list(late),
    )
    unasked = asks[0]
    answer = await encumber_funds(encumbrance_of(unasked), db=db, now=now - SKEW)
    trial.equal("an expired hold, encumbered by a slow clock", EncumbranceStatus.NO_HOLD, answer.status)
    for skew in (-SKEW, SKEW):
        await expire_holds(db=db, now=now + skew)
    answer = await encumber_funds(encumbrance_of(asks[-1]), db=db, now=now + SKEW)
    trial.equal("a live hold, encumbered by a fast clock", EncumbranceStatus.ENCUMBERED, answer.status)
    rows = await owner.fetch("SELECT application_id, state FROM funding")
    expired = {row["application_id"] for row in rows if row["state"] == "expired"}
    trial.equal("holds ended early", set(), expired - late)
    trial.equal("holds not ended in time", set(), late - expired)
    held = await owner.fetchval("SELECT held_cents + encumbered_cents FROM balance WHERE level = 'line'")
    trial.equal("cents held or encumbered", (CASES // 2) * CENTS - 50_000, held)
    await books_are_proven(trial, db)


async def _slow(tx: Connection) -> object:
    return await tx.fetchval(funding_store.DATABASE_NOW) - SKEW


DRILLS = (
    Drill("expiry", "a hold ends when the database's clock says so, not when a caller's does", run, test_scale=1.0),
)
FAULTS = (
    Fault(
        "sweep-by-a-fast-clock",
        "The sweep of expired holds reads a clock that is an hour fast.",
        "expiry",
        patches(
            "services.payments.store.funding:LOCK_EXPIRED",
            funding_store.LOCK_EXPIRED.replace("<= now()", "<= now() + interval '1 hour'"),
        ),
        check="holds ended early",
    ),
    Fault(
        "encumbered-by-a-slow-clock",
        "Whether a hold has expired is asked of a clock that is an hour slow.",
        "expiry",
        patches("services.payments.store.funding:database_now", _slow),
        check="an expired hold, encumbered by a slow clock",
    ),
)
