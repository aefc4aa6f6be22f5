"""Change how a payee is paid: proposed with call-back evidence, approved by another person, used after cooling-off."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from contracts.errors import NotFound
from kit.db import Connection, Database
from services.payments.domain import two_people
from services.payments.payees.account_numbers import AccountNumbers, check_account, last_four
from services.payments.payees.payees import (
    Account,
    AccountState,
    CallBack,
    CallBackInFuture,
    CallBackMissing,
    Change,
    ChangeAlreadyOpen,
    ChangeNotOpen,
    Hold,
    NothingChanges,
    Payee,
    PayeeAccountId,
    PayeeChangeId,
    Rail,
    Route,
    TaxClass,
    Waits,
    route,
)
from services.payments.store import batches as batch_store
from services.payments.store import payees as store
from services.payments.usecases.screening import alert, screen

NOTIFIED = "notification_of_change"
OPEN = frozenset({"proposed", "awaiting_call_back"})


@dataclass(frozen=True, slots=True)
class NewAccount:
    """An account as it is proposed; the number is in the clear only here."""

    holder_name: str
    routing_number: str
    number: str
    account_type: str

    def __repr__(self) -> str:
        return f"NewAccount({self.routing_number}, ****)"


@dataclass(frozen=True, slots=True)
class Proposal:
    """What is to change; None stays as it is.

    `old_stays`: the old account, supplier number or location is paid to until the new one can be used.
    """

    tax_class: TaxClass | None = None
    location: str | None = None
    rail: Rail | None = None
    entry_class: str | None = None
    account: NewAccount | None = None
    old_stays: bool = True
    call_back: CallBack | None = None
    supplier_number: str | None = None

    @property
    def changes_nothing(self) -> bool:
        parts = (self.supplier_number, self.tax_class, self.location, self.rail, self.entry_class, self.account)
        return all(one is None for one in parts)


@dataclass(frozen=True, slots=True)
class Dossier:
    """A payee with everything that decides how it is paid; `leaves` is what a payment made now would do."""

    payee: Payee
    accounts: tuple[Account, ...]
    changes: tuple[Change, ...]
    holds: tuple[Hold, ...]
    leaves: Route | Waits


async def know_payees(tx: Connection, listed: Sequence[tuple[str, str, str]], *, now: datetime) -> None:
    """Take in who a program lists, as (provider, supplier number, name); a known payee is changed by nobody's pack."""
    new = await store.know(tx, listed, now=now)
    await screen(tx, new, now=now)
    known = await store.lock(tx, [provider_id for provider_id, _, _ in listed])
    for provider_id, supplier_number, _ in listed:
        if known[provider_id].supplier_number != supplier_number:
            explanation = (
                f"a program lists supplier number {supplier_number}; payments go on under the payee's own until a"
                " change is proposed with its call-back and another person approves it"
            )
            await alert(
                tx, "supplier_number_differs", explanation, provider_id=provider_id, key=supplier_number, now=now
            )


async def propose_change(
    tx: Connection, provider_id: str, proposal: Proposal, *, maker: str, numbers: AccountNumbers, now: datetime
) -> Change:
    """Propose a change on the evidence of a call-back; somebody else approves it.

    Raises `NothingChanges`, `AccountFaulty`, `CallBackMissing`, `CallBackInFuture`, `ChangeAlreadyOpen`, `NotFound`.
    """
    if proposal.call_back is None:
        raise CallBackMissing
    return await open_change(
        tx, provider_id, proposal, source="payee", reference="", maker=maker, numbers=numbers, now=now
    )


async def open_change(
    tx: Connection,
    provider_id: str,
    proposal: Proposal,
    *,
    source: str,
    reference: str,
    maker: str,
    numbers: AccountNumbers,
    now: datetime,
) -> Change:
    """Put a proposal on record, the account number sealed. A bank's notification comes without a call-back."""
    if provider_id not in await store.lock(tx, [provider_id]):
        raise NotFound(kind="payee")
    if proposal.changes_nothing:
        raise NothingChanges
    if any(one.state in OPEN for one in await store.changes(tx, provider_id)):
        raise ChangeAlreadyOpen
    if proposal.call_back is not None and proposal.call_back.at > now:
        raise CallBackInFuture
    account_id = None
    if (new := proposal.account) is not None:
        check_account(holder_name=new.holder_name, routing_number=new.routing_number, number=new.number)
        account_id = PayeeAccountId.new()
        sealed = numbers.seal(account_id, new.number)
        account = Account(
            account_id,
            provider_id,
            new.holder_name,
            new.routing_number,
            new.account_type,
            last_four(new.number),
            sealed,
            AccountState.PROPOSED,
            None,
            None,
            None,
            None,
        )
        await store.add_account(tx, account, now=now)
    change = Change(
        change_id=PayeeChangeId.new(),
        provider_id=provider_id,
        source=source,
        reference=reference,
        supplier_number=proposal.supplier_number,
        tax_class=proposal.tax_class,
        location=proposal.location,
        rail=proposal.rail,
        entry_class=proposal.entry_class,
        account_id=account_id,
        old_stays=proposal.old_stays,
        call_back=proposal.call_back,
        evidence_by=None if proposal.call_back is None else maker,
        made_by=maker,
        made_at=now,
        checked_by=None,
        checked_at=None,
        withdrawn_by=None,
    )
    if not await store.add_change(tx, change):
        raise ChangeAlreadyOpen
    await screen(tx, [provider_id], now=now)
    return change


async def record_call_back(
    tx: Connection, provider_id: str, change_id: str, called: CallBack, *, by: str, now: datetime
) -> Change:
    """Add the call-back to a change that a bank notified; somebody else approves it."""
    change = await _open_change(tx, provider_id, change_id)
    if called.at > now:
        raise CallBackInFuture
    await store.add_call_back(tx, change_id, called, by=by)
    return replace(change, call_back=called, evidence_by=by)


async def approve_change(
    tx: Connection, provider_id: str, change_id: str, *, checker: str, cooling_off_days: int, now: datetime
) -> Change:
    """Make a change good. A new account is used after the cooling-off period and its prenote, the old one meanwhile.

    A new supplier number, or location, is paid to after a cooling-off period of its own.
    Raises `MakerIsChecker`, `CallBackMissing`, `ChangeNotOpen`, `NotFound`.
    """
    change = await _open_change(tx, provider_id, change_id)
    two_people(checker, change.made_by, change.evidence_by)
    if change.call_back is None:
        raise CallBackMissing
    payee = (await store.lock(tx, [provider_id]))[provider_id]
    await store.approve_change(tx, change_id, checker=checker, now=now)
    usable_at = now + timedelta(days=cooling_off_days)
    if change.account_id is not None:
        await store.activate(tx, change.account_id, usable_at=usable_at, now=now)
        if not change.old_stays:
            await store.close_others(tx, provider_id, change.account_id, "replaced", now=now)
    changed = _readdressed(_changed(payee, change), change, usable_at=usable_at, now=now)
    await store.save_payee(tx, changed, now=now)
    if change.supplier_number is not None:
        await screen(tx, [provider_id], now=now)
    return replace(change, checked_by=checker, checked_at=now)


def _readdressed(payee: Payee, change: Change, *, usable_at: datetime, now: datetime) -> Payee:
    """The payee under its new supplier number or location, the old one until the period ends."""
    if change.supplier_number is not None:
        payee = replace(
            payee,
            supplier_number=change.supplier_number,
            supplier_number_before=payee.supplier_at(now) if change.old_stays else None,
            supplier_usable_at=usable_at,
        )
    if change.location is not None:
        payee = replace(
            payee,
            location=change.location,
            location_before=payee.location_at(now) if change.old_stays else None,
            location_usable_at=usable_at,
        )
    return payee


def _changed(payee: Payee, change: Change) -> Payee:
    rail = change.rail or payee.rail
    before = payee.rail_before
    if not change.old_stays or rail is Rail.PAYMENT_VOUCHER:
        before = None
    elif payee.rail is Rail.PAYMENT_VOUCHER:
        before = Rail.PAYMENT_VOUCHER
    return replace(
        payee,
        tax_class=change.tax_class or payee.tax_class,
        rail=rail,
        entry_class=change.entry_class or payee.entry_class,
        rail_before=before,
    )


async def withdraw_change(tx: Connection, provider_id: str, change_id: str, *, by: str, now: datetime) -> Change:
    """Give up a change that was not approved; its account is never used.

    The account whose bank notified the change is paid to again only where the payee was called, and another person
    than the caller withdraws: two people then say that it is right as it stands.
    """
    change = await _open_change(tx, provider_id, change_id)
    await store.withdraw_change(tx, change_id, by=by, now=now)
    if change.account_id is not None:
        await store.end_account(tx, change.account_id, AccountState.WITHDRAWN, "withdrawn", now=now)
    if change.source == NOTIFIED and change.call_back is not None and by != change.evidence_by:
        entry = await batch_store.entry_by_trace(tx, change.reference.rpartition(" ")[2])
        if entry is not None:
            await store.right_as_it_stands(tx, entry.account_id, notified_at=change.made_at, now=now)
    return replace(change, withdrawn_by=by)


async def _open_change(tx: Connection, provider_id: str, change_id: str) -> Change:
    change = await store.change(tx, change_id)
    if change is None or change.provider_id != provider_id:
        raise NotFound(kind="payee change")
    if change.state not in OPEN:
        raise ChangeNotOpen
    return change


async def dossier(provider_id: str, *, settles_on: date, db: Database, now: datetime) -> Dossier:
    """Everything about one payee; `NotFound` where no program lists it."""
    async with db.transaction() as tx:
        payee = await store.payee(tx, provider_id)
        if payee is None:
            raise NotFound(kind="payee")
        accounts = (await store.accounts(tx, [provider_id])).get(provider_id, [])
        changes, holds = await store.changes(tx, provider_id), await store.holds(tx, provider_id)
    held = any(hold.released_by is None for hold in holds)
    leaves = route(payee, accounts, held=held, now=now, settles_on=settles_on)
    return Dossier(payee, tuple(accounts), tuple(changes), tuple(holds), leaves)


async def payees(*, settles_on: date, db: Database, now: datetime) -> list[tuple[Payee, Route | Waits]]:
    """Every payee with what a payment made now would do."""
    async with db.transaction() as tx:
        found = await store.payees(tx)
        ids = [one.provider_id for one in found]
        accounts, held = await store.accounts(tx, ids), await store.held(tx, ids)
    return [
        (
            one,
            route(
                one,
                accounts.get(one.provider_id, []),
                held=one.provider_id in held,
                now=now,
                settles_on=settles_on,
            ),
        )
        for one in found
    ]
