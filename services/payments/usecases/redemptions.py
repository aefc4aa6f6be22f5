"""Import a vendor's redemption report: every line ends, states follow the vendor's word, lots and cost add up."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from contracts.events.payments import ExamVoucherExpired, ExamVoucherReclaimed
from kit import outbox
from kit.db import Connection, Database
from services.payments.domain import ExamVoucherState
from services.payments.exam_vouchers.codes import ExamCodes
from services.payments.exam_vouchers.formats import VendorFormat
from services.payments.exam_vouchers.judging import NOTHING_NEW, Ending, Judgement, VoucherFile, heard, judge
from services.payments.exam_vouchers.reports import Report, ReportLine, read_report
from services.payments.store import exam_stock as stock_store
from services.payments.store import redemptions as store
from services.payments.store.exam_stock import LotStanding
from services.payments.store.redemptions import Change, EndedLine, Heard, Holder, ReportHead

_FILE_NAME = re.compile(r"[^A-Za-z0-9._ -]")


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What a report came to."""

    again: bool
    """A report of the same content was read before: nothing was changed, and this is what it came to then."""
    lines: tuple[EndedLine, ...]
    """Every line; lines 0 speak of the whole file."""
    lots: tuple[LotStanding, ...]
    """The lots whose codes the report names, as they stand now."""

    def count(self, ending: Ending) -> int:
        return sum(line.ending is ending and line.number > 0 for line in self.lines)

    @property
    def open(self) -> tuple[EndedLine, ...]:
        """What a person has to look at."""
        return tuple(line for line in self.lines if line.ending not in {Ending.APPLIED, Ending.REPEATED})


@dataclass(slots=True)
class _Work:
    """The codes of one report, and what its lines make of them."""

    files: dict[bytes, tuple[VoucherFile, Holder | None]]
    before: dict[bytes, VoucherFile] = field(default_factory=dict[bytes, VoucherFile])
    ended: list[EndedLine] = field(default_factory=list[EndedLine])
    changes: dict[bytes, Change] = field(default_factory=dict[bytes, Change])
    words: list[Heard] = field(default_factory=list[Heard])


async def reconcile_report(
    content: bytes, form: VendorFormat, *, file_name: str, read_by: str, keys: ExamCodes, db: Database, now: datetime
) -> Reconciled:
    """Judge every line and apply what can be applied, all in one transaction. The same content again changes nothing.

    Raises `ReportUnreadable`. Codes are turned into MACs here and go no further.
    """
    digest = hashlib.sha256(content).digest()
    report = read_report(content, form)
    async with db.transaction() as tx:
        await store.lock_vendor(tx, form.vendor)
        earlier = await store.known_lines(tx, digest)
        if earlier is not None:
            return Reconciled(True, tuple(earlier), await _lots_of(tx, earlier))
        exams = await store.exams_of(tx, form.vendor)
        macs = [_macs(line, exams, keys) for line in report.lines]
        work = _Work(await store.files_of(tx, form.vendor, sorted({mac for some in macs for mac in some})))
        for line, candidates in zip(report.lines, macs, strict=True):
            _take(work, line, next((mac for mac in candidates if mac in work.files), None))
        work.ended += _faulty(report)
        work.ended.sort(key=lambda one: (one.number, one.reason))
        name = _FILE_NAME.sub("_", file_name)[:100]
        head = ReportHead(digest, form.vendor, name, report.announced, read_by, now)
        await store.keep_report(tx, head, work.ended)
        await _save(tx, work, digest, now=now)
        return Reconciled(False, tuple(work.ended), await _lots_of(tx, work.ended))


def _macs(line: ReportLine, exams: Sequence[str], keys: ExamCodes) -> list[bytes]:
    return [keys.mac(exam_id, line.code) for exam_id in ([line.exam_id] if line.exam_id else exams)]


def _take(work: _Work, line: ReportLine, mac: bytes | None) -> None:
    if mac is None:
        unknown = Judgement(Ending.UNKNOWN_CODE, "unknown_code", "no lot of this vendor has this code")
        work.ended.append(_ending(line, unknown, None))
        return
    file, holder = work.files[mac]
    judged = judge(file, line)
    work.ended.append(_ending(line, judged, file))
    work.before.setdefault(mac, file)
    work.files[mac] = (heard(file, line, judged), holder)
    if judged is not NOTHING_NEW:
        work.words.append(Heard(file.exam_voucher_id, line.word, line.event_at, line.reference, line.told_at))
    if judged.stands:
        known = work.files[mac][0]
        work.changes[mac] = Change(file.exam_voucher_id, known.state, known.use, line.word, line.told_at)


def _ending(line: ReportLine, judged: Judgement, file: VoucherFile | None) -> EndedLine:
    return EndedLine(
        number=line.number,
        ending=judged.ending,
        reason=judged.reason,
        explanation=judged.explanation,
        word=line.word,
        event_at=line.event_at,
        told_at=line.told_at,
        exam_voucher_id=file.exam_voucher_id if file else None,
    )


def _faulty(report: Report) -> list[EndedLine]:
    return [EndedLine(one.number, Ending.UNREADABLE, one.fault.value, one.explanation) for one in report.faults]


async def _save(tx: Connection, work: _Work, digest: bytes, *, now: datetime) -> None:
    await store.keep_words(tx, work.words, digest)
    await store.change(tx, list(work.changes.values()), now=now)
    over = [
        change.exam_voucher_id
        for mac, change in work.changes.items()
        if change.becomes is not work.before[mac].state
        and change.becomes in {ExamVoucherState.EXPIRED, ExamVoucherState.VOID, ExamVoucherState.AVAILABLE}
    ]
    await store.end_allocations(tx, over, now=now)
    facts: list[ExamVoucherReclaimed | ExamVoucherExpired] = []
    for mac, change in work.changes.items():
        _, holder = work.files[mac]
        fact = _fact(work.before[mac], change, holder, now=now) if holder else None
        facts += [fact] if fact else []
    await outbox.append_all(tx, facts, now=now)


def _fact(
    before: VoucherFile, change: Change, holder: Holder, *, now: datetime
) -> ExamVoucherReclaimed | ExamVoucherExpired | None:
    """What the case that has the code, or had it last, hears of it."""
    about = {
        "application_id": holder.application_id,
        "exam_voucher_id": before.exam_voucher_id,
        "exam_id": before.exam_id,
    }
    if change.becomes is before.state:
        return None
    if change.becomes is ExamVoucherState.AVAILABLE:
        return ExamVoucherReclaimed.model_validate({**about, "reclaimed_at": now})
    if change.becomes is ExamVoucherState.EXPIRED and before.is_held:
        return ExamVoucherExpired.model_validate(
            {**about, "attempt_number": holder.attempt_number, "expired_at": before.usable_until}
        )
    return None


async def _lots_of(tx: Connection, lines: Sequence[EndedLine]) -> tuple[LotStanding, ...]:
    named = sorted({line.exam_voucher_id for line in lines if line.exam_voucher_id})
    lot_ids = await stock_store.lots_of_vouchers(tx, named)
    return tuple(await stock_store.lots(tx, lot_ids=lot_ids)) if lot_ids else ()


async def lines_for_a_person(vendor: str | None, *, db: Database) -> list[dict[str, object]]:
    """The newest lines that neither changed nor repeated anything."""
    async with db.connection() as connection:
        return await store.open_lines(connection, vendor)
