"""One port, two rails: a batch's payments become one file with its totals, whichever way the money leaves.

A rail decides nothing and keeps nothing: it is given what an approved batch holds and gives back bytes that never
change afterwards, what stands where in them, and the totals that the control-total letter states.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

from contracts.errors import Conflict
from services.payments.payees.payees import Account, Rail

__all__ = ["FileEntry", "FileOrder", "OrderedPayment", "OrderedPrenote", "PaymentRail", "RailFile", "RailNotSetUp"]


class RailNotSetUp(Conflict):
    """This installation does not pay by {rail}: its sender is not configured."""

    code = "rail_not_set_up"


@dataclass(frozen=True, slots=True)
class OrderedPayment:
    """One payment as a rail sees it; `account` where the rail pays to one."""

    disbursement_id: str
    application_id: str
    supplier_number: str
    payee_name: str
    location: str
    entry_class: str
    invoice_number: str
    invoice_on: date
    due_on: date
    amount_cents: int
    account: Account | None = None


@dataclass(frozen=True, slots=True)
class OrderedPrenote:
    """An entry of zero that tries a new account."""

    account: Account
    supplier_number: str
    entry_class: str


@dataclass(frozen=True, slots=True)
class FileOrder:
    """What is to become one file. `effective_on`, `id_modifier` and `first_sequence` are an ACH file's own."""

    batch_id: str
    made_at: datetime
    payments: Sequence[OrderedPayment]
    prenotes: Sequence[OrderedPrenote] = ()
    approved_at: datetime | None = None
    effective_on: date | None = None
    id_modifier: str = ""
    first_sequence: int = 1


@dataclass(frozen=True, slots=True)
class FileEntry:
    """What stands in the file for one payment or one prenote."""

    disbursement_id: str | None
    account_id: str | None
    amount_cents: int
    trace: str | None = None
    company_id: str | None = None
    effective_on: date | None = None
    batch_reference: str = ""


@dataclass(frozen=True, slots=True)
class RailFile:
    """A file: its bytes, its entries in their order, and its totals as the letter says them."""

    name: str
    content: bytes
    entries: tuple[FileEntry, ...]
    totals: tuple[tuple[str, str], ...]


class PaymentRail(Protocol):
    """One way for money to leave."""

    @property
    def rail(self) -> Rail: ...

    def file(self, order: FileOrder) -> RailFile:
        """The order's file; the same order always gives the same bytes."""
        ...
