# pyright: strict
"""What an ACH file holds: the sender, batches, entries and their addenda, as values without padding."""

from dataclasses import dataclass
from datetime import date

from services.payments.nacha.transactions import ServiceClass

CENTURY = 2000


@dataclass(frozen=True, slots=True)
class FileHeader:
    """Who sends the file to whom; `destination` is a routing number, `origin` one too or ten agreed characters."""

    destination: str
    origin: str
    created_on: date
    created_at: str
    id_modifier: str = "A"
    destination_name: str = ""
    origin_name: str = ""
    reference: str = ""


@dataclass(frozen=True, slots=True)
class BatchHeader:
    """What the entries of a batch have in common. `effective` is YYMMDD, `company_id` 1 and the employer's number."""

    service_class: ServiceClass
    company_name: str
    company_id: str
    entry_class: str
    description: str
    effective: str
    odfi: str
    number: int
    discretionary: str = ""
    descriptive_date: str = ""
    settlement_day: str = ""
    originator_status: str = "1"

    @property
    def effective_on(self) -> date | None:
        """The day on which the originator wants it to settle."""
        return None if not self.effective.strip("0 ") else day_of(self.effective)


@dataclass(frozen=True, slots=True)
class Dispute:
    """What a dishonored or contested return says of the return it is about; codes are two digits, without the R.

    Settlement days are days of the year, `001` to `366`, or empty. Only a contested return speaks of the original
    entry's days and of the dishonored return. Source: Nacha Operating Rules, Appendix Four.
    """

    return_trace: str
    return_code: str
    return_settled: str = ""
    original_returned: str = ""
    original_settled: str = ""
    dishonored_trace: str = ""
    dishonored_code: str = ""
    dishonored_settled: str = ""


@dataclass(frozen=True, slots=True)
class ReturnAddendum:
    """Why an entry came back; `original_rdfi` is the first eight digits of the routing number it was sent to."""

    code: str
    original_trace: str
    original_rdfi: str
    information: str = ""
    died: str = ""
    dispute: Dispute | None = None
    """Of dishonored and contested returns, and of them alone."""

    @property
    def died_on(self) -> date | None:
        return day_of(self.died) if self.died else None


@dataclass(frozen=True, slots=True)
class ChangeAddendum:
    """What the receiving bank wants changed before the next entry; the entry itself was posted.

    With a code from C61 it is a refusal of that: `refused_code` and `refused_sequence` say of which notification.
    """

    code: str
    original_trace: str
    original_rdfi: str
    corrected_data: str
    refused_code: str = ""
    refused_sequence: str = ""


Addendum = str | ReturnAddendum | ChangeAddendum
"""Payment-related information of up to 80 characters, a return, or a notification of change."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry. `routing_number` has nine digits; an empty `trace` is assigned when the file is written."""

    transaction_code: int
    routing_number: str
    account_number: str
    amount_cents: int
    name: str
    identification: str = ""
    addenda: tuple[Addendum, ...] = ()
    discretionary: str = ""
    trace: str = ""

    @property
    def returned(self) -> ReturnAddendum | None:
        return next((one for one in self.addenda if isinstance(one, ReturnAddendum)), None)

    @property
    def change(self) -> ChangeAddendum | None:
        return next((one for one in self.addenda if isinstance(one, ChangeAddendum)), None)

    @property
    def masked_account(self) -> str:
        """The last four characters, when there are more than that."""
        return f"****{self.account_number[-4:]}" if len(self.account_number) > 4 else "****"


@dataclass(slots=True)
class Sums:
    """What a control record says about the entries before it."""

    entries: int = 0
    records: int = 0
    rdfi_sum: int = 0
    debit_cents: int = 0
    credit_cents: int = 0

    @property
    def entry_hash(self) -> int:
        """The receiving banks' eight digits added up, the last ten digits of it."""
        return self.rdfi_sum % 10**10

    def add(self, entry: Entry, *, is_credit: bool) -> None:
        self.entries += 1
        self.records += 1 + len(entry.addenda)
        self.rdfi_sum += int(entry.routing_number[:8])
        if is_credit:
            self.credit_cents += entry.amount_cents
        else:
            self.debit_cents += entry.amount_cents


def day_of(text: str) -> date:
    """YYMMDD as a day of this century."""
    return date(CENTURY + int(text[:2]), int(text[2:4]), int(text[4:]))


def day_text(day: date) -> str:
    """A day of this century as YYMMDD."""
    if not CENTURY <= day.year < CENTURY + 100:
        raise ValueError(f"{day} cannot be written as YYMMDD")
    return f"{day:%y%m%d}"
