# pyright: strict
"""An entry being read: its own record first, then its addenda, then what can only be said when all are there."""

from services.payments.nacha.checks import addendum_findings, entry_findings
from services.payments.nacha.faults import Fault, FaultLog
from services.payments.nacha.fields import Layout
from services.payments.nacha.model import Addendum, BatchHeader, ChangeAddendum, Entry, ReturnAddendum
from services.payments.nacha.records import ADDENDA, COUNTED, ENTRIES
from services.payments.nacha.transactions import TRANSACTIONS, Kind


def log_misfits(log: FaultLog, layout: Layout, number: int, record: str) -> None:
    """Every field of a record that its layout does not allow."""
    for misfit in layout.misfits(record):
        log.add(Fault(number, layout.code, misfit.field, misfit.first_column, misfit.last_column, misfit.reason))


def log_fault(log: FaultLog, layout: Layout, number: int, field: str, reason: str, *, entry: int | None = None) -> None:
    """A fault of the file, or of one entry alone."""
    first, last = layout.columns[field]
    log.add(Fault(number, layout.code, field, first, last, reason, entry))


class EntryAssembly:
    """One entry detail record and the addenda that follow it."""

    __slots__ = ("_addenda", "_entry_class", "_layout", "_log", "_unread", "_values", "number", "taken", "trace")

    def __init__(self, number: int, record: str, entry_class: str, log: FaultLog) -> None:
        self.number = number
        self.taken = 0
        self._log = log
        self._entry_class = entry_class
        self._layout = ENTRIES[entry_class]
        self._addenda: list[Addendum] = []
        # An addenda record that cannot be read is a fault of its own: what depends on its kind is not blamed as well.
        self._unread = False
        values = self._layout.read(record)
        self._values: tuple[str, ...] | None = None if values is None else tuple(value or "" for value in values)
        self.trace = "" if self._values is None else self._values[-1]
        if values is None:
            log_misfits(log, self._layout, number, record)

    def take(self, number: int, record: str) -> None:
        """The next addenda record."""
        self.taken += 1
        layout = ADDENDA.get(record[1:3])
        if layout is None:
            reason = f"{record[1:3]!r} where 05, 98 or 99 is expected"
            self._log.add(Fault(number, "7", "Addenda Type Code", 2, 3, reason))
            self._unread = True
            return
        values = layout.read(record)
        if values is None:
            self._unread = True
            if (expected := self._expected()) != record[1:3]:
                reason = f"{record[1:3]!r} where {expected} is expected"
                self._log.add(Fault(number, "7", "Addenda Type Code", 2, 3, reason))
            else:
                log_misfits(self._log, layout, number, record)
            return
        addendum, traced = self._addendum(layout.fields[1].text, tuple(value or "" for value in values))
        for field, expected, found in traced:
            if expected and found != expected:
                log_fault(self._log, layout, number, field, f"{found} where {expected} belongs")
        for field, reason in addendum_findings(addendum):
            log_fault(self._log, layout, number, field, reason, entry=self.number)
        self._addenda.append(addendum)

    def close(self, header: BatchHeader) -> Entry | None:
        """The entry, its own faults logged; nothing where its record could not be read."""
        if self._values is None:
            return None
        code, rdfi, digit, account, amount, identification, *middle, name, discretionary, indicator, trace = (
            self._values
        )
        entry = Entry(
            transaction_code=int(code),
            routing_number=rdfi + digit,
            account_number=account.rstrip(" "),
            amount_cents=int(amount),
            name=name.rstrip(" "),
            identification=identification.rstrip(" "),
            addenda=tuple(self._addenda),
            discretionary=discretionary.rstrip(" "),
            trace=trace,
        )
        if (indicator == "1") != (self.taken > 0):
            found = "follow" if self.taken else "do not follow"
            self._fault("Addenda Record Indicator", f"{indicator} although addenda {found}")
        if self._entry_class in COUNTED and int(middle[0]) != self.taken:
            self._fault("Number of Addenda Records", f"{middle[0]} although {self.taken} follow")
        for field, reason in entry_findings(header, entry, whole=not self._unread):
            log_fault(self._log, self._layout, self.number, field, reason, entry=self.number)
        return entry

    def _expected(self) -> str:
        """The type of addenda that this entry has, going by its class and its transaction code."""
        if self._entry_class == "COR":
            return "98"
        transaction = None if self._values is None else TRANSACTIONS.get(int(self._values[0]))
        return "99" if transaction is not None and transaction.kind is Kind.RETURN else "05"

    def _fault(self, field: str, reason: str) -> None:
        log_fault(self._log, self._layout, self.number, field, reason)

    def _addendum(self, kind: str, values: tuple[str, ...]) -> tuple[Addendum, tuple[tuple[str, str, str], ...]]:
        """The addendum, and its fields that have to agree with the entry: name, expected, found."""
        if kind == "99":
            code, original, died, rdfi, information, trace = values
            returned = ReturnAddendum(code, original, rdfi, information.rstrip(" "), died.strip(" "))
            return returned, (("Trace Number", self.trace, trace),)
        if kind == "98":
            code, original, rdfi, corrected, trace = values
            return ChangeAddendum(code, original, rdfi, corrected.rstrip(" ")), (("Trace Number", self.trace, trace),)
        information, sequence, entry_sequence = values
        agreeing = (
            ("Addenda Sequence Number", f"{self.taken:04d}", sequence),
            ("Entry Detail Sequence Number", self.trace[8:], entry_sequence),
        )
        return information.rstrip(" "), agreeing
