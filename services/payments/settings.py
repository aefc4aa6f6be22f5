"""The environment of the payments process."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from kit.settings import ProcessSettings

Columns = Annotated[str, Field(pattern=r"^[\x21-\x7e]([\x20-\x7e]{0,68}[\x21-\x7e])?$")]


class PaymentsSettings(ProcessSettings):
    """What only payments needs: how the finance system books, and how often clocks and folders are looked at."""

    payments_connections_max: Annotated[int, Field(ge=2, le=200)] = 16
    business_unit: Annotated[str, Field(pattern=r"^[A-Z0-9]{5}$")] = "DEV01"
    """The agency's business unit in the state's finance system."""
    payment_account: Annotated[str, Field(pattern=r"^[A-Z0-9][A-Z0-9.-]{0,29}$")] = "5ZE0-195553-IMAP"
    """The account coding of every payment, as the finance system wants it."""
    payment_message: Columns = "Micro-credential reimbursement"
    bank_accounts: Annotated[str, Field(pattern=r"^[\x21-\x2b\x2d-\x7e]{1,64}(,[\x21-\x2b\x2d-\x7e]{1,64}){0,63}$")] = (
        "042000314/*2468,042000314/*8642"
    )
    """The accounts the program pays from, with commas between: the bank as its statements name it, `/*`, the last four
    characters. Statements of other accounts are held."""
    holds_sweep_seconds: Annotated[float, Field(gt=0, le=3600)] = 1.0
    """How often holds past their expiry are looked for."""
    exchange_scan_seconds: Annotated[float, Field(gt=0, le=3600)] = 0.5
    """How often the folder shared with the finance system is looked at."""
    payee_cooling_off_days: Annotated[int, Field(ge=1, le=90)] = 10
    """How long a payee's new account waits after its approval before anything is paid to it."""
    payment_voucher_layout: Path | None = None
    """TOML: the columns of the payment-voucher file; `CAIRNPV1` if left out."""
    ach_originator: Path | None = None
    """TOML: who sends ACH files to which bank. Left out: the local stack has a made-up sender, others pay no ACH."""
    ach_zone: Annotated[str, Field(pattern=r"^[A-Za-z_]+(/[A-Za-z_]+)*$")] = "America/New_York"
    """The bank's time zone: file creation dates and the cutoff are read on its clock."""
    ach_cutoff_hour: Annotated[int, Field(ge=0, le=23)] = 17
    """A file approved from this hour on settles one banking day later."""

    @property
    def our_accounts(self) -> frozenset[str]:
        return frozenset(self.bank_accounts.split(","))

    exam_vouchers_sweep_seconds: Annotated[float, Field(gt=0, le=3600)] = 10.0
    """How often exam vouchers that ran out are looked for, and the stock is looked over."""
    exam_stock_codes_min: Annotated[int, Field(ge=0, le=1_000_000)] = 10
    """Staff are told when an exam has fewer codes that stay usable long enough."""
    exam_stock_supply_days_min: Annotated[int, Field(ge=0, le=732)] = 30
    """Staff are told when an exam's codes last fewer days at the pace of the last thirty."""
    exam_stock_usable_days: Annotated[int, Field(ge=0, le=732)] = 90
    """How long a code must stay usable to count as stock; the longest `usable_for` of the packs."""
    exam_stock_risk_days: Annotated[int, Field(ge=1, le=732)] = 180
    """Codes that will expire unused within so many days are told as value at risk."""
