"""Collect payments in a batch for one rail, approve it, transmit its file once; two people, one content."""

import asyncio
import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta

from contracts.errors import NotFound
from contracts.events.payments import DisbursementSent
from contracts.ids import PaymentBatchId
from contracts.money import dollars
from kit import outbox
from kit.db import Connection, Database
from services.payments.claims.stops import BatchStopped, Stop, StopReason, reason_of
from services.payments.domain import (
    BatchAlreadyApproved,
    BatchState,
    NothingToPay,
    TooManyFiles,
    two_people,
)
from services.payments.gateways import Exchange
from services.payments.nacha.banking_days import after, operator_day
from services.payments.payees.payees import AccountState, Payee, Rail, Route, Waits, route
from services.payments.rails import FileOrder, OrderedPayment, OrderedPrenote, RailFile
from services.payments.rails.ach import FILE_CENTS_MAX, ID_MODIFIERS, AchRail
from services.payments.rails.installed import Rails
from services.payments.rails.letter import LETTER_SUFFIX, control_total_letter
from services.payments.store import batches as store
from services.payments.store import disbursements as payment_store
from services.payments.store import payees as payee_store
from services.payments.store.batches import Approval, Batch
from services.payments.store.disbursements import Disbursement
from services.payments.usecases.advances import net_refunds
from services.payments.usecases.disbursements import send_moves
from services.payments.usecases.postings import post_moves
from services.payments.usecases.screening import alert

BATCH_PAYMENTS_MAX = 5_000
PRENOTES_MAX = 500
CORRECTIONS_MAX = 500
CORRECTION_WARNING_DAYS = 2
BATCHES_PER_TURN_MAX = 20
ANSWER_WAIT = timedelta(days=7)
"""Five banking days: after that a person looks."""


async def build_batch(
    tx: Connection, *, maker: str, rails: Rails, now: datetime, rail: Rail = Rail.PAYMENT_VOUCHER
) -> Batch:
    """Collect what is ordered and leaves by this rail, the earliest due first; on ACH with the prenotes that wait.

    Raises `NothingToPay`, `RailNotSetUp`.
    """
    rails.of(rail)
    settles_on = rails.ach.settles_on(now) if rails.ach else None
    providers = await payment_store.payees_to_pay(tx, now)
    payees = await payee_store.lock(tx, providers)
    leaving = [one for one, way in (await _routes(tx, payees, settles_on, now=now)).items() if _is_by(way, rail)]
    ready = _within(await payment_store.to_batch(tx, leaving, BATCH_PAYMENTS_MAX, now))
    payments = await net_refunds(tx, ready, actor=maker, now=now)
    prenotes = await payee_store.to_prenote(tx, PRENOTES_MAX) if rail is Rail.ACH else []
    if not payments and not prenotes:
        raise NothingToPay
    batch = Batch(
        batch_id=PaymentBatchId.new(),
        state=BatchState.BUILT,
        rail=rail,
        business_unit=rails.vouchers.business_unit,
        payments=len(payments),
        prenotes=len(prenotes),
        total_cents=sum(payment.amount_cents for payment in payments),
        made_by=maker,
        made_at=now,
    )
    await store.add_batch(tx, batch)
    addressed = {one.disbursement_id: _supplier(payees[one.provider_id], now) for one in payments}
    await payment_store.put_in_batch(tx, addressed, batch.batch_id, now=now)
    await payee_store.put_prenotes(tx, [one.account_id for one in prenotes], batch.batch_id, now=now)
    return batch


def _within(payments: Sequence[Disbursement]) -> list[Disbursement]:
    """As many payments as a file's totals can say."""
    total, found = 0, list[Disbursement]()
    for payment in payments:
        total += payment.amount_cents
        if total > FILE_CENTS_MAX:
            break
        found.append(payment)
    return found


def _supplier(payee: Payee, now: datetime) -> str:
    """The number by which a payment to a payee that can be paid leaves."""
    number = payee.supplier_at(now)
    assert number is not None
    return number


def _location(payee: Payee, now: datetime) -> str:
    """The location to which a payment to a payee that can be paid leaves."""
    location = payee.location_at(now)
    assert location is not None
    return location


async def _routes(
    tx: Connection, payees: Mapping[str, Payee], settles_on: date | None, *, now: datetime
) -> dict[str, Route | Waits]:
    """How a payment to each of these locked payees leaves just now."""
    providers = list(payees)
    accounts, held = await payee_store.accounts(tx, providers), await payee_store.held(tx, providers)
    return {
        provider: route(payee, accounts.get(provider, []), held=provider in held, now=now, settles_on=settles_on)
        for provider, payee in payees.items()
    }


def _is_by(way: Route | Waits, rail: Rail) -> bool:
    return isinstance(way, Route) and way.rail is rail


async def approve_batch(tx: Connection, batch_id: str, *, checker: str, rails: Rails, now: datetime) -> Batch:
    """Fix the file's content and put its money in transit; the file itself goes out after the commit.

    Every payment is looked at again. Where one may not leave any more nothing does: the totals that the maker saw
    are the file's. Raises `BatchStopped`, `MakerIsChecker`, `BatchAlreadyApproved`, `TooManyFiles`, `NotFound`.
    """
    batch = await store.batch(tx, batch_id)
    if batch is None:
        raise NotFound(kind="payment batch")
    two_people(checker, batch.made_by)
    if batch.state is not BatchState.BUILT:
        raise BatchAlreadyApproved
    payments = await payment_store.of_batch(tx, batch_id)
    routes = await _look_again(tx, batch, payments, rails.ach, now=now)
    file, approval = await _file(tx, batch, payments, routes, checker=checker, rails=rails, now=now)
    moves = await send_moves(tx, payments, actor=checker, now=now)
    await post_moves(tx, list(moves.values()))
    await payment_store.sent(tx, {payment: move.id for payment, move in moves.items()}, now=now)
    await store.approve_batch(tx, batch_id, approval, now=now)
    await store.add_entries(tx, batch_id, file.entries)
    approved = await store.batch(tx, batch_id)
    assert approved is not None
    return approved


async def _look_again(
    tx: Connection, batch: Batch, payments: Sequence[Disbursement], ach: AchRail | None, *, now: datetime
) -> dict[str, Route]:
    """How each payee is paid just now; `BatchStopped` names whatever was stopped, held or changed since the making.

    Payments and payees are locked: what comes later finds the money in transit.
    """
    stops = await payment_store.stopped_in_batch(tx, batch.batch_id, now)
    prenoted = await payee_store.prenoted_by(tx, batch.batch_id)
    providers = sorted({one.provider_id for one in payments} | {one.provider_id for one in prenoted})
    payees = await payee_store.lock(tx, providers)
    routes = await _routes(tx, payees, ach.settles_on(now) if ach else None, now=now)
    found = {provider: reason_of(way, batch.rail) for provider, way in routes.items()}
    named = {stop.what for stop in stops}
    for one in payments:
        if one.disbursement_id in named:
            continue
        if (reason := found[one.provider_id]) is not None:
            stops.append(Stop(one.disbursement_id, one.provider_id, reason))
        elif one.supplier_number != payees[one.provider_id].supplier_at(now):
            stops.append(Stop(one.disbursement_id, one.provider_id, StopReason.OTHER_SUPPLIER))
    for one in prenoted:
        if found[one.provider_id] is StopReason.PAYEE_HELD:
            stops.append(Stop(one.account_id, one.provider_id, StopReason.PAYEE_HELD))
        elif one.state is not AccountState.ACTIVE:
            stops.append(Stop(one.account_id, one.provider_id, StopReason.NO_ACCOUNT))
    as_made = (batch.payments, batch.prenotes, batch.total_cents)
    as_found = (len(payments), len(prenoted), sum(one.amount_cents for one in payments))
    if as_found != as_made and not stops:
        stops.append(Stop(f"{len(payments)} of {batch.payments} payments are left", None, StopReason.LEFT_THE_BATCH))
    if stops:
        raise BatchStopped(stops)
    return {provider: way for provider, way in routes.items() if isinstance(way, Route)}


async def _file(
    tx: Connection,
    batch: Batch,
    payments: Sequence[Disbursement],
    routes: Mapping[str, Route],
    *,
    checker: str,
    rails: Rails,
    now: datetime,
) -> tuple[RailFile, Approval]:
    rail = rails.of(batch.rail)
    order = await _order(tx, batch, payments, routes, now=now)
    approval = Approval(checker, "", b"", b"", "")
    if isinstance(rail, AchRail):
        approval = await _numbered(tx, approval, rail, now=now)
        first = await store.next_traces(tx, rail.odfi, len(order.payments) + len(order.prenotes))
        order = replace(
            order,
            approved_at=now,
            effective_on=approval.effective_on,
            id_modifier=approval.id_modifier or "",
            first_sequence=first,
        )
    file = rail.file(order)
    sha256 = hashlib.sha256(file.content).digest()
    letter = control_total_letter(
        file,
        batch_id=batch.batch_id,
        sha256=sha256,
        maker=batch.made_by,
        made_at=batch.made_at,
        checker=checker,
        checked_at=now,
    )
    return file, replace(approval, file_name=file.name, content=file.content, sha256=sha256, letter=letter)


async def _numbered(tx: Connection, approval: Approval, rail: AchRail, *, now: datetime) -> Approval:
    destination, file_on = rail.originator.odfi_routing, rail.created_on(now)
    number = await store.next_file_number(tx, destination, file_on, len(ID_MODIFIERS))
    if number is None:
        raise TooManyFiles(day=file_on, files_max=len(ID_MODIFIERS))
    return replace(
        approval,
        effective_on=rail.settles_on(now),
        destination=destination,
        file_on=file_on,
        id_modifier=ID_MODIFIERS[number - 1],
    )


async def _order(
    tx: Connection, batch: Batch, payments: Sequence[Disbursement], routes: Mapping[str, Route], *, now: datetime
) -> FileOrder:
    """What goes into the file, as the payees stand now."""
    prenoted = await payee_store.prenoted_by(tx, batch.batch_id)
    providers = sorted({one.provider_id for one in payments} | {one.provider_id for one in prenoted})
    payees = await payee_store.lock(tx, providers)
    ordered: list[OrderedPayment] = []
    for one in payments:
        payee = payees[one.provider_id]
        ordered.append(
            OrderedPayment(
                disbursement_id=one.disbursement_id,
                application_id=one.application_id,
                supplier_number=one.supplier_number,
                payee_name=payee.name,
                location=_location(payee, now),
                entry_class=payee.entry_class,
                invoice_number=one.invoice_number,
                invoice_on=date.fromisoformat(one.invoice_on),
                due_on=one.due_on,
                amount_cents=one.amount_cents,
                account=routes[one.provider_id].account,
            )
        )
    tried = [
        # No money moves: a number in its cooling-off period names the payee well enough.
        OrderedPrenote(one, payee.supplier_at(now) or payee.supplier_number, payee.entry_class)
        for one in prenoted
        if (payee := payees[one.provider_id])
    ]
    return FileOrder(batch_id=batch.batch_id, made_at=batch.made_at, payments=ordered, prenotes=tried)


async def withdraw_batch(tx: Connection, batch_id: str, *, by: str, now: datetime) -> Batch:
    """Take a batch apart that nobody approved: its payments and prenotes wait for the next one."""
    batch = await store.batch(tx, batch_id)
    if batch is None:
        raise NotFound(kind="payment batch")
    if batch.state is not BatchState.BUILT:
        raise BatchAlreadyApproved
    await payment_store.take_out_of_batch(tx, batch_id, now=now)
    await payee_store.drop_prenotes(tx, batch_id, now=now)
    await store.withdraw_batch(tx, batch_id, by=by)
    return replace(batch, state=BatchState.WITHDRAWN)


async def transmit_batches(*, exchange: Exchange, db: Database, now: datetime) -> int:
    """Put out the files of approved batches, each once, whenever the process dies; returns how many are out.

    The file is staged, its staging is noted, then it is moved out. After a crash the note tells: where the staged file
    is gone, it went out, and nothing is sent again; whether it arrived is for the bank's statement to say.
    """
    async with db.connection() as connection:
        waiting = await store.batches_to_put(connection, BATCHES_PER_TURN_MAX)
    for batch_id in waiting:
        async with db.transaction() as tx:
            batch = await store.batch(tx, batch_id)
        if batch is None or batch.file_name is None or batch.content is None:
            continue
        token = batch.transmission_token
        if token is None:
            own = secrets.token_hex(8)
            await asyncio.to_thread(exchange.stage, batch.file_name, own, batch.content)
            async with db.transaction() as tx:
                token = await store.begin_transmission(tx, batch_id, own)
            if token != own:
                await asyncio.to_thread(exchange.discard, batch.file_name, own)
        if await asyncio.to_thread(exchange.staged, batch.file_name, token):
            # The letter first: nobody finds the file without it.
            if batch.letter is not None:
                await asyncio.to_thread(exchange.put, f"{batch_id}{LETTER_SUFFIX}", batch.letter.encode("ascii"))
            await asyncio.to_thread(exchange.release, batch.file_name, token)
        async with db.transaction() as tx:
            await mark_transmitted(tx, batch_id, now=now)
    return len(waiting)


async def mark_transmitted(tx: Connection, batch_id: str, *, now: datetime) -> None:
    """The file is out: tell each payment's case, once."""
    batch = await store.batch(tx, batch_id)
    if batch is None or batch.state is not BatchState.APPROVED:
        return
    await store.transmitted(tx, batch_id, now=now)
    if batch.effective_on is not None:
        today = operator_day(now)
        # A prenote in a file that has not left is no prenote; one that leaves late settles late.
        await payee_store.prenotes_sent(tx, batch_id, max(batch.effective_on, after(today, 1)), now=now)
        if batch.effective_on <= today:
            explanation = (
                f"to settle on {batch.effective_on}, out on {today}: the bank says when it settles, or refuses it"
            )
            await alert(tx, "batch_stale", explanation, batch_id=batch_id, now=now)
    facts = [
        DisbursementSent(
            application_id=payment.application_id,
            disbursement_id=payment.disbursement_id,
            claim_id=payment.claim_id,
            provider_id=payment.provider_id,
            amount_cents=payment.amount_cents,
            purpose=payment.purpose,
            batch_id=batch.batch_id,
            sent_at=now,
        )
        for payment in await payment_store.of_batch(tx, batch_id)
    ]
    await outbox.append_all(tx, facts, now=now)
    # A batch of prenotes has nothing to wait for.
    await store.acknowledge(tx, batch_id)


async def call_for_unanswered(*, db: Database, now: datetime) -> int:
    """Call staff for files that nobody answered in time; returns how many. None is sent again: a statement decides."""
    async with db.transaction() as tx:
        unanswered = await store.unanswered(tx, now - ANSWER_WAIT)
        for one in unanswered:
            explanation = (
                f"{one['payments']} payments, {dollars(one['total_cents'])}, out since {one['transmitted_at']:%Y-%m-%d}"
                " and not all answered: look for them on the bank's statement; the file is not sent again"
            )
            await alert(tx, "batch_unanswered", explanation, batch_id=one["batch_id"], now=now)
        await _call_for_corrections(tx, now=now)
    return len(unanswered)


async def _call_for_corrections(tx: Connection, *, now: datetime) -> None:
    """Call staff two banking days before an account whose bank has notified a change is no longer paid to."""
    soon = after(operator_day(now), CORRECTION_WARNING_DAYS)
    for account in await payee_store.corrections_due(tx, soon, CORRECTIONS_MAX):
        explanation = (
            f"account {account.masked} is not paid to after {account.correct_by}: its bank's change is not made"
        )
        await alert(tx, "change_due", explanation, provider_id=account.provider_id, key=account.account_id, now=now)
