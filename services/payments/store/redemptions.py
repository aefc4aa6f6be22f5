"""Redemption reports: what vendors said of each code, and how every line ended. No code in the clear, ever."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from contracts.ids import ApplicationId, ExamVoucherId
from kit.db import Connection
from services.payments.domain import ExamVoucherState
from services.payments.exam_vouchers.formats import Word
from services.payments.exam_vouchers.judging import Ending, VoucherFile
from services.payments.exam_vouchers.states import Use

# Two reports of one vendor would each judge by what it saw before the other.
LOCK_VENDOR = "SELECT pg_advisory_xact_lock(hashtextextended($1, 7002))"
REPORT = """
SELECT lines, announced, applied, repeated, unknown_code, contradiction, unreadable FROM redemption_report
WHERE content_sha256 = $1
"""
REPORT_LINES = """
SELECT line_number, ending, reason, explanation, word, event_at, told_at, exam_voucher_id FROM redemption_line
WHERE content_sha256 = $1 ORDER BY line_number, reason LIMIT 100000
"""
ADD_REPORT = """
INSERT INTO redemption_report (
    content_sha256, vendor, file_name, lines, announced, applied, repeated, unknown_code, contradiction, unreadable,
    read_by, read_at
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
"""
ADD_LINES = """
INSERT INTO redemption_line (
    content_sha256, line_number, ending, reason, explanation, word, event_at, told_at, exam_voucher_id
)
SELECT $1, * FROM unnest(
    $2::integer[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[], $8::timestamptz[], $9::text[]
)
"""
EXAMS_OF_VENDOR = "SELECT DISTINCT exam_id FROM exam_voucher_lot WHERE vendor = $1 ORDER BY exam_id LIMIT 100"
# Only codes of this vendor's own lots: what another sold is unknown to it.
FILES = """
SELECT v.exam_voucher_id, v.code_mac, v.exam_id, v.lot_id, v.state, v.used_as, v.usable_until, v.vendor_word,
    v.vendor_told_at, a.application_id, a.attempt_number, a.ended_at,
    ARRAY(
        SELECT ROW(w.word, w.event_at, w.reference) FROM exam_voucher_word AS w
        WHERE w.exam_voucher_id = v.exam_voucher_id
    ) AS heard
FROM exam_voucher AS v JOIN exam_voucher_lot AS l USING (lot_id)
LEFT JOIN LATERAL (
    SELECT application_id, attempt_number, ended_at FROM exam_voucher_allocation AS a
    WHERE a.exam_voucher_id = v.exam_voucher_id ORDER BY entry DESC LIMIT 1
) AS a ON true
WHERE v.code_mac = ANY ($1::bytea[]) AND l.vendor = $2
ORDER BY v.exam_voucher_id FOR UPDATE OF v
"""
CHANGE = """
UPDATE exam_voucher AS v SET state = c.becomes, used_as = c.use, vendor_word = c.word, vendor_told_at = c.told_at,
    changed_at = $6
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[]) AS c(id, becomes, use, word, told_at)
WHERE v.exam_voucher_id = c.id
"""
ADD_WORDS = """
INSERT INTO exam_voucher_word (exam_voucher_id, word, event_at, reference, told_at, content_sha256)
SELECT *, $6 FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[], $5::timestamptz[])
"""
END_ALLOCATIONS = """
UPDATE exam_voucher_allocation SET ended_at = $2 WHERE exam_voucher_id = ANY ($1::text[]) AND ended_at IS NULL
"""
OPEN_LINES = """
SELECT r.vendor, r.file_name, r.read_at, l.line_number, l.ending, l.reason, l.explanation, l.exam_voucher_id
FROM redemption_line AS l JOIN redemption_report AS r USING (content_sha256)
WHERE l.ending IN ('unknown_code', 'contradiction', 'unreadable') AND ($1::text IS NULL OR r.vendor = $1)
ORDER BY r.read_at DESC, r.content_sha256, l.line_number LIMIT 200
"""


@dataclass(frozen=True, slots=True)
class Holder:
    """The case that has an exam voucher, or had it last."""

    application_id: ApplicationId
    attempt_number: int


@dataclass(frozen=True, slots=True)
class EndedLine:
    """How one line of a report ended; nothing that stands in it."""

    number: int
    ending: Ending
    reason: str
    explanation: str
    word: Word | None = None
    event_at: datetime | None = None
    told_at: datetime | None = None
    exam_voucher_id: ExamVoucherId | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """What a report made of one exam voucher."""

    exam_voucher_id: ExamVoucherId
    becomes: ExamVoucherState
    use: Use | None
    word: Word
    told_at: datetime


@dataclass(frozen=True, slots=True)
class Heard:
    """One thing the vendor said of a code."""

    exam_voucher_id: ExamVoucherId
    word: Word
    event_at: datetime
    reference: str
    told_at: datetime


@dataclass(frozen=True, slots=True)
class ReportHead:
    """One report as it is kept."""

    content_sha256: bytes
    vendor: str
    file_name: str
    announced: int | None
    read_by: str
    read_at: datetime


async def lock_vendor(tx: Connection, vendor: str) -> None:
    """One report of a vendor at a time, until the transaction ends."""
    await tx.execute(LOCK_VENDOR, vendor)


async def known_lines(tx: Connection, content_sha256: bytes) -> list[EndedLine] | None:
    """The lines of a report of the same content as they ended; None where it was not read before."""
    if await tx.fetchrow(REPORT, content_sha256) is None:
        return None
    return [_ended(dict(row)) for row in await tx.fetch(REPORT_LINES, content_sha256)]


async def exams_of(tx: Connection, vendor: str) -> list[str]:
    """The exams of a vendor's lots."""
    return [row["exam_id"] for row in await tx.fetch(EXAMS_OF_VENDOR, vendor)]


async def files_of(
    tx: Connection, vendor: str, macs: Sequence[bytes]
) -> dict[bytes, tuple[VoucherFile, Holder | None]]:
    """The vendor's codes with these MACs, locked, by MAC."""
    return {
        row["code_mac"]: (_file(dict(row)), _holder(dict(row))) for row in await tx.fetch(FILES, list(macs), vendor)
    }


async def keep_report(tx: Connection, head: ReportHead, lines: Sequence[EndedLine]) -> None:
    """The report with every line; lines 0 speak of the whole file and count for none."""
    counts = {ending: sum(one.ending is ending and one.number > 0 for one in lines) for ending in Ending}
    await tx.execute(
        ADD_REPORT,
        head.content_sha256,
        head.vendor,
        head.file_name,
        sum(counts.values()),
        head.announced,
        *(counts[ending] for ending in Ending),
        head.read_by,
        head.read_at,
    )
    await tx.execute(
        ADD_LINES,
        head.content_sha256,
        [one.number for one in lines],
        [one.ending.value for one in lines],
        [one.reason for one in lines],
        [one.explanation for one in lines],
        [one.word.value if one.word else None for one in lines],
        [one.event_at for one in lines],
        [one.told_at for one in lines],
        [one.exam_voucher_id for one in lines],
    )


async def change(tx: Connection, changes: Sequence[Change], *, now: datetime) -> None:
    """Give every exam voucher its new state together with the word that brought it about."""
    await tx.execute(
        CHANGE,
        [one.exam_voucher_id for one in changes],
        [one.becomes.value for one in changes],
        [one.use.value if one.use else None for one in changes],
        [one.word.value for one in changes],
        [one.told_at for one in changes],
        now,
    )


async def keep_words(tx: Connection, words: Sequence[Heard], content_sha256: bytes) -> None:
    await tx.execute(
        ADD_WORDS,
        [one.exam_voucher_id for one in words],
        [one.word.value for one in words],
        [one.event_at for one in words],
        [one.reference for one in words],
        [one.told_at for one in words],
        content_sha256,
    )


async def end_allocations(tx: Connection, exam_voucher_ids: Sequence[str], *, now: datetime) -> None:
    """Whoever had these codes has no more claim to them."""
    await tx.execute(END_ALLOCATIONS, list(exam_voucher_ids), now)


async def open_lines(tx: Connection, vendor: str | None) -> list[dict[str, object]]:
    """The newest two hundred lines that wait for a person."""
    return [dict(row) for row in await tx.fetch(OPEN_LINES, vendor)]


def _ended(found: Mapping[str, Any]) -> EndedLine:
    return EndedLine(
        number=found["line_number"],
        ending=Ending(found["ending"]),
        reason=found["reason"],
        explanation=found["explanation"],
        word=Word(found["word"]) if found["word"] else None,
        event_at=found["event_at"],
        told_at=found["told_at"],
        exam_voucher_id=ExamVoucherId(found["exam_voucher_id"]) if found["exam_voucher_id"] else None,
    )


def _file(found: Mapping[str, Any]) -> VoucherFile:
    return VoucherFile(
        exam_voucher_id=ExamVoucherId(found["exam_voucher_id"]),
        exam_id=found["exam_id"],
        lot_id=found["lot_id"],
        state=ExamVoucherState(found["state"]),
        use=Use(found["used_as"]) if found["used_as"] else None,
        usable_until=found["usable_until"],
        is_held=found["application_id"] is not None and found["ended_at"] is None,
        was_held=found["application_id"] is not None,
        last_word=Word(found["vendor_word"]) if found["vendor_word"] else None,
        last_told_at=found["vendor_told_at"],
        heard=frozenset((Word(word), event_at, reference) for word, event_at, reference in found["heard"]),
    )


def _holder(found: Mapping[str, Any]) -> Holder | None:
    if found["application_id"] is None:
        return None
    return Holder(ApplicationId(found["application_id"]), found["attempt_number"])
