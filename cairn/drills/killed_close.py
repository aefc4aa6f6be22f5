"""The drill `killed-close`: a year's close dies by SIGKILL in each of its phases and is begun again each time."""

import asyncio
import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg

from cairn.drills.books import books_are_proven
from cairn.drills.drill import Drill, Trial
from cairn.drills.dying import SECONDS_MAX, kill, killed_where_it_stops, process, stops
from cairn.drills.killed_close_child import APPLICATION, POINTS
from cairn.drills.year_books import LINE, NEXT, NOW, cases_of, close_year, open_year, stages, year_is_closed
from contracts.steps.fiscal_year import YearEndReport
from kit.db import Database
from services.payments.store import ledger as store

ENCUMBRANCES, HELD, WAITING = 10_000, 300, 300
BATCHES = 40
BATCHES_A_LIFE_MAX = 3
SPARE_CENTS = 123_456
CHILD: tuple[str, ...] = ("-m", "cairn.drills.killed_close_child")

_EVERY = list(POINTS)
PHASES = (_EVERY[:2], _EVERY[2:4], _EVERY[4:6], _EVERY[6:8], _EVERY[8:11], _EVERY[11:13], _EVERY[13:14], _EVERY[14:16])
"""Points that are alike: at a small size chance takes one of each."""
POSTING = {*_EVERY[8:13]}
SHUT = _EVERY[16]

HALF_DONE = """
SELECT 'entry without its line' AS half, count(*) AS times FROM transfer AS t
WHERE t.outcome = 'ok' AND t.kind IN ('carry_out', 'lapse') AND NOT EXISTS (
    SELECT FROM year_end_encumbrance AS y WHERE y.transfer_id = t.pending_id AND y.outcome IS NOT NULL
)
UNION ALL SELECT 'line without its entry', count(*) FROM year_end_encumbrance AS y
WHERE y.outcome IS NOT NULL AND NOT EXISTS (
    SELECT FROM transfer AS t WHERE t.pending_id = y.transfer_id AND t.outcome = 'ok'
        AND t.kind = CASE y.outcome WHEN 'carried' THEN 'carry_out' WHEN 'lapsed' THEN 'lapse' END
)
UNION ALL SELECT 'case elsewhere than its line', count(*)
FROM year_end_encumbrance AS y JOIN funding AS f ON f.application_id = y.application_id
WHERE f.book <> CASE WHEN y.outcome = 'carried' THEN $2 ELSE $1 END
    OR f.state <> CASE WHEN y.outcome = 'lapsed' THEN 'lapsed' ELSE 'encumbered' END
UNION ALL SELECT 'case told what is not so', count(*) FROM outbox AS o
WHERE o.type = 'cairn.payments.funds.lapsed.v1' AND NOT EXISTS (
    SELECT FROM funding AS f WHERE f.application_id = o.key AND f.state IN ('lapsed', 'expired', 'refused')
)
UNION ALL SELECT 'case not told', count(*) FROM funding AS f
WHERE f.state IN ('lapsed', 'expired', 'refused') AND NOT EXISTS (
    SELECT FROM outbox AS o WHERE o.key = f.application_id AND o.type = 'cairn.payments.funds.lapsed.v1'
)
UNION ALL SELECT 'books shut without their report', count(*) FROM balance AS b
WHERE b.phase = 'hard_closed' AND NOT EXISTS (
    SELECT FROM fiscal_year_close AS c WHERE c.book = b.id AND c.report IS NOT NULL
)
UNION ALL SELECT 'lapsed from books that are open', count(*)
FROM transfer AS t JOIN balance AS b ON b.id = t.book
WHERE t.kind = 'lapse_available' AND t.outcome = 'ok' AND b.phase <> 'hard_closed'
"""
PROGRESS = "SELECT count(*), count(outcome) FROM year_end_encumbrance"
WAITING_IN_THE_SERVER = """
SELECT pid FROM pg_stat_activity
WHERE application_name = $1 AND datname = current_database() AND wait_event_type = 'Lock' AND pid <> $2
"""
ROWS = """
SELECT (SELECT count(*) FROM transfer) AS entries, (SELECT count(*) FROM outbox) AS facts,
    (SELECT count(*) FROM balance) AS balances, (SELECT count(*) FROM year_end_encumbrance) AS lines,
    (SELECT count(*) FROM fiscal_year_approval) AS approvals,
    (SELECT md5(string_agg(b::text, ',' ORDER BY id)) FROM balance AS b) AS books,
    (SELECT md5(string_agg(f::text, ',' ORDER BY application_id)) FROM funding AS f) AS cases
"""


@dataclass
class Campaign:
    """One close over many lives, and what was seen after each death."""

    trial: Trial
    db: Database
    owner: "asyncpg.Connection[asyncpg.Record]"
    path: Path
    config: dict[str, Any]
    lives: int = 0
    died: list[str] = field(default_factory=list[str])
    posted: list[int] = field(default_factory=list[int])
    """How many lines were posted, at each death in the middle of posting."""
    half_done: Counter[str] = field(default_factory=Counter[str])
    unproven: int = 0
    struck: int = 0
    """Processes that died while the server worked for them."""

    def next_life(self, point: str | None = None) -> tuple[str, ...]:
        """The command of the next process; its clock runs on, and its batches begin anew."""
        self.lives += 1
        # In the middle of posting every life gets further than the one before: a batch at least.
        times = self.trial.chance.randint(2, BATCHES_A_LIFE_MAX) if point in POSTING else 1
        now = (NOW + timedelta(minutes=self.lives)).isoformat()
        self.path.write_text(json.dumps(self.config | {"point": point, "times": times, "now": now}), encoding="utf-8")
        return (*CHILD, str(self.path))

    async def dies(self, point: str) -> None:
        """One life from the first step up to `point`."""
        if await killed_where_it_stops(*self.next_life(point)):
            self.died.append(point)
        await self._look(point)

    async def dies_in_the_server(self, point: str) -> None:
        """One is killed while the server writes its entries; the next begins before the server has let go of it."""
        command, holder = self.next_life(point), await self.trial.ground.owner()
        await holder.execute("BEGIN; LOCK TABLE transfer IN SHARE MODE")
        try:
            async with process(*command) as child:
                before = await self._waiting(besides=0)
                self.struck += await kill(child) and before > 0
            async with process(*command) as child:
                await self._waiting(besides=before)
                await holder.close()
                async with asyncio.timeout(SECONDS_MAX):
                    if await stops(child) and await kill(child):
                        self.died.append(point)
        finally:
            await holder.close()
        await self._look(point)

    async def _waiting(self, *, besides: int) -> int:
        """The server process that waits for our lock, or for the one before it; 0 where none does for long."""
        for _ in range(int(SECONDS_MAX / 2 / 0.01)):
            pid = await self.owner.fetchval(WAITING_IN_THE_SERVER, APPLICATION, besides)
            if pid is not None:
                return int(pid)
            await asyncio.sleep(0.01)
        return 0

    async def _look(self, point: str) -> None:
        self.half_done.update({row["half"]: row["times"] for row in await self.owner.fetch(HALF_DONE, LINE, NEXT)})
        async with self.db.connection() as connection:
            self.unproven += len((await store.prove(connection)).faults)
        if point in POSTING:
            lines, posted = await self.owner.fetchrow(PROGRESS) or (0, 0)
            self.posted.append(posted if posted < lines else 0)

    async def lives_to_its_end(self) -> YearEndReport | None:
        """One life that nobody ends: its report, None where it has none."""
        async with asyncio.timeout(SECONDS_MAX), process(*self.next_life()) as child:
            assert child.stdout is not None
            said = await child.stdout.readline()
            return YearEndReport.model_validate_json(said) if await child.wait() == 0 else None


async def run(trial: Trial) -> None:
    """A death in every phase, then the whole close once more, twice; every cent is where it belongs."""
    count, held, waiting = (
        trial.count(ENCUMBRANCES, least=80),
        trial.count(HELD, least=3),
        trial.count(WAITING, least=3),
    )
    cases = cases_of(trial, count + held + waiting)
    encumbered, holding, in_line = cases[:count], cases[count : count + held], cases[count + held :]
    db = await trial.ground.open(connections_max=4)
    await open_year(trial, db, encumbered, SPARE_CENTS, held=holding, waiting=in_line)
    appropriated = sum((await stages(db, LINE)).values())
    sizes = {"posted_per_batch": max(2, count // BATCHES), "listed_per_turn": max(7, count // 13)}
    config = {"dsn": trial.ground.dsn_of("cairn_payments"), **sizes}
    close = Campaign(trial, db, await trial.ground.owner(), trial.ground.folder / "close.json", config)

    points = [*_points(trial), SHUT]
    struck = next(point for point in points if point in PHASES[5])
    for point in points:
        await (close.dies_in_the_server(point) if point == struck else close.dies(point))
    _deaths(trial, close, points)

    before = await close.owner.fetchrow(ROWS)
    report = await close.lives_to_its_end()
    trial.holds("the close comes to its end", "a report", report is not None, report)
    if report is None:
        return
    trial.equal("the report of one more", report, await close_year(db, now=NOW + timedelta(hours=3)))
    trial.equal("journal, facts, lines and books after it ran twice more", before, await close.owner.fetchrow(ROWS))

    expected = {of: sum(c.cents for c in encumbered if c.is_of_the_year is of) for of in (True, False)}
    free = SPARE_CENTS + sum(case.cents for case in holding)
    trial.equal("open before", sum(expected.values()), report.open_cents)
    trial.equal("carried", expected[True], report.carried_cents)
    trial.equal("lapsed", expected[False], report.lapsed_cents)
    trial.equal("resolved", 0, report.resolved_cents)
    trial.equal("lapsed of what was available or held", free, report.available_lapsed_cents)
    left = (await stages(db, LINE))["lapsed"] + (await stages(db, NEXT))["encumbered"]
    trial.equal("cents appropriated = lapsed + carried", appropriated, left)
    await year_is_closed(trial, db, encumbered, expected[True], others=len(holding) + len(in_line))
    await books_are_proven(trial, db)


def _points(trial: Trial) -> list[str]:
    """Some of every phase, in their order; all of them at full size."""
    return [
        point
        for phase in PHASES
        for point in sorted(trial.chance.sample(phase, trial.count(len(phase))), key=phase.index)
    ]


def _deaths(trial: Trial, close: Campaign, points: list[str]) -> None:
    trial.equal("processes that died where they should", points, close.died)
    trial.equal("processes that died while the server worked for them", 1, close.struck)
    further = all(before < after for before, after in zip([0, *close.posted], close.posted, strict=False))
    trial.holds("lines posted at each death in the middle", "more each time, never all", further, close.posted)
    trial.equal("what deaths left half done", {}, dict(+close.half_done))
    trial.equal("faults that the prover found after a death", 0, close.unproven)


DRILLS = (
    Drill(
        "killed-close",
        "a year's close killed in each of its phases and begun again carries and lapses every cent once",
        run,
        seconds_max=1_800.0,
        test_scale=0.01,
    ),
)
