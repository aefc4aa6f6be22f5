"""The journal and the balance rows: posting, reading, proving."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from contracts.ids import TransferId
from contracts.plan import CostKind
from kit.db import Connection
from services.payments.books.cost_lines import Part, parts_of
from services.payments.books.ledger import STAGES, Code, Difference, Phase, Posted, Proof, Scope, Transfer

POST_MAX = 2_000
"""As many transfers the posting function decides at once; it refuses more."""

# The posting function answers one row per transfer, in the order given.
POST = """
SELECT code, outcome FROM post(
    $1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
    $9::bigint[], $10::text[], $11::text[], $12::text[], $13::timestamptz[], $14::bytea[], $15::text[], $16::text[]
) ORDER BY place
"""

BALANCES = """
SELECT id, book, level, phase, appropriations, appropriated_cents, available_cents, held_cents, encumbered_cents,
    payable_cents, in_transit_cents, disbursed_cents, lapsed_cents
FROM balance WHERE id = ANY ($1::text[])
"""

PROGRAM_BALANCES = """
SELECT id, book, level, phase, appropriations, appropriated_cents, available_cents, held_cents, encumbered_cents,
    payable_cents, in_transit_cents, disbursed_cents, lapsed_cents
FROM balance
WHERE level <> 'person' AND split_part(id, '/', 2) = $1
ORDER BY lock_order, id
"""

# One statement, so that journal and balances are seen at one moment while others post. Folded by scope first: what
# is then spread over the levels is small. Every entry meets the one whose money it moves on once, by a hash join; what
# is found is materialized, since a LIMIT above would have it looked up entry by entry. Grouped by `entry`, since ids
# are long to sort.
PROVE = """
WITH folded AS (
    SELECT line_id, round_id, award_id, person_id, debit, credit, outcome = 'ok' AS counts,
        sum(amount_cents)::bigint AS cents, count(*) AS entries
    FROM transfer
    GROUP BY line_id, round_id, award_id, person_id, debit, credit, counts
), moved AS (
    SELECT s.id, m.account, sum(m.cents) AS cents
    FROM folded AS t
    CROSS JOIN LATERAL (VALUES (t.line_id), (t.round_id), (t.award_id), (t.person_id)) AS s(id)
    CROSS JOIN LATERAL (VALUES (t.debit, -t.cents), (t.credit, t.cents)) AS m(account, cents)
    WHERE t.counts AND s.id IS NOT NULL
    GROUP BY s.id, m.account
), kept AS (
    SELECT b.id, k.account, k.cents
    FROM balance AS b
    CROSS JOIN LATERAL (VALUES
        ('authority', -b.appropriated_cents), ('available', b.available_cents), ('held', b.held_cents),
        ('encumbered', b.encumbered_cents), ('payable', b.payable_cents), ('in_transit', b.in_transit_cents),
        ('disbursed', b.disbursed_cents), ('lapsed', b.lapsed_cents)
    ) AS k(account, cents)
), different AS (
    SELECT coalesce(m.id, k.id) AS id, coalesce(m.account, k.account) AS account,
        coalesce(m.cents, 0)::bigint AS journal_cents, coalesce(k.cents, 0)::bigint AS balance_cents
    FROM moved AS m FULL JOIN kept AS k ON k.id = m.id AND k.account = m.account
    WHERE coalesce(m.cents, 0) <> coalesce(k.cents, 0)
), followed AS MATERIALIZED (
    SELECT min(t.pending_id) AS id, sum(t.amount_cents) > min(p.amount_cents) AS is_overdrawn,
        array_agg(t.pending_id) FILTER (WHERE p.entry IS NULL) AS unknown,
        array_agg(t.id) FILTER (
            WHERE r.from_pending AND (p.credit, p.book, p.line_id, p.round_id, p.award_id, p.person_id, p.cost_line)
                IS DISTINCT FROM (t.debit, t.book, t.line_id, t.round_id, t.award_id, t.person_id, t.cost_line)
        ) AS astray
    FROM transfer AS t
    LEFT JOIN transfer AS p ON p.id = t.pending_id AND p.outcome = 'ok'
    LEFT JOIN posting_rule AS r ON r.kind = t.kind
    WHERE t.outcome = 'ok' AND t.pending_id IS NOT NULL
    GROUP BY p.entry
), corrected AS (
    SELECT links_to AS id, sum(amount_cents) AS cents FROM transfer
    WHERE outcome = 'ok' AND links_to IS NOT NULL GROUP BY links_to
), overdrawn AS (
    SELECT id FROM followed WHERE is_overdrawn
    UNION SELECT unnest(unknown) FROM followed
    UNION SELECT c.id FROM corrected AS c LEFT JOIN transfer AS p ON p.id = c.id AND p.outcome = 'ok'
    WHERE p.id IS NULL OR c.cents > p.amount_cents
), misplaced AS MATERIALIZED (
    SELECT t.id FROM transfer AS t
    LEFT JOIN posting_rule AS r ON r.kind = t.kind
    LEFT JOIN balance AS n ON n.id = t.round_id
    LEFT JOIN balance AS a ON a.id = t.award_id
    LEFT JOIN balance AS h ON h.id = t.person_id
    LEFT JOIN line_closing AS s ON s.line = t.book AND s.phase = 'soft_closed'
    LEFT JOIN line_closing AS c ON c.line = t.book AND c.phase = 'hard_closed'
    WHERE t.outcome = 'ok' AND (
        (t.debit, t.credit) IS DISTINCT FROM (r.debit, r.credit)
        OR (r.from_pending AND t.pending_id IS NULL)
        OR t.line_id <> t.book OR n.book <> t.book OR a.book <> t.book OR h.book <> t.book
        OR (t.entry > s.last_entry AND NOT r.when_soft_closed AND t.entry <= coalesce(c.last_entry, t.entry))
        OR (t.entry > c.last_entry AND NOT r.when_hard_closed)
    )
)
SELECT
    (SELECT coalesce(sum(entries), 0)::bigint FROM folded) AS entries,
    (SELECT count(*) FROM balance) AS rows,
    (SELECT coalesce(jsonb_agg(to_jsonb(d) ORDER BY d.id, d.account), '[]') FROM different AS d) AS differences,
    ARRAY(SELECT id FROM overdrawn ORDER BY id) AS overdrawn,
    ARRAY(SELECT id FROM misplaced UNION SELECT unnest(astray) FROM followed ORDER BY id LIMIT 1000) AS misplaced,
    ARRAY(SELECT id FROM transfer GROUP BY id HAVING count(*) > 1 ORDER BY id) AS repeated,
    ARRAY(
        SELECT id FROM balance WHERE least(
            available_cents, held_cents, encumbered_cents, payable_cents, in_transit_cents, disbursed_cents,
            lapsed_cents
        ) < 0 OR available_cents + held_cents + encumbered_cents + payable_cents + in_transit_cents + disbursed_cents
            + lapsed_cents <> appropriated_cents ORDER BY id
    ) AS negative
"""

# By whatever fiscal year it was moved on in.
PARTS = """
SELECT t.id, t.cost_line, t.amount_cents, t.amount_cents - coalesce((
    SELECT sum(m.amount_cents) FROM transfer AS m WHERE m.pending_id = t.id AND m.outcome = 'ok'
), 0)::bigint AS left_cents
FROM transfer AS t WHERE t.id = ANY ($1::text[]) AND t.outcome = 'ok'
"""
SCOPES = """
SELECT id, book, line_id, round_id, award_id, person_id FROM transfer WHERE id = ANY ($1::text[]) AND outcome = 'ok'
"""

CLOSE_LINE = "SELECT close_line($1, $2)"
ONE_MOMENT = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"
CLAIM_PROOF = "SELECT true FROM ledger_proof WHERE proven_at <= $1 FOR UPDATE SKIP LOCKED"
KEEP_PROOF = "UPDATE ledger_proof SET proven_at = $1, entries = $2, faults = $3"


@dataclass(frozen=True, slots=True)
class Balance:
    """One balance row."""

    id: str
    book: str
    level: str
    phase: Phase
    """Of a budget line; `open` for every other row."""
    appropriations: int
    appropriated_cents: int
    stages: Mapping[str, int]
    """Cents by stage; their sum is `appropriated_cents`."""

    @property
    def available_cents(self) -> int:
        return self.stages["available"]


async def post(tx: Connection, transfers: Sequence[Transfer]) -> list[Posted]:
    """Decide these transfers in this order; refusals are answers, and kept. Past `POST_MAX` in several batches."""
    posted: list[Posted] = []
    for first in range(0, len(transfers), POST_MAX):
        posted += await _post_batch(tx, transfers[first : first + POST_MAX])
    return posted


async def _post_batch(tx: Connection, transfers: Sequence[Transfer]) -> list[Posted]:
    rows = await tx.fetch(
        POST,
        [t.id for t in transfers],
        [t.kind.value for t in transfers],
        [t.pending_id for t in transfers],
        [t.scope.book for t in transfers],
        [t.scope.line for t in transfers],
        [t.scope.round for t in transfers],
        [t.scope.award for t in transfers],
        [t.scope.person for t in transfers],
        [t.amount_cents for t in transfers],
        [t.reason for t in transfers],
        [t.actor for t in transfers],
        [t.workflow_id for t in transfers],
        [t.occurred_at for t in transfers],
        [t.fingerprint for t in transfers],
        [t.cost_line.value for t in transfers],
        [t.links_to for t in transfers] if any(t.links_to for t in transfers) else None,
    )
    return [
        Posted(transfer, Code(row["code"]), Code(row["outcome"]) if row["outcome"] else None)
        for transfer, row in zip(transfers, rows, strict=True)
    ]


async def balances(tx: Connection, ids: Sequence[str]) -> dict[str, Balance]:
    """The balance rows that exist among `ids`."""
    return {row["id"]: balance_of(dict(row)) for row in await tx.fetch(BALANCES, list(ids))}


async def program_balances(tx: Connection, program_id: str) -> list[Balance]:
    """Lines, rounds and awards of a program, widest first."""
    return [balance_of(dict(row)) for row in await tx.fetch(PROGRAM_BALANCES, program_id)]


async def parts(tx: Connection, moves: Sequence[TransferId]) -> dict[TransferId, Part]:
    """The entries of these moves, by id, each with what is left of it."""
    found = await tx.fetch(PARTS, [part for move in moves for part in parts_of(move)])
    return {TransferId(row["id"]): Part(CostKind(row["cost_line"]), row["left_cents"]) for row in found}


async def moved_by_line(tx: Connection, move: TransferId) -> dict[CostKind, int]:
    """What a move was, by cost line; nothing where the journal does not have it."""
    return {CostKind(row["cost_line"]): row["amount_cents"] for row in await tx.fetch(PARTS, parts_of(move))}


async def scopes(tx: Connection, ids: Sequence[str]) -> dict[str, Scope]:
    """The balance rows in which each of these entries moved its money."""
    return {
        row["id"]: Scope(row["book"], row["line_id"], row["round_id"], row["award_id"], row["person_id"])
        for row in await tx.fetch(SCOPES, list(ids))
    }


async def read_one_moment(tx: Connection) -> None:
    """All that this transaction reads stood so at one moment: rows, journal and sums agree with each other."""
    await tx.execute(ONE_MOMENT)


async def claim_proof(tx: Connection, before: datetime) -> bool:
    """Whether the last proof is from before `before` and nobody is at the next one."""
    return await tx.fetchval(CLAIM_PROOF, before) is not None


async def keep_proof(tx: Connection, proof: Proof, now: datetime) -> None:
    """This is the last proof now."""
    await tx.execute(KEEP_PROOF, now, proof.entries, len(proof.faults))


async def close_line(tx: Connection, line: str, phase: Phase) -> str:
    """Take a budget line to its next phase: `ok` (also when it is there already), or why not.

    `unknown`, `out_of_order`, `still_open` (a hard close while money is available, held or encumbered).
    """
    answer = await tx.fetchval(CLOSE_LINE, line, phase.value)
    assert isinstance(answer, str)
    return answer


async def prove(tx: Connection, *, timeout: float | None = None) -> Proof:
    """Refold the whole journal and compare every balance row; `timeout` in seconds, else the connection's own."""
    # Not `fetchrow`: what is asked for one row, the server does without its parallel workers.
    [row] = await tx.fetch(PROVE, timeout=timeout)
    differences = tuple(
        Difference(d["id"], d["account"], d["journal_cents"], d["balance_cents"]) for d in row["differences"]
    )
    overdrawn, repeated, negative, misplaced = (
        tuple(row[name]) for name in ("overdrawn", "repeated", "negative", "misplaced")
    )
    return Proof(row["entries"], row["rows"], differences, overdrawn, repeated, negative, misplaced)


def balance_of(row: Mapping[str, object]) -> Balance:
    """A row of the columns that `BALANCES` selects."""
    stages = {stage.value: int(str(row[f"{stage.value}_cents"])) for stage in STAGES}
    return Balance(
        str(row["id"]), str(row["book"]), str(row["level"]), Phase(str(row["phase"])), int(str(row["appropriations"])),
        int(str(row["appropriated_cents"])), stages,
    )  # fmt: skip
