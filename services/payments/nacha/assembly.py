# pyright: strict
"""An entry being read: its own record first, then its addenda, then what can only be said when all are there."""

from collections.abc import Callable

from services.payments.nacha.checks import MINOR, addendum_findings, entry_findings
from services.payments.nacha.faults import Fault, FaultLog
from services.payments.nacha.fields import Layout
from services.payments.nacha.model import Addendum, BatchHeader, ChangeAddendum, Dispute, Entry, ReturnAddendum
from services.payments.nacha.records import (
    ADDENDA_05,
    ADDENDA_98,
    ADDENDA_98_REFUSED,
    ADDENDA_99,
    ADDENDA_99_CONTESTED,
    ADDENDA_99_DISHONORED,
    COUNTED,
    ENTRIES,
    addenda_layout,
)
from services.payments.nacha.transactions import TRANSACTIONS, Kind


def log_misfits(log: FaultLog, layout: Layout, number: int, record: str, *, entry: int | None = None) -> None:
    """Every field of a record that its layout does not allow."""
    for misfit in layout.misfits(record):
        place = (misfit.field, misfit.first_column, misfit.last_column)
        log.add(Fault(number, layout.code, *place, misfit.reason, entry))


def log_fault(
    log: FaultLog,
    layout: Layout,
    number: int,
    field: str,
    reason: str,
    *,
    entry: int | None = None,
    minor: bool = False,
) -> None:
    """A fault of the file, or of one entry alone."""
    first, last = layout.columns[field]
    log.add(Fault(number, layout.code, field, first, last, reason, entry, minor))


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
        layout = addenda_layout(record[1:3], record[3:6])
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
                # No sum depends on an addenda record: what cannot be read there is one entry's.
                log_misfits(self._log, layout, number, record, entry=self.number)
            return
        addendum, traced = self._addendum(layout, tuple((value or "").rstrip(" ") for value in values))
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
            log_fault(self._log, self._layout, self.number, field, reason, entry=self.number, minor=field in MINOR)
        return entry

    def _expected(self) -> str:
        """The type of addenda that this entry has, going by its class and its transaction code."""
        if self._entry_class == "COR":
            return "98"
        transaction = None if self._values is None else TRANSACTIONS.get(int(self._values[0]))
        return "99" if transaction is not None and transaction.kind is Kind.RETURN else "05"

    def _fault(self, field: str, reason: str) -> None:
        log_fault(self._log, self._layout, self.number, field, reason)

    def _addendum(self, layout: Layout, values: tuple[str, ...]) -> tuple[Addendum, tuple[tuple[str, str, str], ...]]:
        """The addendum, and its fields that have to agree with the entry: name, expected, found."""
        if layout is ADDENDA_05:
            information, sequence, entry_sequence = values
            return information, (
                ("Addenda Sequence Number", f"{self.taken:04d}", sequence),
                ("Entry Detail Sequence Number", self.trace[8:], entry_sequence),
            )
        *said, trace = values
        return _ANSWERS[layout.title](*said), (("Trace Number", self.trace, trace),)


def _returned(code: str, original: str, died: str, rdfi: str, information: str) -> ReturnAddendum:
    return ReturnAddendum(code, original, rdfi, information, died.strip(" "))


def _dishonored(
    code: str, original: str, rdfi: str, trace: str, settled: str, reason: str, information: str
) -> ReturnAddendum:
    return ReturnAddendum(code, original, rdfi, information, dispute=Dispute(trace, reason, settled.strip(" ")))


def _contested(code: str, original: str, returned: str, rdfi: str, *said: str) -> ReturnAddendum:
    original_settled, return_trace, return_settled, return_code, trace, settled, reason = (
        one.strip(" ") for one in said
    )
    dispute = Dispute(
        return_trace=return_trace,
        return_code=return_code,
        return_settled=return_settled,
        original_returned=returned.strip(" "),
        original_settled=original_settled,
        dishonored_trace=trace,
        dishonored_code=reason,
        dishonored_settled=settled,
    )
    return ReturnAddendum(code, original, rdfi, dispute=dispute)


_ANSWERS: dict[str, Callable[..., Addendum]] = {
    ADDENDA_98.title: ChangeAddendum,
    ADDENDA_98_REFUSED.title: ChangeAddendum,
    ADDENDA_99.title: _returned,
    ADDENDA_99_DISHONORED.title: _dishonored,
    ADDENDA_99_CONTESTED.title: _contested,
}
