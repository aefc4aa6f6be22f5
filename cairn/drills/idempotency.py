"""The drill `idempotency`: one effect and one answer for each id, however often, by whom and when it is asked.

In the ledger, and at the partner's door to applications.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from cairn.drills.books import AWARD, LINE, PROGRAM, ROUND, appropriation, books_are_proven, hold, opened
from cairn.drills.drill import Drill, Fault, Trial, changes_schema, edits_function, together
from cairn.drills.idempotent_door import one_application_a_key
from kit.db import Database
from services.payments.books.ledger import Code, Scope, Transfer, line_row
from services.payments.store import ledger as store

TWINS = 50
ROUNDS = 20
IN_BOTH_YEARS = 5
CENTS = 1_000


async def run(trial: Trial) -> None:
    """Fifty at once with the same id; another request under it; a refusal asked again once money has come."""
    db = await trial.ground.open(connections_max=TWINS + 2)
    rounds = trial.count(ROUNDS, least=3)
    async with db.transaction() as tx:
        await store.post(tx, opened(rounds * CENTS))
    for number in range(rounds):
        await _twins(trial, db, hold(f"twins {number}", CENTS), number)
    refused = hold("too late", CENTS)
    trial.equal("answers while there is no money", {"over_award": TWINS}, await _answers(db, [refused] * TWINS))
    async with db.transaction() as tx:
        more = [appropriation(row, 10 * CENTS, "more") for row in (LINE, ROUND, AWARD)]
        await store.post(tx, more)
    trial.equal("the same once money has come", {"over_award": TWINS}, await _answers(db, [refused] * TWINS))
    trial.equal("a new request then", {"ok": 1}, await _answers(db, [hold("in time", CENTS)]))
    await _in_another_year(trial, db)
    async with db.connection() as connection:
        row = (await store.balances(connection, [AWARD]))[AWARD]
        repeated = await connection.fetchval("SELECT count(*) - count(DISTINCT id) FROM transfer")
    trial.equal("cents held", (rounds + 1) * CENTS, row.stages["held"])
    trial.equal("entries beside the first of their id", 0, repeated)
    await books_are_proven(trial, db)
    await one_application_a_key(trial)


async def _twins(trial: Trial, db: Database, asked: Transfer, number: int) -> None:
    trial.equal(f"{TWINS} at once, round {number}", {"ok": TWINS}, await _answers(db, [asked] * TWINS))
    other = replace(asked, amount_cents=asked.amount_cents + 1)
    trial.equal(f"another request under its id, round {number}", {"conflict": 1}, await _answers(db, [other]))


async def _in_another_year(trial: Trial, db: Database) -> None:
    """Two years' budget lines have no lock in common; one id asked in both at once has one effect."""
    lines = [line_row(PROGRAM, year) for year in (2026, 2027)]
    async with db.transaction() as tx:
        await store.post(tx, [replace(appropriation(LINE, CENTS, "2027"), scope=Scope(lines[1], line=lines[1]))])
    asked = [replace(hold("both years", CENTS), scope=Scope(line, line=line)) for line in lines] * (TWINS // 2)
    trial.equal(
        "one id in two fiscal years at once", {"ok": TWINS // 2, "conflict": TWINS // 2}, await _answers(db, asked)
    )


async def _answers(db: Database, asked: Sequence[Transfer]) -> dict[str, int]:
    """How often each outcome was answered; all ask at once, each on a connection of its own."""
    ready = asyncio.Barrier(len(asked))

    async def one(transfer: Transfer) -> str:
        async with db.transaction() as tx:
            await ready.wait()
            [posted] = await store.post(tx, [transfer])
        return (posted.outcome or Code.CONFLICT).value

    found = await asyncio.gather(*(one(transfer) for transfer in asked), return_exceptions=True)
    return dict(Counter(each if isinstance(each, str) else type(each).__name__ for each in found))


DRILLS = (
    Drill(
        "idempotency",
        "50 calls of one id at once are one effect with equal answers, and a refusal stays one when money comes",
        run,
        schemas=("payments", "applications"),
        test_scale=0.15,
    ),
)

_LOOKED_UP = """SELECT array_agg(t.id), array_agg(t.outcome), array_agg(t.fingerprint)
    INTO known_ids, known_outcomes, known_fingerprints
    FROM transfer AS t WHERE t.id = ANY (ids);"""
_KEY_GONE = changes_schema("ALTER TABLE transfer DROP CONSTRAINT transfer_pkey")

FAULTS = (
    Fault(
        "ids-not-looked-up",
        "A request is not looked for in the journal before it is decided.",
        "idempotency",
        together(_KEY_GONE, edits_function("post", _LOOKED_UP, "")),
        check="entries beside the first of their id",
    ),
    Fault(
        "ids-looked-up-before-the-locks",
        "A rival's uncommitted entry with the same id is not seen.",
        "idempotency",
        together(
            _KEY_GONE,
            edits_function("post", _LOOKED_UP, ""),
            edits_function("post", "touched := ARRAY(", f"{_LOOKED_UP}\n    touched := ARRAY("),
        ),
        check="entries beside the first of their id",
    ),
    Fault(
        "ids-not-locked",
        "Two fiscal years take the same id at the same moment.",
        "idempotency",
        edits_function("post", "ids) AS t(id) ORDER BY t.id ON", "ids) AS t(id) WHERE false ON"),
        check="one id in two fiscal years at once",
    ),
    Fault(
        "fingerprints-not-compared",
        "Another request under a known id is answered as if it were the first.",
        "idempotency",
        edits_function("post", "known_fingerprints[known_at[i]] = fingerprints[i] THEN", "true THEN"),
        check="another request under its id, round 0",
    ),
    Fault(
        "refusal-tried-again",
        "A retry of what was refused is decided anew.",
        "idempotency",
        together(
            _KEY_GONE,
            edits_function("post", "WHERE t.id = ANY (ids);", "WHERE t.id = ANY (ids) AND t.outcome = 'ok';"),
        ),
        check="the same once money has come",
    ),
    Fault(
        "refusals-not-journaled",
        "What was refused leaves no entry.",
        "idempotency",
        edits_function(
            "post", "WHERE g.is_new\n    ORDER BY g.place", "WHERE g.is_new AND g.outcome = 'ok'\n    ORDER BY g.place"
        ),
        check="the same once money has come",
    ),
)
