"""Payees' account numbers at rest: sealed under a key of their own; people see the last four characters."""

import re

from kit import crypto
from services.payments.nacha.routing import is_routing_number, names_an_account
from services.payments.payees.payees import AccountFaulty, PayeeAccountId

NUMBER_LENGTH_MAX = 17
HOLDER_LENGTH_MAX = 22
SHOWN = 4
_KEY_VERSION = 1
_NUMBER = re.compile(r"[0-9A-Z](?:[0-9A-Z -]{0,15}[0-9A-Z])?")
_HOLDER = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,20}[\x21-\x7e])?")


class AccountNumbers:
    """Seals and opens account numbers. The key opens every number: it is a secret of payments alone."""

    def __init__(self, key: bytes) -> None:
        self._sealing = crypto.keyed_digest(key, "payee account sealing")

    def seal(self, account_id: PayeeAccountId, number: str) -> bytes:
        return crypto.encrypt(self._sealing, number.encode(), context=_context(account_id), version=_KEY_VERSION)

    def open(self, account_id: PayeeAccountId, sealed: bytes) -> str:
        return crypto.decrypt({_KEY_VERSION: self._sealing}, sealed, context=_context(account_id)).decode()


def last_four(number: str) -> str:
    """What may be shown; nothing of a number that has no more than four characters."""
    return number[-SHOWN:] if len(number) > SHOWN else ""


def check_account(*, holder_name: str, routing_number: str, number: str) -> None:
    """`AccountFaulty` where an ACH entry could not carry it; the message never holds the number."""
    if not is_routing_number(routing_number):
        raise AccountFaulty(why="the routing number has not nine digits with their check digit")
    if not names_an_account(number):
        raise AccountFaulty(why="the account number is nothing but zeros, blanks or hyphens")
    if _NUMBER.fullmatch(number) is None:
        raise AccountFaulty(why="the account number is not 1 to 17 capital letters, digits, blanks or hyphens")
    if _HOLDER.fullmatch(holder_name) is None:
        raise AccountFaulty(why="the holder's name is not 1 to 22 characters of printable ASCII")


def _context(account_id: PayeeAccountId) -> str:
    return f"payee_account|sealed_number|{account_id}"
