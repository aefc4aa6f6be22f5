"""The rails as this process's environment configures them; a fault in a file of theirs stops the start."""

import tomllib
from datetime import time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from contracts.errors import Refused
from services.payments.nacha import SAMPLE_ORIGINATOR, Originator, originator_from
from services.payments.payees.account_numbers import AccountNumbers
from services.payments.rails.ach import AchRail
from services.payments.rails.installed import Rails
from services.payments.rails.payment_vouchers import VoucherRail
from services.payments.remittance import STANDARD, Interface, interface_from
from services.payments.settings import PaymentsSettings

PAYEE_ACCOUNTS_KEY = "payee_accounts.key"


class RailSettingsFaulty(Refused):
    """{file} cannot be used: {why}."""

    code = "rail_settings_faulty"


def rails_of(settings: PaymentsSettings) -> Rails:
    """The payment-voucher interface, and ACH where a sender is configured (the local stack has a made-up one)."""
    vouchers = VoucherRail(
        settings.business_unit,
        settings.payment_account,
        settings.payment_message,
        STANDARD if settings.payment_voucher_layout is None else layout_from(settings.payment_voucher_layout),
    )
    originator = _originator(settings)
    if originator is None:
        return Rails(vouchers)
    return Rails(
        vouchers, AchRail(originator, numbers_of(settings), _zone(settings.ach_zone), time(settings.ach_cutoff_hour))
    )


def numbers_of(settings: PaymentsSettings) -> AccountNumbers:
    """What opens payees' account numbers."""
    return AccountNumbers(settings.secret(PAYEE_ACCOUNTS_KEY))


def layout_from(path: Path) -> Interface:
    """The columns of a payment-voucher file; `RailSettingsFaulty` names the key."""
    found, faults = interface_from(_toml(path))
    if found is None:
        raise RailSettingsFaulty(file=path.name, why="; ".join(f"{key} {reason}" for key, reason in faults))
    return found


def _originator(settings: PaymentsSettings) -> Originator | None:
    if settings.ach_originator is None:
        return SAMPLE_ORIGINATOR if settings.environment == "local" else None
    found, faults = originator_from(_toml(settings.ach_originator))
    if found is None:
        why = "; ".join(f"{key} {reason}" for key, reason in faults)
        raise RailSettingsFaulty(file=settings.ach_originator.name, why=why)
    return found


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RailSettingsFaulty(file=path.name, why=type(error).__name__) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RailSettingsFaulty(file=path.name, why=f"it is not TOML: {error}") from error


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise RailSettingsFaulty(file="CAIRN_ACH_ZONE", why=f"{name} is no time zone") from error
