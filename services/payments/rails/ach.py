"""The ACH rail: our bank pays on our file. One file a batch; in it one ACH batch for each entry class.

Source: Nacha Operating Rules, Appendix Three; effective entry dates by the Federal Reserve's banking days.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

from contracts.money import dollars
from services.payments.nacha import EntryClass, FilePlan, FileWriter, Invoice, Originator, Payment
from services.payments.nacha.banking_days import after, is_banking_day
from services.payments.nacha.segments import INVOICE_LENGTH_MAX
from services.payments.nacha.writer import Batches
from services.payments.payees.account_numbers import AccountNumbers
from services.payments.payees.payees import Account, Rail
from services.payments.rails import FileEntry, FileOrder, OrderedPayment, OrderedPrenote, RailFile

ACH_SUFFIX = ".ach"
ID_MODIFIERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
FILE_CENTS_MAX = 10**12 - 1
"""What the twelve digits of a file control can total."""
IDENTIFICATION_LENGTH_MAX = 15
# What would end an element of the remittance early stands as a hyphen.
_DELIMITERS = str.maketrans("*\\>~^:", "------")
Ordered = OrderedPayment | OrderedPrenote


@dataclass(frozen=True, slots=True)
class AchRail:
    """Who sends, from where its clock is read, until when a file still settles on the next banking day."""

    originator: Originator
    numbers: AccountNumbers
    zone: ZoneInfo
    cutoff: time = time(17, 0)

    @property
    def rail(self) -> Rail:
        return Rail.ACH

    @property
    def odfi(self) -> str:
        """The originating bank's eight digits, with which every trace begins."""
        return self.originator.odfi_routing[:8]

    def settles_on(self, now: datetime) -> date:
        """The effective entry date of a file approved now: the next banking day, after the cutoff one more."""
        local = now.astimezone(self.zone)
        in_time = is_banking_day(local.date()) and local.time() < self.cutoff
        return after(local.date(), 1 if in_time else 2)

    def created_on(self, now: datetime) -> date:
        """The file creation date, by which file id modifiers are counted."""
        return now.astimezone(self.zone).date()

    def file(self, order: FileOrder) -> RailFile:
        assert order.effective_on is not None
        assert order.approved_at is not None
        made_at = order.approved_at.astimezone(self.zone)
        ordered = _by_class(order)
        plans = FilePlan(self.originator, EntryClass.CCD, made_at, order.effective_on, order.id_modifier)
        writer = FileWriter(plans.header, first_sequence=order.first_sequence)
        content = b"".join(writer.write(self._batches(order, ordered, made_at)))
        return RailFile(
            name=f"{order.batch_id}{ACH_SUFFIX}",
            content=content,
            entries=tuple(self._entries(order, ordered, made_at)),
            totals=(
                ("Rail", "ACH"),
                ("File ID", f"{plans.header.created_on:%y%m%d}{order.id_modifier}"),
                ("Immediate destination", self.originator.odfi_routing),
                ("Immediate origin", self.originator.origin),
                ("Company identification", self.originator.company_id),
                ("Effective entry date", order.effective_on.isoformat()),
                ("Batches", str(writer.batches)),
                ("Entries", str(writer.sums.entries)),
                ("of which prenotes", str(len(order.prenotes))),
                ("Entries and addenda", str(writer.sums.records)),
                ("Entry hash", f"{writer.sums.entry_hash:010d}"),
                ("Credits", dollars(writer.sums.credit_cents)),
                ("Debits", dollars(writer.sums.debit_cents)),
                ("Traces", f"{writer.first_trace} to {writer.last_trace}"),
            ),
        )

    def _batches(self, order: FileOrder, ordered: list[tuple[str, list[Ordered]]], made_at: datetime) -> Batches:
        assert order.effective_on is not None
        position = order.first_sequence
        for number, (entry_class, items) in enumerate(ordered, 1):
            plan = FilePlan(
                self.originator,
                EntryClass(entry_class),
                made_at,
                order.effective_on,
                order.id_modifier,
                position,
                number,
            )
            for header, entries in plan.batches(self._payment(item) for item in items):
                yield replace(header, discretionary=self._discretionary(order, made_at, number)), entries
            position += len(items)

    def _discretionary(self, order: FileOrder, made_at: datetime, number: int) -> str:
        """What the bank agreed to read there, else what the batch is called: a statement may give it back."""
        return self.originator.discretionary or f"CRN{made_at:%y%m%d}{order.id_modifier}{number:07d}"

    def _payment(self, item: Ordered) -> Payment:
        account = item.account
        assert account is not None
        number = self.numbers.open(account.account_id, account.sealed_number)
        if isinstance(item, OrderedPrenote):
            return _of(account, number, item.supplier_number, item.entry_class, 0, (), "prenote")
        invoice = Invoice(item.invoice_number.translate(_DELIMITERS)[:INVOICE_LENGTH_MAX], item.amount_cents)
        return _of(account, number, item.supplier_number, item.entry_class, item.amount_cents, (invoice,), "payment")

    def _entries(
        self, order: FileOrder, ordered: list[tuple[str, list[Ordered]]], made_at: datetime
    ) -> Iterator[FileEntry]:
        numbered = [(number, item) for number, (_, items) in enumerate(ordered, 1) for item in items]
        for sequence, (number, item) in enumerate(numbered, order.first_sequence):
            assert item.account is not None
            is_payment = isinstance(item, OrderedPayment)
            yield FileEntry(
                disbursement_id=item.disbursement_id if is_payment else None,
                account_id=item.account.account_id,
                amount_cents=item.amount_cents if is_payment else 0,
                trace=f"{self.odfi}{sequence:07d}",
                company_id=self.originator.company_id,
                effective_on=order.effective_on,
                batch_reference="" if self.originator.discretionary else self._discretionary(order, made_at, number),
            )


def _by_class(order: FileOrder) -> list[tuple[str, list[Ordered]]]:
    """What each entry class holds: payments by due day, then prenotes; classes in the order of their names."""
    payments = sorted(order.payments, key=lambda one: (one.due_on, one.disbursement_id))
    prenotes = sorted(order.prenotes, key=lambda one: one.account.account_id)
    items: list[Ordered] = [*payments, *prenotes]
    classes = sorted({item.entry_class for item in items})
    return [(name, [item for item in items if item.entry_class == name]) for name in classes]


def _of(
    account: Account, number: str, supplier: str, entry_class: str, cents: int, invoices: tuple[Invoice, ...], kind: str
) -> Payment:
    name_max = 16 if entry_class == EntryClass.CTX else 22
    return Payment(
        payee_name=account.holder_name[:name_max].strip().upper(),
        routing_number=account.routing_number,
        account_number=number,
        account_type=account.account_type,
        amount_cents=cents,
        identification=supplier[:IDENTIFICATION_LENGTH_MAX],
        invoices=invoices,
        kind=kind,
    )
