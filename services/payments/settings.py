"""The environment of the payments process."""

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
    holds_sweep_seconds: Annotated[float, Field(gt=0, le=3600)] = 1.0
    """How often holds past their expiry are looked for."""
    exchange_scan_seconds: Annotated[float, Field(gt=0, le=3600)] = 0.5
    """How often the folder shared with the finance system is looked at."""
