# pyright: strict
"""Transaction codes, entry classes and service classes: what each moves and what may stand together."""

from dataclasses import dataclass
from enum import IntEnum, StrEnum


class ServiceClass(IntEnum):
    """Which way the money of a batch goes."""

    MIXED = 200
    CREDITS = 220
    DEBITS = 225


class EntryClass(StrEnum):
    """The standard entry classes that are written and read here."""

    CCD = "CCD"
    CTX = "CTX"
    PPD = "PPD"
    COR = "COR"
    ACK = "ACK"
    ATX = "ATX"


class Kind(StrEnum):
    """What an entry of a transaction code is for."""

    LIVE = "live"
    PRENOTE = "prenote"
    REMITTANCE_ONLY = "zero-dollar with remittance"
    RETURN = "return or notification of change"


@dataclass(frozen=True, slots=True)
class Transaction:
    """What a transaction code says."""

    code: int
    account: str
    kind: Kind
    is_credit: bool


_ACCOUNTS = {2: "checking", 3: "savings", 4: "general ledger", 5: "loan"}
_KINDS = {
    1: (Kind.RETURN, True),
    2: (Kind.LIVE, True),
    3: (Kind.PRENOTE, True),
    4: (Kind.REMITTANCE_ONLY, True),
    6: (Kind.RETURN, False),
    7: (Kind.LIVE, False),
    8: (Kind.PRENOTE, False),
    9: (Kind.REMITTANCE_ONLY, False),
}


def _transactions() -> dict[int, Transaction]:
    found = {
        10 * tens + ones: Transaction(10 * tens + ones, account, kind, is_credit)
        for tens, account in _ACCOUNTS.items()
        for ones, (kind, is_credit) in _KINDS.items()
    }
    # A loan account is never debited but to take a credit back, under a code of its own.
    for code in (57, 58, 59):
        del found[code]
    found[55] = Transaction(55, "loan", Kind.LIVE, False)
    return found


TRANSACTIONS = _transactions()

LIVE = {"checking": 22, "savings": 32}
PRENOTE = {"checking": 23, "savings": 33}
REVERSAL = {"checking": 27, "savings": 37}
"""A credit is taken back by a debit of the same amount."""

RETURNED = {2: 21, 3: 31, 4: 41, 5: 51}
"""The code under which a credit to each kind of account comes back or is corrected."""

ADDENDA_MAX = {"CCD": 1, "PPD": 1, "ACK": 1, "CTX": 9999, "ATX": 9999, "COR": 1}
ACKNOWLEDGMENTS = frozenset({"ACK", "ATX"})
FORWARD = frozenset({"CCD", "CTX", "PPD"})
REVERSAL_DESCRIPTION = "REVERSAL"
