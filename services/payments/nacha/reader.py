# pyright: strict
"""Reading an ACH file record by record, every rule checked; memory holds one entry and the faults, never the file."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from services.payments.nacha.assembly import EntryAssembly, log_fault, log_misfits
from services.payments.nacha.checks import header_findings
from services.payments.nacha.controls import BatchProgress, FileProgress, batch_control, file_control
from services.payments.nacha.faults import Fault, FaultLog
from services.payments.nacha.fields import RECORD_WIDTH
from services.payments.nacha.model import BatchHeader, Entry, FileHeader, Sums, day_of
from services.payments.nacha.records import (
    BATCH_HEADER,
    BLOCKING_FACTOR,
    ENTRIES,
    FILE_CONTROL,
    FILLER,
    OTHER_BATCH_HEADER,
    OTHER_ENTRY,
    RECEIVED_FILE_HEADER,
)
from services.payments.nacha.routing import is_routing_number
from services.payments.nacha.splitting import LineEnd, Records
from services.payments.nacha.transactions import TRANSACTIONS, Kind, ServiceClass


class Found(NamedTuple):
    """An entry with its batch and the number of its record."""

    record: int
    batch: BatchHeader
    entry: Entry


@dataclass(frozen=True, slots=True)
class Verdict:
    """What can be said once the last record was read. Post nothing of what is not valid."""

    valid: bool
    first_fault: Fault | None
    first_of_file: Fault | None
    """The first fault of structure or sums: post nothing. Where it is None every other fault is one entry's."""
    of_entries: Mapping[int, Fault]
    """The record of an entry, or of the header of a batch that is not read → the first fault that concerns it alone."""
    fault_count: int
    faults: tuple[Fault, ...]
    header: FileHeader | None
    batches: int
    records: int
    sums: Sums
    line_end: LineEnd


class FileReader:
    """Iterate over the entries, then ask for the verdict."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self.header: FileHeader | None = None
        self._records = Records(chunks)
        self._log = FaultLog()
        self._number = 0
        self._file = FileProgress()
        self._batch: BatchProgress | None = None
        self._entry: EntryAssembly | None = None
        self._done = False

    def __iter__(self) -> Iterator[Found]:
        for text in self._records:
            # Editors and transfers leave a blank line or the end-of-file mark of old systems behind the last block.
            if self._file.control_at and not text.strip(" \r\x1a"):
                continue
            self._number += 1
            record = self._filled_up(text)
            if len(record) != RECORD_WIDTH:
                self._fault(record[:1], "Record", 1, RECORD_WIDTH, f"{len(record)} characters instead of 94")
                if record[:1] != "7" and (found := self._close_entry()) is not None:
                    yield found
                self._spoil()
                continue
            if self._file.control_at and record[:1] != "9":
                self._fault(record[:1], "Record Type Code", 1, 1, f"{record[:1]!r} after the file control")
                continue
            if record[:1] != "7" and (found := self._close_entry()) is not None:
                yield found
            self._take(record)
        if (found := self._close_entry()) is not None:
            yield found
        self._end()

    def _filled_up(self, record: str) -> str:
        """A file header or control whose last columns, all blanks, were stripped on the way."""
        if len(record) >= RECORD_WIDTH or record[:1] not in {"1", "9"} or self._file.control_at:
            return record
        reason = f"{len(record)} characters instead of 94: read as if blanks followed"
        self._log.add(Fault(self._number, record[:1], "Record", len(record) + 1, RECORD_WIDTH, reason, minor=True))
        return record.ljust(RECORD_WIDTH)

    @property
    def verdict(self) -> Verdict:
        """Known when every entry was taken."""
        if not self._done:
            raise RuntimeError("the file is not read to its end")
        log = self._log
        return Verdict(
            valid=log.count == 0,
            first_fault=log.first,
            first_of_file=log.first_of_file,
            of_entries=log.of_entries,
            fault_count=log.count,
            faults=tuple(log.in_order),
            header=self.header,
            batches=self._file.batches,
            records=self._number,
            sums=self._file.sums,
            line_end=self._records.line_end,
        )

    def _take(self, record: str) -> None:
        match record[:1]:
            case "7":
                self._addendum(record)
            case "6":
                self._open_entry(record)
            case "5":
                self._open_batch(record)
            case "8":
                self._close_batch(record)
            case "1":
                self._file_header(record)
            case "9":
                self._nine(record)
            case other:
                self._fault(other, "Record Type Code", 1, 1, f"{other!r} where 1, 5, 6, 7, 8 or 9 is expected")

    def _file_header(self, record: str) -> None:
        if self._number != 1:
            self._fault("1", "Record Type Code", 1, 1, "a second file header")
            return
        self._file.header_seen = True
        values = RECEIVED_FILE_HEADER.read(record)
        if values is None:
            log_misfits(self._log, RECEIVED_FILE_HEADER, 1, record)
            return
        destination, origin, day, at, modifier, destination_name, origin_name, reference = (v or "" for v in values)
        self.header = FileHeader(
            destination=destination.lstrip(" "),
            origin=origin.lstrip(" "),
            created_on=day_of(day),
            created_at=at.strip(" "),
            id_modifier=modifier,
            destination_name=destination_name.rstrip(" "),
            origin_name=origin_name.rstrip(" "),
            reference=reference.rstrip(" "),
        )
        if destination.startswith(" ") and not is_routing_number(self.header.destination):
            log_fault(
                self._log, RECEIVED_FILE_HEADER, 1, "Immediate Destination", "its check digit is not that of the others"
            )

    def _open_batch(self, record: str) -> None:
        self._need_file_header()
        if self._batch is not None:
            self._fault("5", "Record Type Code", 1, 1, "the batch before it has no control record")
            self._end_batch(self._batch)
        self._batch = batch = BatchProgress(self._number, record[50:53])
        if not batch.is_read:
            self._open_other(batch, record)
            return
        values = BATCH_HEADER.read(record)
        if values is None:
            log_misfits(self._log, BATCH_HEADER, self._number, record)
            return
        batch.header = header = _batch_header(tuple(value or "" for value in values))
        for field, reason in header_findings(header):
            if field == "Effective Entry Date":
                batch.forward_only.append((field, reason))
            else:
                log_fault(self._log, BATCH_HEADER, self._number, field, reason)
        if header.number <= self._file.batch_number:
            reason = f"{header.number} after {self._file.batch_number}: batch numbers ascend"
            batch.forward_only.append(("Batch Number", reason))
        self._file.batch_number = header.number

    def _open_other(self, batch: BatchProgress, record: str) -> None:
        """A batch of a class that is not read: its sums are proven, so that those of the file are."""
        values = OTHER_BATCH_HEADER.read(record)
        if values is None:
            log_misfits(self._log, OTHER_BATCH_HEADER, self._number, record)
            return
        service, _, company_id, entry_class, _, odfi, number = (value or "" for value in values)
        batch.header = BatchHeader(
            ServiceClass(int(service)), "", company_id.rstrip(" "), entry_class, "", "", odfi, int(number)
        )
        self._file.batch_number = max(self._file.batch_number, int(number))

    def _count_other(self, batch: BatchProgress, record: str) -> None:
        values = OTHER_ENTRY.read(record)
        if values is None:
            log_misfits(self._log, OTHER_ENTRY, self._number, record)
            batch.spoiled = True
            return
        code, rdfi, digit, _, amount, *_, trace = (value or "" for value in values)
        transaction = TRANSACTIONS.get(int(code))
        if transaction is None:
            log_fault(self._log, OTHER_ENTRY, self._number, "Transaction Code", f"{code} is no transaction code")
            batch.spoiled = True
            return
        entry = Entry(transaction.code, rdfi + digit, "", int(amount), "", trace=trace)
        batch.sums.add(entry, is_credit=transaction.is_credit)

    def _open_entry(self, record: str) -> None:
        if self._batch is None:
            self._fault("6", "Record Type Code", 1, 1, "an entry outside of a batch")
            return
        self._batch.records += 1
        self._batch.entries += 1
        if not self._batch.is_read:
            self._count_other(self._batch, record)
            return
        self._entry = EntryAssembly(self._number, record, self._batch.entry_class, self._log)

    def _addendum(self, record: str) -> None:
        if self._batch is not None:
            self._batch.records += 1
        if self._entry is not None:
            self._entry.take(self._number, record)
        elif self._batch is None or (self._batch.is_read and not self._batch.spoiled):
            self._fault("7", "Record Type Code", 1, 1, "addenda without an entry")

    def _close_entry(self) -> Found | None:
        """What ends an entry is whatever is not one of its addenda."""
        reading, batch, self._entry = self._entry, self._batch, None
        if reading is None or batch is None:
            return None
        if batch.header is None:
            batch.spoiled = True
            return None
        entry = reading.close(batch.header)
        if entry is None or (transaction := TRANSACTIONS.get(entry.transaction_code)) is None:
            batch.spoiled = True
            return None
        layout = ENTRIES[batch.entry_class]
        if entry.trace <= batch.last_trace:
            reason = f"{entry.trace} after {batch.last_trace}: traces ascend within a batch"
            log_fault(self._log, layout, reading.number, "Trace Number", reason)
        batch.last_trace = entry.trace
        comes_back = transaction.kind is Kind.RETURN
        if batch.comes_back not in {None, comes_back}:
            reason = "returned and forward entries do not share a batch"
            log_fault(self._log, layout, reading.number, "Transaction Code", reason)
        batch.comes_back = comes_back
        batch.sums.add(entry, is_credit=transaction.is_credit)
        return Found(reading.number, batch.header, entry)

    def _close_batch(self, record: str) -> None:
        if self._batch is None:
            self._fault("8", "Record Type Code", 1, 1, "a batch control without a batch")
            return
        batch_control(self._log, self._number, record, self._batch)
        self._end_batch(self._batch)
        self._batch = None

    def _end_batch(self, batch: BatchProgress) -> None:
        if not batch.is_read and batch.header is not None:
            cents = batch.sums.debit_cents + batch.sums.credit_cents
            reason = f"{batch.entry_class} is not among {', '.join(ENTRIES)}: {batch.entries} entries, {cents} cents"
            field = "Standard Entry Class Code"
            log_fault(self._log, OTHER_BATCH_HEADER, batch.number, field, reason, entry=batch.number)
        # Returns come from many banks, each with its own batch numbers, and settle when they settle.
        if not batch.comes_back:
            for field, reason in batch.forward_only:
                log_fault(self._log, BATCH_HEADER, batch.number, field, reason)
        self._file.take(batch)

    def _nine(self, record: str) -> None:
        if self._file.control_at:
            if record != FILLER:
                self._fault("9", "Filler", 1, RECORD_WIDTH, "a block is filled with records of nines")
            elif (self._number - 1) % BLOCKING_FACTOR == 0:
                self._fault("9", "Filler", 1, RECORD_WIDTH, "a block of nothing but filler")
            return
        if record == FILLER:
            self._fault("9", "Record Type Code", 1, 1, "filler where the file control belongs")
            return
        self._need_file_header()
        if self._batch is not None:
            self._fault("9", "Record Type Code", 1, 1, "the last batch has no control record")
            self._end_batch(self._batch)
            self._batch = None
        self._file.control_at = self._number
        self._file.control = FILE_CONTROL.read(record)
        if self._file.control is None:
            log_misfits(self._log, FILE_CONTROL, self._number, record)

    def _end(self) -> None:
        after = self._number + 1
        if self._number == 0:
            self._number_fault(1, "1", "the file is empty")
        elif not self._file.control_at:
            self._number_fault(after, "9", "the file ends without a file control: it may be cut off")
        else:
            if self._number % BLOCKING_FACTOR:
                missing = BLOCKING_FACTOR - self._number % BLOCKING_FACTOR
                reason = f"{missing} records of nines are missing to fill the last block"
                self._log.add(Fault(after, "9", "Filler", 1, RECORD_WIDTH, reason))
            file_control(self._log, self._number, self._file)
        self._done = True

    def _need_file_header(self) -> None:
        if not self._file.header_seen:
            self._file.header_seen = True
            self._number_fault(1, "1", "a file begins with its file header")

    def _spoil(self) -> None:
        """A record that cannot be read is missing from sums that therefore are not compared."""
        self._file.spoiled = True
        self._file.header_seen = True
        if self._entry is not None:
            self._entry.taken += 1
        if self._batch is not None:
            self._batch.spoiled = True
            self._batch.records += 1

    def _fault(self, record_type: str, field: str, first: int, last: int, reason: str) -> None:
        self._log.add(Fault(self._number, record_type, field, first, last, reason))

    def _number_fault(self, number: int, record_type: str, reason: str) -> None:
        self._log.add(Fault(number, record_type, "Record Type Code", 1, 1, reason))


def _batch_header(values: tuple[str, ...]) -> BatchHeader:
    service, company, free, company_id, entry_class, description, described, effective, *rest = values
    settled, status, odfi, number = rest
    return BatchHeader(
        service_class=ServiceClass(int(service)),
        company_name=company.rstrip(" "),
        company_id=company_id.rstrip(" "),
        entry_class=entry_class,
        description=description.rstrip(" "),
        effective=effective.strip(" "),
        odfi=odfi,
        number=int(number),
        discretionary=free.rstrip(" "),
        descriptive_date=described.rstrip(" "),
        settlement_day=settled.strip(" "),
        originator_status=status,
    )
