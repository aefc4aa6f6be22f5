# pyright: strict
"""Control records beside what was counted: every sum that disagrees is a fault of its own."""

from dataclasses import dataclass, field

from services.payments.nacha.assembly import log_fault, log_misfits
from services.payments.nacha.faults import FaultLog
from services.payments.nacha.model import BatchHeader, Sums
from services.payments.nacha.records import BATCH_CONTROL, BLOCKING_FACTOR, ENTRIES, FILE_CONTROL


@dataclass(slots=True)
class BatchProgress:
    """A batch being read. `spoiled`: a record of it could not be read, so its sums prove nothing."""

    number: int
    entry_class: str
    header: BatchHeader | None = None
    sums: Sums = field(default_factory=Sums)
    records: int = 0
    entries: int = 0
    last_trace: str = ""
    comes_back: bool | None = None
    spoiled: bool = False
    forward_only: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """Field and fault of the header, that are none where the batch comes back."""

    @property
    def is_read(self) -> bool:
        """Its class is one of those that are read; of another one the sums are proven, and no more."""
        return self.entry_class in ENTRIES


@dataclass(slots=True)
class FileProgress:
    """A file being read."""

    header_seen: bool = False
    batches: int = 0
    batch_number: int = 0
    sums: Sums = field(default_factory=Sums)
    spoiled: bool = False
    control_at: int = 0
    control: tuple[str | None, ...] | None = None

    def take(self, batch: BatchProgress) -> None:
        """Add a batch that ended."""
        self.batches += 1
        self.spoiled = self.spoiled or batch.spoiled
        self.sums.entries += batch.entries
        self.sums.records += batch.records
        self.sums.rdfi_sum += batch.sums.rdfi_sum
        self.sums.debit_cents += batch.sums.debit_cents
        self.sums.credit_cents += batch.sums.credit_cents


def batch_control(log: FaultLog, number: int, record: str, batch: BatchProgress) -> None:
    """Compare a batch's control with its header and its entries."""
    values = BATCH_CONTROL.read(record)
    if values is None:
        log_misfits(log, BATCH_CONTROL, number, record)
        return
    service, count, entry_hash, debit, credit, company_id, _, odfi, batch_number = (value or "" for value in values)
    if batch.header is not None:
        header = batch.header
        for name, found, expected in (
            ("Service Class Code", service, str(int(header.service_class))),
            ("Company Identification", company_id.rstrip(" "), header.company_id),
            ("Originating DFI Identification", odfi, header.odfi),
            ("Batch Number", batch_number, f"{header.number:07d}"),
        ):
            if found != expected:
                log_fault(log, BATCH_CONTROL, number, name, f"{found!r} where the batch header says {expected!r}")
    if batch.entries == 0:
        log_fault(log, BATCH_CONTROL, number, "Entry/Addenda Count", "a batch holds at least one entry")
    compared = [("Entry/Addenda Count", count, batch.records)]
    if not batch.spoiled:
        compared += [
            ("Entry Hash", entry_hash, batch.sums.entry_hash),
            ("Total Debit Entry Dollar Amount", debit, batch.sums.debit_cents),
            ("Total Credit Entry Dollar Amount", credit, batch.sums.credit_cents),
        ]
    for name, found, counted in compared:
        if int(found) != counted:
            log_fault(log, BATCH_CONTROL, number, name, f"{int(found)} where the batch's entries make {counted}")


def file_control(log: FaultLog, records: int, file: FileProgress) -> None:
    """Compare the file's control with everything that was read; `records` includes the filler."""
    if file.control is None:
        return
    batches, blocks, count, entry_hash, debit, credit = (value or "" for value in file.control)
    compared = [
        ("Batch Count", batches, file.batches),
        ("Block Count", blocks, -(-records // BLOCKING_FACTOR)),
    ]
    if not file.spoiled:
        compared += [
            ("Entry/Addenda Count", count, file.sums.records),
            ("Entry Hash", entry_hash, file.sums.entry_hash),
            ("Total Debit Entry Dollar Amount in File", debit, file.sums.debit_cents),
            ("Total Credit Entry Dollar Amount in File", credit, file.sums.credit_cents),
        ]
    for name, found, counted in compared:
        if int(found) != counted:
            log_fault(log, FILE_CONTROL, file.control_at, name, f"{int(found)} where the file's batches make {counted}")
    if file.batches == 0:
        log_fault(log, FILE_CONTROL, file.control_at, "Batch Count", "a file holds at least one batch")
