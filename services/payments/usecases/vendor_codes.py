"""Give codes from before there was a digest over the vendor theirs, so that the same code is not taken in again."""

from datetime import datetime

from contracts.ids import ExamVoucherId
from kit.db import Connection, Database
from kit.telemetry import logger
from services.payments.exam_vouchers.codes import ExamCodes
from services.payments.store import vendor_codes as store

CODES_AT_ONCE = 2_000

_log = logger(__name__)


async def complete_vendor_macs(*, keys: ExamCodes, db: Database, now: datetime) -> int:
    """Every code gets its digest over the vendor; how many did. Codes are opened in memory and go no further.

    Of two that are the same code, the one that somebody has keeps it; the other one is void where nobody has it.
    """
    completed = 0
    while True:
        async with db.transaction() as tx:
            some = await _complete_some(tx, keys=keys, now=now)
        if not some:
            return completed
        completed += some


async def _complete_some(tx: Connection, *, keys: ExamCodes, now: datetime) -> int:
    bare = await store.without_mac(tx, CODES_AT_ONCE)
    codes = {one.exam_voucher_id: keys.open(one.exam_voucher_id, one.sealed_code) for one in bare}
    macs = {one.exam_voucher_id: keys.vendor_mac(one.vendor, codes[one.exam_voucher_id]) for one in bare}
    holders = await store.holders(tx, list(macs.values()))
    twins: dict[ExamVoucherId, ExamVoucherId] = {}
    for voucher, mac in macs.items():
        if holders.setdefault(mac, voucher) != voucher:
            twins[voucher] = holders[mac]
    await store.give_macs(tx, {voucher: mac for voucher, mac in macs.items() if voucher not in twins})
    if twins:
        await store.mark_twins(tx, twins, now=now)
        _log.warning("exam_vouchers.code_twice", exam_vouchers=sorted(twins))
    return len(bare)
