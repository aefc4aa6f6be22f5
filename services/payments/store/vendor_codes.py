"""Codes as their vendor redeems them: once, whatever exam they were sold for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from contracts.ids import ExamVoucherId
from kit.db import Connection

# What somebody has comes first: of two twins it is the one that keeps the code.
WITHOUT_MAC = """
SELECT v.exam_voucher_id, v.sealed_code, l.vendor FROM exam_voucher AS v JOIN exam_voucher_lot AS l USING (lot_id)
WHERE v.vendor_code_mac IS NULL AND v.twin_of IS NULL
ORDER BY v.state = 'available', v.exam_voucher_id LIMIT $1 FOR UPDATE OF v
"""
HOLDERS = "SELECT vendor_code_mac, exam_voucher_id FROM exam_voucher WHERE vendor_code_mac = ANY ($1::bytea[])"
GIVE_MACS = """
UPDATE exam_voucher AS v SET vendor_code_mac = g.mac
FROM unnest($1::text[], $2::bytea[]) AS g(id, mac) WHERE v.exam_voucher_id = g.id
"""
MARK_TWINS = """
UPDATE exam_voucher AS v SET twin_of = g.twin, changed_at = $3,
    state = CASE v.state WHEN 'available' THEN 'void' ELSE v.state END
FROM unnest($1::text[], $2::text[]) AS g(id, twin) WHERE v.exam_voucher_id = g.id
"""


@dataclass(frozen=True, slots=True)
class SealedCode:
    """A code of a vendor, as it is kept."""

    exam_voucher_id: ExamVoucherId
    sealed_code: bytes
    vendor: str


async def without_mac(tx: Connection, codes_max: int) -> list[SealedCode]:
    """Codes from before there was a digest over the vendor, locked; those first that somebody has."""
    rows = await tx.fetch(WITHOUT_MAC, codes_max)
    return [SealedCode(ExamVoucherId(r["exam_voucher_id"]), r["sealed_code"], r["vendor"]) for r in rows]


async def holders(tx: Connection, macs: Sequence[bytes]) -> dict[bytes, ExamVoucherId]:
    """Which exam voucher has each code, of those on record."""
    rows = await tx.fetch(HOLDERS, list(macs))
    return {row["vendor_code_mac"]: ExamVoucherId(row["exam_voucher_id"]) for row in rows}


async def give_macs(tx: Connection, macs: Mapping[ExamVoucherId, bytes]) -> None:
    await tx.execute(GIVE_MACS, list(macs), list(macs.values()))


async def mark_twins(tx: Connection, twins: Mapping[ExamVoucherId, ExamVoucherId], *, now: datetime) -> None:
    """Each has the code of another exam voucher; what nobody has yet is out of stock from now on."""
    await tx.execute(MARK_TWINS, list(twins), list(twins.values()), now)
