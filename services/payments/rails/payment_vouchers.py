"""The payment-voucher rail: the state's finance system pays; its columns are data."""

from dataclasses import dataclass, field

from contracts.money import dollars
from services.payments.payees.payees import Rail
from services.payments.rails import FileEntry, FileOrder, RailFile
from services.payments.remittance import VOUCHER_SUFFIX, PaymentVoucher, VoucherFile, write_vouchers
from services.payments.remittance.interface import STANDARD, Interface


@dataclass(frozen=True, slots=True)
class VoucherRail:
    """How the finance system books the program's payments, and how it wants to read them."""

    business_unit: str
    account: str
    message: str
    interface: Interface = field(default=STANDARD)

    @property
    def rail(self) -> Rail:
        return Rail.PAYMENT_VOUCHER

    def file(self, order: FileOrder) -> RailFile:
        payments = sorted(order.payments, key=lambda one: (one.due_on, one.disbursement_id))
        file = VoucherFile(
            batch_id=order.batch_id,
            made_at=order.made_at,
            business_unit=self.business_unit,
            payments=tuple(
                PaymentVoucher(
                    supplier_number=one.supplier_number,
                    invoice_number=one.invoice_number,
                    invoice_on=one.invoice_on,
                    amount_cents=one.amount_cents,
                    account=self.account,
                    application_id=one.application_id,
                    disbursement_id=one.disbursement_id,
                    message=self.message,
                    due_on=one.due_on,
                    location=one.location,
                )
                for one in payments
            ),
        )
        return RailFile(
            name=f"{order.batch_id}{VOUCHER_SUFFIX}",
            content=write_vouchers(file, self.interface),
            entries=tuple(FileEntry(one.disbursement_id, None, one.amount_cents) for one in payments),
            totals=(
                ("Rail", "payment-voucher interface"),
                ("Layout", self.interface.name),
                ("Business unit", self.business_unit),
                ("Payments", str(len(payments))),
                ("Total", dollars(file.total_cents)),
                ("Supplier numbers, mod 10^10", f"{file.supplier_hash:010d}"),
            ),
        )
