# pyright: strict
"""From payments to batches: which entry each becomes, and where one batch ends and the next begins."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime
from itertools import groupby

from services.payments.nacha.banking_days import is_banking_day
from services.payments.nacha.model import CENTURY, BatchHeader, Entry, FileHeader, day_text
from services.payments.nacha.originator import Originator
from services.payments.nacha.payments import Payment
from services.payments.nacha.segments import Remittance, in_addenda, invoice_segment, remittance_820
from services.payments.nacha.transactions import LIVE, PRENOTE, REVERSAL, REVERSAL_DESCRIPTION, EntryClass, ServiceClass
from services.payments.nacha.writer import Batches

BATCH_RECORDS_MAX = 999_999
"""What the six digits of a batch control can say; the file's own totals bound the money."""


class PlanRefused(ValueError):
    """The file cannot be planned as asked."""


@dataclass(frozen=True, slots=True)
class FilePlan:
    """What the payments of a file, or of one entry class in it, have in common. `made_at` is the sender's local time.

    `first_position` and `first_batch` go on where another class's batches in the same file ended.
    """

    originator: Originator
    entry_class: EntryClass
    made_at: datetime
    effective_on: date
    id_modifier: str = "A"
    first_position: int = 1
    first_batch: int = 1

    def __post_init__(self) -> None:
        if self.effective_on < self.made_at.date():
            raise PlanRefused(f"{self.effective_on} is before the day the file is made, {self.made_at.date()}")
        if self.effective_on.year >= CENTURY + 100:
            raise PlanRefused(f"{self.effective_on} cannot be written: a file's days end with {CENTURY + 99}")
        if not is_banking_day(self.effective_on):
            raise PlanRefused(f"{self.effective_on} is no banking day: nothing settles then")

    @property
    def header(self) -> FileHeader:
        sender = self.originator
        return FileHeader(
            destination=sender.odfi_routing,
            origin=sender.origin,
            created_on=self.made_at.date(),
            created_at=f"{self.made_at:%H%M}",
            id_modifier=self.id_modifier,
            destination_name=sender.odfi_name.upper(),
            origin_name=sender.origin_name.upper(),
            reference=sender.reference,
        )

    def batches(self, payments: Iterable[Payment]) -> Batches:
        """Payments in the order given; reversals have batches of their own, and a full batch is followed by another."""
        numbered = self._numbered(payments)
        for (number, is_reversal), entries in groupby(numbered, key=lambda one: (one[0], one[1])):
            yield self._batch(number, is_reversal=is_reversal), (entry for _, _, entry in entries)

    def _numbered(self, payments: Iterable[Payment]) -> Iterator[tuple[int, bool, Entry]]:
        number, records, was_reversal = self.first_batch, 0, None
        for position, payment in enumerate(payments, self.first_position):
            entry, is_reversal = self.entry(payment, position), payment.kind == "reversal"
            size = 1 + len(entry.addenda)
            full = records + size > BATCH_RECORDS_MAX
            if was_reversal is not None and (full or is_reversal is not was_reversal):
                number, records = number + 1, 0
            records, was_reversal = records + size, is_reversal
            yield number, is_reversal, entry

    def _batch(self, number: int, *, is_reversal: bool) -> BatchHeader:
        sender = self.originator
        forward = BatchHeader(
            service_class=ServiceClass.CREDITS,
            company_name=sender.company_name.upper(),
            company_id=sender.company_id,
            entry_class=self.entry_class,
            description=sender.description.upper(),
            effective=day_text(self.effective_on),
            odfi=sender.odfi_routing[:8],
            number=number,
            discretionary=sender.discretionary,
        )
        if not is_reversal:
            return forward
        return replace(forward, service_class=ServiceClass.DEBITS, description=REVERSAL_DESCRIPTION)

    def entry(self, payment: Payment, position: int) -> Entry:
        """The entry a payment becomes; `position` counts payments from 1 and numbers an 820's interchange."""
        codes = {"payment": LIVE, "prenote": PRENOTE, "reversal": REVERSAL}[payment.kind]
        return Entry(
            transaction_code=codes[payment.account_type],
            routing_number=payment.routing_number,
            account_number=payment.account_number,
            amount_cents=payment.amount_cents,
            name=payment.payee_name.upper(),
            identification=payment.identification,
            addenda=self._addenda(payment, position),
        )

    def _addenda(self, payment: Payment, position: int) -> tuple[str, ...]:
        if not payment.invoices:
            return ()
        if self.entry_class is not EntryClass.CTX:
            return (invoice_segment(payment.invoices[0]),)
        sender = self.originator
        about = Remittance(
            payer_name=_without_delimiters(sender.company_name),
            payer_id=sender.company_id,
            payee_name=_without_delimiters(payment.payee_name),
            reference=f"{sender.odfi_routing[:8]}{position:07d}",
            made_at=self.made_at,
            effective=day_text(self.effective_on),
            control=position,
        )
        return in_addenda(remittance_820(about, payment.invoices))


def _without_delimiters(name: str) -> str:
    """A name whose stars or backslashes would end an element of the 820 early."""
    return name.translate(str.maketrans("*\\>~^:", "      ")).strip() or "-"
