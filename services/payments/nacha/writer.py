# pyright: strict
"""Writing an ACH file record by record: counts, hash, totals, traces, sequences and filler come by themselves."""

from collections.abc import Iterable, Iterator

from services.payments.nacha.changes import REFUSALS
from services.payments.nacha.checks import Finding, addendum_findings, entry_findings, header_findings
from services.payments.nacha.model import (
    Addendum,
    BatchHeader,
    ChangeAddendum,
    Dispute,
    Entry,
    FileHeader,
    ReturnAddendum,
    Sums,
    day_text,
)
from services.payments.nacha.records import (
    ADDENDA_05,
    ADDENDA_98,
    ADDENDA_98_REFUSED,
    ADDENDA_99,
    ADDENDA_99_CONTESTED,
    ADDENDA_99_DISHONORED,
    BATCH_CONTROL,
    BATCH_HEADER,
    BLOCKING_FACTOR,
    COUNTED,
    ENTRIES,
    FILE_CONTROL,
    FILE_HEADER,
    FILLER,
)
from services.payments.nacha.returns import DISHONORED
from services.payments.nacha.transactions import TRANSACTIONS

SEQUENCE_MAX = 9_999_999
Batches = Iterable[tuple[BatchHeader, Iterable[Entry]]]


class NotWritten(ValueError):
    """What was given breaks a rule: `place` says where, `field` which one, `reason` why."""

    def __init__(self, place: str, field: str, reason: str) -> None:
        super().__init__(f"{place}, {field}: {reason}")
        self.place = place
        self.field = field
        self.reason = reason


class FileWriter:
    """One file. Batches and entries are taken as they come and not kept; read the sums when all is written."""

    def __init__(self, header: FileHeader, *, line_end: str = "\n", first_sequence: int = 1) -> None:
        self.header = header
        self.sums = Sums()
        self.batches = 0
        self.records = 0
        self.first_trace = ""
        self.last_trace = ""
        self._line_end = line_end
        self._sequence = first_sequence - 1
        self._batch_number = 0

    @property
    def blocks(self) -> int:
        return -(-self.records // BLOCKING_FACTOR)

    def write(self, batches: Batches) -> Iterator[bytes]:
        """The file's records with their line ends; `NotWritten` or `RecordMisfit` where something breaks a rule.

        What was yielded before an error is no file: a caller puts nothing in place before the last record came.
        """
        head = self.header
        yield self._line(
            FILE_HEADER.write(
                f" {head.destination}",
                head.origin.rjust(10),
                day_text(head.created_on),
                head.created_at,
                head.id_modifier,
                head.destination_name,
                head.origin_name,
                head.reference,
            )
        )
        for batch, entries in batches:
            yield from self._batch(batch, entries)
        if self.batches == 0:
            raise NotWritten("file", "Batch Count", "a file holds at least one batch")
        sums = self.sums
        self.records += 1
        control = FILE_CONTROL.write(
            self.batches, self.blocks, sums.records, sums.entry_hash, sums.debit_cents, sums.credit_cents
        )
        self.records -= 1
        yield self._line(control)
        while self.records % BLOCKING_FACTOR:
            yield self._line(FILLER)

    def _batch(self, header: BatchHeader, entries: Iterable[Entry]) -> Iterator[bytes]:
        place, record = f"batch {header.number}", _batch_record(header)
        _refuse(place, header_findings(header))
        if header.number <= self._batch_number:
            raise NotWritten(place, "Batch Number", f"comes after {self._batch_number} and is not greater")
        self._batch_number = header.number
        self.batches += 1
        yield self._line(record)
        sums, last_trace = Sums(), ""
        for entry in entries:
            trace = self._trace(header, entry)
            place = f"entry {self.sums.entries + 1}, trace {trace}"
            if trace <= last_trace:
                raise NotWritten(place, "Trace Number", f"comes after {last_trace} and is not greater")
            last_trace = trace
            record = _entry_record(header, entry, trace)
            _refuse(place, entry_findings(header, entry))
            yield self._line(record)
            for number, addendum in enumerate(entry.addenda, 1):
                _refuse(place, addendum_findings(addendum))
                yield self._line(_addenda_record(addendum, number, trace))
            is_credit = TRANSACTIONS[entry.transaction_code].is_credit
            sums.add(entry, is_credit=is_credit)
            self.sums.add(entry, is_credit=is_credit)
        if not sums.entries:
            raise NotWritten(place, "Entry/Addenda Count", "a batch holds at least one entry")
        yield self._line(
            BATCH_CONTROL.write(
                str(int(header.service_class)),
                sums.records,
                sums.entry_hash,
                sums.debit_cents,
                sums.credit_cents,
                header.company_id,
                "",
                header.odfi,
                header.number,
            )
        )

    def _trace(self, header: BatchHeader, entry: Entry) -> str:
        trace = entry.trace
        if not trace:
            self._sequence += 1
            if self._sequence > SEQUENCE_MAX:
                raise NotWritten(f"batch {header.number}", "Trace Number", "more than 9,999,999 entries")
            trace = f"{header.odfi}{self._sequence:07d}"
        self.first_trace = self.first_trace or trace
        self.last_trace = trace
        return trace

    def _line(self, record: str) -> bytes:
        self.records += 1
        return (record + self._line_end).encode("ascii")


def file_bytes(header: FileHeader, batches: Batches, *, line_end: str = "\n") -> bytes:
    """A whole file at once: for files that fit in memory."""
    return b"".join(FileWriter(header, line_end=line_end).write(batches))


def _batch_record(header: BatchHeader) -> str:
    return BATCH_HEADER.write(
        str(int(header.service_class)),
        header.company_name,
        header.discretionary,
        header.company_id,
        header.entry_class,
        header.description,
        header.descriptive_date,
        header.effective,
        header.settlement_day,
        header.originator_status,
        header.odfi,
        header.number,
    )


def _entry_record(header: BatchHeader, entry: Entry, trace: str) -> str:
    leading = (
        f"{entry.transaction_code:02d}",
        entry.routing_number[:8],
        entry.routing_number[8:],
        entry.account_number,
        entry.amount_cents,
        entry.identification,
    )
    trailing = (entry.name, entry.discretionary, "1" if entry.addenda else "0", trace)
    count = (len(entry.addenda),) if header.entry_class in COUNTED else ()
    return ENTRIES[header.entry_class].write(*leading, *count, *trailing)


def _addenda_record(addendum: Addendum, number: int, trace: str) -> str:
    match addendum:
        case ReturnAddendum():
            if addendum.dispute is not None:
                return _disputed_record(addendum, addendum.dispute, trace)
            told = (addendum.died, addendum.original_rdfi, addendum.information)
            return ADDENDA_99.write(addendum.code, addendum.original_trace, *told, trace)
        case ChangeAddendum():
            told = (addendum.code, addendum.original_trace, addendum.original_rdfi, addendum.corrected_data)
            if addendum.code in REFUSALS:
                return ADDENDA_98_REFUSED.write(*told, addendum.refused_code, addendum.refused_sequence, trace)
            return ADDENDA_98.write(*told, trace)
        case _:
            return ADDENDA_05.write(addendum, number, trace[8:])


def _disputed_record(addendum: ReturnAddendum, about: Dispute, trace: str) -> str:
    code, original, rdfi = addendum.code, addendum.original_trace, addendum.original_rdfi
    returned = (about.return_trace, about.return_settled, about.return_code)
    if code in DISHONORED:
        return ADDENDA_99_DISHONORED.write(code, original, rdfi, *returned, addendum.information, trace)
    dishonored = (about.dishonored_trace, about.dishonored_settled, about.dishonored_code)
    days = (about.original_returned, rdfi, about.original_settled)
    return ADDENDA_99_CONTESTED.write(code, original, *days, *returned, *dishonored, trace)


def _refuse(place: str, findings: list[Finding]) -> None:
    for field, reason in findings:
        raise NotWritten(place, field, reason)
