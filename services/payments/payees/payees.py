"""Payees, their accounts, changes under control and holds; by which route a payment leaves today.

A changed account is used after a call-back to the number on file, a second person, a cooling-off period and a prenote
that did not come back. Source: Nacha Operating Rules (prenotes); the fraud controls of state accounting offices.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from contracts.errors import Conflict, Refused
from contracts.ids import Id
from services.payments.nacha.banking_days import first_live_day


class PayeeAccountId(Id, prefix="pac"):
    """One bank account of a payee; its number is never part of it."""


class PayeeChangeId(Id, prefix="pch"):
    """One proposed change of how a payee is paid."""


class PayeeHoldId(Id, prefix="phd"):
    """What holds a payee's payments until two people release it."""


class Rail(StrEnum):
    """How a payment leaves."""

    PAYMENT_VOUCHER = "payment_voucher"
    """The state's finance system pays on our voucher."""
    ACH = "ach"
    """We order our bank to pay."""


class TaxClass(StrEnum):
    """What the payee is to the tax authorities."""

    NOT_STATED = "not_stated"
    GOVERNMENT = "government"
    NONPROFIT = "nonprofit"
    CORPORATION = "corporation"
    PARTNERSHIP = "partnership"
    SOLE_PROPRIETOR = "sole_proprietor"
    INDIVIDUAL = "individual"


class AccountState(StrEnum):
    """Where an account stands."""

    PROPOSED = "proposed"
    ACTIVE = "active"
    """Approved; used once its cooling-off period is over and its prenote did not come back."""
    CLOSED = "closed"
    INVALID = "invalid"
    """An entry or prenote to it came back."""
    WITHDRAWN = "withdrawn"


class HoldSource(StrEnum):
    """Why payments to a payee are held."""

    SCREENING = "screening"
    MANUAL = "manual"
    RETURN = "return"


@dataclass(frozen=True, slots=True)
class Payee:
    """Who is paid. `rail_before` goes on paying until an account can be used.

    A changed `supplier_number` is paid under from `supplier_usable_at` on, the one before meanwhile; payments wait
    where there is none. So it is with a changed `location`.
    """

    provider_id: str
    supplier_number: str
    name: str
    tax_class: TaxClass
    location: str
    rail: Rail
    entry_class: str
    rail_before: Rail | None
    supplier_number_before: str | None = None
    supplier_usable_at: datetime | None = None
    location_before: str | None = None
    location_usable_at: datetime | None = None

    def supplier_at(self, now: datetime) -> str | None:
        """The supplier number that payments are addressed by; None while the new one cools off and none stays."""
        return self.supplier_number_before if _cools_off(self.supplier_usable_at, now) else self.supplier_number

    def location_at(self, now: datetime) -> str | None:
        """The supplier's location that is paid; None while the new one cools off and none stays."""
        return self.location_before if _cools_off(self.location_usable_at, now) else self.location


def _cools_off(usable_at: datetime | None, now: datetime) -> bool:
    return usable_at is not None and now < usable_at


@dataclass(frozen=True, slots=True)
class Account:
    """A bank account without its number; `sealed_number` opens with the key of payee accounts alone."""

    account_id: PayeeAccountId
    provider_id: str
    holder_name: str
    routing_number: str
    account_type: str
    last_four: str
    sealed_number: bytes
    state: AccountState
    usable_at: datetime | None
    prenote_batch_id: str | None
    prenote_on: date | None
    ended_reason: str | None
    correct_by: date | None = None
    """Its bank has notified a change: the last day on which an entry may settle to it as it stands."""

    @property
    def masked(self) -> str:
        """What people see of the number."""
        return f"****{self.last_four}"

    @property
    def was_tried(self) -> bool:
        """Its prenote was not answered by the notification of a change."""
        return self.prenote_on is not None and (self.correct_by is None or self.correct_by > self.prenote_on)


@dataclass(frozen=True, slots=True)
class CallBack:
    """Who was called, on which number that was on file, and when."""

    person: str
    number: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Change:
    """A change of how a payee is paid; what is None stays as it is."""

    change_id: PayeeChangeId
    provider_id: str
    source: str
    reference: str
    supplier_number: str | None
    tax_class: TaxClass | None
    location: str | None
    rail: Rail | None
    entry_class: str | None
    account_id: PayeeAccountId | None
    old_stays: bool
    call_back: CallBack | None
    evidence_by: str | None
    made_by: str
    made_at: datetime
    checked_by: str | None
    checked_at: datetime | None
    withdrawn_by: str | None

    @property
    def state(self) -> str:
        if self.withdrawn_by is not None:
            return "withdrawn"
        if self.checked_by is not None:
            return "approved"
        return "proposed" if self.call_back is not None else "awaiting_call_back"


@dataclass(frozen=True, slots=True)
class Hold:
    """Payments to this payee wait for two people."""

    hold_id: PayeeHoldId
    provider_id: str
    source: HoldSource
    reference: str
    reason: str
    placed_by: str
    placed_at: datetime
    release_reason: str | None
    release_made_by: str | None
    released_by: str | None


class Waits(StrEnum):
    """Why nothing leaves for a payee just now."""

    HELD = "held"
    NO_ACCOUNT = "no_account"
    COOLING_OFF = "cooling_off"
    PRENOTE = "prenote"
    CHANGE_NOTIFIED = "change_notified"
    """The bank has said that the account is not right, and no correction is approved in time."""


@dataclass(frozen=True, slots=True)
class Route:
    """How a payment leaves."""

    rail: Rail
    account: Account | None = None


def route(
    payee: Payee, accounts: Sequence[Account], *, held: bool, now: datetime, settles_on: date | None
) -> Route | Waits:
    """By which rail and to which account a payment leaves that settles on a day; the newest usable account wins.

    `accounts` are the payee's, newest first. An account in cooling-off or with a prenote on its way does not pay:
    the one before it does, where it is still active, or the rail before it. One that was paid to and whose bank has
    notified a change waits for its correction: an account that the payee gave up is not taken up again by itself.
    """
    if held:
        return Waits.HELD
    if payee.supplier_at(now) is None or payee.location_at(now) is None:
        return Waits.COOLING_OFF
    if payee.rail is Rail.PAYMENT_VOUCHER:
        return Route(Rail.PAYMENT_VOUCHER)
    reasons = [(account, obstacle(account, now=now, settles_on=settles_on)) for account in accounts]
    for account, reason in reasons:
        if reason is None:
            return Route(Rail.ACH, account)
        if reason is Waits.CHANGE_NOTIFIED and account.was_tried:
            return reason
    if payee.rail_before is not None:
        return Route(payee.rail_before)
    return next((reason for _, reason in reasons if reason is not None), Waits.NO_ACCOUNT)


def obstacle(account: Account, *, now: datetime, settles_on: date | None) -> Waits | None:
    """What keeps an account from being paid to; nothing once it may be."""
    if account.state is not AccountState.ACTIVE or account.usable_at is None:
        return Waits.NO_ACCOUNT
    if account.correct_by is not None and (settles_on is None or settles_on > account.correct_by):
        return Waits.CHANGE_NOTIFIED
    if now < account.usable_at:
        return Waits.COOLING_OFF
    if account.prenote_on is None or settles_on is None or settles_on < first_live_day(account.prenote_on):
        return Waits.PRENOTE
    return None


def name_key(name: str) -> str:
    """A name without what lists vary: accents, case, punctuation, legal forms, the order of its words."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().upper()
    words = re.sub(r"[^A-Z0-9 ]", "", plain.replace("-", " ").replace("&", " AND ")).split()
    return " ".join(sorted(word for word in words if word not in LEGAL_FORMS))


LEGAL_FORMS = frozenset({"INC", "LLC", "LTD", "CO", "CORP", "THE", "OF", "AND", "INCORPORATED", "COMPANY"})


class AccountFaulty(Refused):
    """The account cannot be used: {why}."""

    code = "account_faulty"


class NothingChanges(Refused):
    """The proposal changes nothing."""

    code = "nothing_changes"


class ChangeAlreadyOpen(Conflict):
    """A change of this payee already waits for its approval."""

    code = "change_already_open"


class ChangeNotOpen(Conflict):
    """The change was approved or withdrawn before."""

    code = "change_not_open"


class CallBackMissing(Conflict):
    """Nobody has called the payee back yet on the number that was on file."""

    code = "call_back_missing"


class CallBackInFuture(Refused):
    """The call-back lies in the future."""

    code = "call_back_in_future"


class HoldAlreadyReleased(Conflict):
    """The hold was released before."""

    code = "hold_already_released"


class ReleaseNotProposed(Conflict):
    """Nobody has proposed the release of this hold yet; another person approves it then."""

    code = "release_not_proposed"


class ListUnreadable(Refused):
    """The screening list cannot be read: {why}."""

    code = "list_unreadable"
