"""The drill `killed-posting`: a payments process dies by SIGKILL in the middle of posting, again and again.

`python -m cairn.drills.killed_posting DSN CASES` is such a process: it holds and encumbers every case that there is,
and says each answer on its standard output once it has it.
"""

import asyncio
import json
import os
import sys
from typing import Any

from cairn.drills.books import AT, books_are_proven, hold_of, published
from cairn.drills.drill import Drill, Fault, Trial, patches
from cairn.drills.dying import kill, process
from cairn.drills.hot_budget import CENTS, encumbrance_of
from contracts.errors import Unavailable
from contracts.ids import ApplicationId
from contracts.steps.payments import EncumbranceStatus, HoldStatus
from kit.clock import SystemClock
from kit.db import Database
from services.payments.usecases.holding import encumbering, holding
from services.payments.usecases.program import follow_program

CASES = 1_000
KILLS = 10
CALLERS = 32
LIVES_MAX = 40
ATTEMPTS_MAX = 10
MOMENT_SECONDS = 0.2
HALF_DONE = """
SELECT count(*) FROM transfer AS t
LEFT JOIN funding AS f ON f.hold_transfer_id = t.id OR f.encumbrance_transfer_id = t.id
WHERE t.outcome = 'ok' AND t.kind IN ('hold', 'encumber')
    AND (f.application_id IS NULL OR NOT EXISTS (SELECT FROM outbox AS o WHERE o.key = f.application_id))
"""
CHILD: tuple[str, ...] = ("-m", "cairn.drills.killed_posting")


async def run(trial: Trial) -> None:
    """Every process is killed at a moment that chance decides; the next one asks for everything again."""
    cases, kills = trial.count(CASES, least=40), trial.count(KILLS, least=6)
    db = await trial.ground.open(connections_max=4)
    async with db.transaction() as tx:
        await follow_program(published(cases * CENTS), tx, now=AT)
    told: dict[str, list[Any]] = {}
    owner = await trial.ground.owner()
    lives = killed = halves = 0
    while lives < LIVES_MAX:
        lives += 1
        answers_until = trial.chance.randint(1, max(2, 2 * cases // kills)) if killed < kills else None
        came_to_its_end = await _live(trial, cases, told, answers_until)
        if came_to_its_end and answers_until is None:
            break
        if came_to_its_end:
            # It was quicker than its death; the next one asks for everything again all the same.
            continue
        killed += 1
        halves += await owner.fetchval(HALF_DONE)
    trial.equal("processes killed in the middle", kills, killed)
    trial.equal("entries that a death left without their row or event", 0, halves)
    wavering = [name for name, heard in told.items() if heard[1:] != heard[:-1]]
    trial.equal("answers that were another the second time", [], wavering)
    rows = await owner.fetch("SELECT application_id, hold_id, state FROM funding")
    trial.equal("cases encumbered, each once", cases, sum(row["state"] == "encumbered" for row in rows))
    holds = {row["application_id"]: row["hold_id"] for row in rows}
    lost = [name for name, heard in told.items() if name in holds and heard[-1] != holds[name]]
    trial.equal("answers that are not on record", [], lost)
    facts = await owner.fetchval("SELECT count(*) FROM outbox WHERE key = ANY ($1::text[])", list(holds))
    trial.equal("facts of holds and encumbrances", 2 * cases, facts)
    entries = await owner.fetchval("SELECT count(*) FROM transfer WHERE kind IN ('hold', 'encumber', 'release_hold')")
    trial.equal("entries of holds and encumbrances", 3 * cases, entries)
    await books_are_proven(trial, db)


async def _live(trial: Trial, cases: int, told: dict[str, list[Any]], answers_until: int | None) -> bool:
    """One process, up to its death after so many answers, or to its end; whether it came to its end."""
    dsn = trial.ground.dsn_of("cairn_payments")
    heard = 0
    async with process(*CHILD, dsn, str(cases)) as child:
        assert child.stdout is not None
        while line := await child.stdout.readline():
            name, answer = json.loads(line)
            told.setdefault(name, []).append(answer)
            heard += 1
            if heard == answers_until:
                # Not always just after an answer: that is when least is under way.
                await asyncio.sleep(trial.chance.random() * MOMENT_SECONDS)
                await kill(child)
        return await child.wait() == 0


async def work(dsn: str, cases: int) -> None:
    """Hold and encumber every case, from the beginning, whatever an earlier process has done of it."""
    db = await Database.connect(dsn, schema="payments", application_name="cairn drill child", connections_max=4)
    clock = SystemClock()
    holds, encumbrances = holding(db, clock), encumbering(db, clock)
    left = iter(range(cases))

    async def asked(counter: Any, ask: Any) -> Any:
        for _ in range(ATTEMPTS_MAX):
            try:
                return await counter.ask(ask)
            except Unavailable:
                # The transaction of the process before may still be ending.
                await asyncio.sleep(0.1)
        raise RuntimeError("unavailable for good")

    async def caller() -> None:
        for number in left:
            ask = hold_of(f"case {number}", CENTS)
            held = await asked(holds, ask)
            _say(ask.application_id, held.hold_id if held.status is HoldStatus.HELD else held.status)
            encumbered = await asked(encumbrances, encumbrance_of(ask))
            if encumbered.status is not EncumbranceStatus.ENCUMBERED:
                raise RuntimeError(f"not encumbered: {encumbered}")

    await asyncio.gather(*(caller() for _ in range(CALLERS)))
    await db.close()


def _say(name: ApplicationId, answer: object) -> None:
    # Past every buffer of our own: what was said survives us.
    os.write(1, f"{json.dumps([name, answer])}\n".encode())


DRILLS = (
    Drill(
        "killed-posting",
        "a process killed in the middle of posting leaves whole transactions or none, and the next one repeats nothing",
        run,
        test_scale=0.1,
    ),
)
FAULTS = (
    Fault(
        "killed-between-commits",
        "Entry, business row and event are committed one after the other, not together.",
        "killed-posting",
        patches("cairn.drills.killed_posting:CHILD", ("-m", "cairn.drills.killed_posting_apart")),
        check="entries that a death left without their row or event",
    ),
)

if __name__ == "__main__":
    asyncio.run(work(sys.argv[1], int(sys.argv[2])))
