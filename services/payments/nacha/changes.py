# pyright: strict
"""Notifications of change: the codes, and where in the corrected data each correction stands."""

from dataclasses import dataclass

from services.payments.nacha.routing import is_routing_number
from services.payments.nacha.transactions import TRANSACTIONS

CORRECTED_WIDTH = 29
APPLY_WITHIN_BANKING_DAYS = 6
"""The change is made within six banking days, or before the next entry, whichever is later."""


@dataclass(frozen=True, slots=True)
class Correction:
    """What the receiving bank says is right; only what its code speaks of is filled."""

    routing_number: str | None = None
    account_number: str | None = None
    transaction_code: int | None = None
    name: str | None = None
    identification: str | None = None


@dataclass(frozen=True, slots=True)
class ChangeReason:
    """One code of the table; `places` are columns of the corrected data, from 1."""

    code: str
    title: str
    places: tuple[tuple[str, int, int], ...] = ()
    changes_payee: bool = True


_ROUTING = ("routing_number", 1, 9)
_ACCOUNT = ("account_number", 1, 17)

_TABLE = (
    ChangeReason("C01", "incorrect account number", (_ACCOUNT,)),
    ChangeReason("C02", "incorrect routing number", (_ROUTING,)),
    ChangeReason("C03", "incorrect routing and account number", (_ROUTING, ("account_number", 13, 29))),
    ChangeReason("C04", "incorrect name", (("name", 1, 22),)),
    ChangeReason("C05", "incorrect transaction code", (("transaction_code", 1, 2),)),
    ChangeReason("C06", "incorrect account number and transaction code", (_ACCOUNT, ("transaction_code", 21, 22))),
    ChangeReason(
        "C07",
        "incorrect routing number, account number and transaction code",
        (_ROUTING, ("account_number", 10, 26), ("transaction_code", 27, 28)),
    ),
    ChangeReason("C08", "incorrect foreign receiving bank", changes_payee=False),
    ChangeReason("C09", "incorrect identification number", (("identification", 1, 22),)),
    ChangeReason("C10", "incorrect company name", changes_payee=False),
    ChangeReason("C11", "incorrect company identification", changes_payee=False),
    ChangeReason("C12", "incorrect company name and identification", changes_payee=False),
    ChangeReason("C13", "addenda format error", changes_payee=False),
    ChangeReason("C14", "international payment under a domestic class", changes_payee=False),
)

CHANGE_REASONS: dict[str, ChangeReason] = {one.code: one for one in _TABLE}

REFUSALS = {
    "C61": "misrouted notification of change",
    "C62": "incorrect trace number",
    "C63": "incorrect company identification",
    "C64": "incorrect individual identification number",
    "C65": "incorrectly formatted corrected data",
    "C66": "incorrect discretionary data",
    "C67": "routing number not from the original entry",
    "C68": "account number not from the original entry",
    "C69": "incorrect transaction code",
}
"""Why the originating bank refuses a notification of change."""


class CorrectionFaulty(ValueError):
    """The corrected data does not hold what its code promises."""


def correction(code: str, corrected_data: str) -> Correction:
    """What a notification corrects; `CorrectionFaulty` names what is missing or wrong."""
    reason = CHANGE_REASONS[code]
    padded = corrected_data.ljust(CORRECTED_WIDTH)
    found: dict[str, str] = {}
    for what, first, last in reason.places:
        text = padded[first - 1 : last].strip(" ")
        if not text:
            raise CorrectionFaulty(f"{code} needs the {what.replace('_', ' ')} in columns {first}-{last} of it")
        found[what] = text
    routing, transaction = found.get("routing_number"), found.get("transaction_code")
    if routing is not None and not is_routing_number(routing):
        raise CorrectionFaulty(f"{routing!r} is no routing number")
    if transaction is not None and (not transaction.isdecimal() or int(transaction) not in TRANSACTIONS):
        raise CorrectionFaulty(f"{transaction!r} is no transaction code")
    return Correction(
        routing_number=routing,
        account_number=found.get("account_number"),
        transaction_code=None if transaction is None else int(transaction),
        name=found.get("name"),
        identification=found.get("identification"),
    )


def corrected_data(code: str, given: Correction) -> str:
    """The columns in which a bank writes a correction."""
    columns = [" "] * CORRECTED_WIDTH
    for what, first, last in CHANGE_REASONS[code].places:
        text = str(getattr(given, what) or "")
        columns[first - 1 : last] = text.ljust(last - first + 1)
    return "".join(columns).rstrip(" ")
