"""Read the bank's ACH files: returns move money back, prenote returns end accounts, changes are proposed, never taken.

A file whose structure or sums are at fault posts nothing; an entry at fault is rejected alone. Account numbers stay in
memory; what is kept of a line is its trace.
"""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date, datetime

from contracts.ids import DisbursementId
from kit.db import Connection, Database
from services.payments.books.ledger import Kind
from services.payments.gateways import Exchange
from services.payments.nacha import (
    CHANGE_REASONS,
    RETURN_REASONS,
    ChangeAddendum,
    FileReader,
    Found,
    ReturnAddendum,
    Verdict,
    correction,
)
from services.payments.nacha.banking_days import after, operator_day
from services.payments.nacha.changes import APPLY_WITHIN_BANKING_DAYS, REFUSALS
from services.payments.nacha.transactions import ACKNOWLEDGMENTS, TRANSACTIONS
from services.payments.payees.account_numbers import AccountNumbers
from services.payments.payees.payees import (
    Account,
    AccountFaulty,
    AccountState,
    ChangeAlreadyOpen,
)
from services.payments.rails.ach import ACH_SUFFIX
from services.payments.rails.ach_answers import (
    CHANGE_POSTINGS,
    RETURN_POSTINGS,
    ChangePosting,
    Standing,
    posting_of,
)
from services.payments.remittance import RejectedLine
from services.payments.store import batches as batch_store
from services.payments.store import confirmations as file_store
from services.payments.store import payees as payee_store
from services.payments.store.batches import SentEntry
from services.payments.store.disbursements import Disbursement
from services.payments.usecases.inbound import read_each
from services.payments.usecases.outcomes import Outcome, apply_apart, payments_of_words
from services.payments.usecases.payees import NOTIFIED, NewAccount, Proposal, open_change
from services.payments.usecases.rejected_lines import keep_rejected
from services.payments.usecases.return_effects import BANK, NO_CODE, heard_again
from services.payments.usecases.screening import alert


@dataclass(slots=True)
class AchReading:
    """What one file came to."""

    again: bool = False
    returned: int = 0
    repeated: int = 0
    prenotes: int = 0
    """Accounts that ended because their prenote came back."""
    changes: int = 0
    acknowledged: int = 0
    rejected: list[RejectedLine] = field(default_factory=list[RejectedLine])
    called: dict[int, str] = field(default_factory=dict[int, str])
    """Record number → the alert that tells of its rejection."""


@dataclass(slots=True)
class _Desk:
    """What the entries of one file are worked on with."""

    tx: Connection
    numbers: AccountNumbers
    file: str
    now: datetime
    reading: AchReading = field(default_factory=AchReading)

    def reject(self, found: Found, reason: str, explanation: str, alert_id: str | None = None) -> None:
        # Not the record itself: it holds an account number.
        line = f"trace {found.entry.trace}".encode()
        self.reading.rejected.append(RejectedLine(found.record, line, reason, explanation))
        if alert_id is not None:
            self.reading.called[found.record] = alert_id


async def read_ach_answers(
    *, exchange: Exchange, ours: Collection[str], numbers: AccountNumbers, db: Database, now: datetime
) -> int:
    """Read the ACH files that wait, oldest name first; returns how many. `ours`: what a file to us is addressed by."""

    async def take(name: str, content: bytes) -> None:
        await take_ach_answers(name, content, ours=ours, numbers=numbers, db=db, now=now)

    return await read_each((ACH_SUFFIX,), take, exchange=exchange, db=db, now=now)


async def take_ach_answers(
    name: str, content: bytes, *, ours: Collection[str], numbers: AccountNumbers, db: Database, now: datetime
) -> AchReading:
    """Post a file's returns, take its changes as proposals and its acknowledgments as read; a file twice is once."""
    reader = FileReader([content])
    entries = list(reader)
    digest = hashlib.sha256(content).digest()
    async with db.transaction() as tx:
        if not await file_store.take_file(tx, digest, name, len(entries), now=now):
            return AchReading(again=True)
        desk = _Desk(tx, numbers, digest.hex()[:16], now)
        if (first := reader.verdict.first_of_file) is not None:
            # The reason may quote what stood in the columns, and that may be an account number.
            place = f"{first.title}, {first.field}, columns {first.first_column}-{first.last_column}"
            desk.reading.rejected.append(RejectedLine(0, b"", "file_faulty", f"record {first.record} ({place})"))
            explanation = f"{name}: record {first.record}, {place}"
            desk.reading.called[0] = await alert(tx, "ach_file_faulty", explanation, key=digest.hex(), now=now)
        elif reader.header is not None and reader.header.destination not in ours:
            reason = f"addressed to {reader.header.destination}: neither we nor our bank"
            desk.reading.rejected.append(RejectedLine(0, b"", "not_for_us", reason))
            desk.reading.called[0] = await alert(
                tx, "ach_file_not_for_us", f"{name}: {reason}", key=digest.hex(), now=now
            )
        else:
            _not_read(desk, entries, reader.verdict)
            await _take(desk, [found for found in entries if not _is_faulty(desk, found, reader.verdict)])
        reading = desk.reading
        await keep_rejected(tx, name, digest, reading.rejected, reading.called, now=now)
        applied = reading.returned + reading.prenotes + reading.changes + reading.acknowledged
        await file_store.count_lines(
            tx, digest, applied=applied, repeated=reading.repeated, rejected=len(reading.rejected)
        )
    return reading


def _is_faulty(desk: _Desk, found: Found, verdict: Verdict) -> bool:
    """Whether this entry breaks a rule of its own; it is rejected then, the file's structure and sums being right."""
    fault = verdict.of_entries.get(found.record)
    if fault is not None:
        # The reason may quote what stood in the columns, and that may be an account number.
        desk.reject(found, "entry_faulty", f"record {fault.record} ({fault.title}, {fault.field})")
    return fault is not None


def _not_read(desk: _Desk, entries: list[Found], verdict: Verdict) -> None:
    """Whatever else the verdict tells of: batches of a class that is not read, each with its sums."""
    found = {one.record for one in entries}
    for record, fault in verdict.of_entries.items():
        if record not in found:
            desk.reading.rejected.append(RejectedLine(record, b"", "class_not_read", fault.reason))


async def _take(desk: _Desk, entries: list[Found]) -> None:
    sent: list[tuple[Found, SentEntry]] = []
    for found in entries:
        trace = _original_trace(found)
        if trace is None:
            desk.reject(found, "not_an_answer", "neither a return, a change nor an acknowledgment")
            continue
        entry = await batch_store.entry_by_trace(desk.tx, trace)
        if entry is None:
            desk.reject(found, "unknown_trace", f"no entry was sent under trace {trace}")
        elif (difference := _difference(found, entry)) is not None:
            desk.reject(found, "entry_differs", difference)
        else:
            sent.append((found, entry))
    ids = sorted({entry.disbursement_id for _, entry in sent if entry.disbursement_id is not None})
    payments = await payments_of_words(desk.tx, ids, now=desk.now)
    for found, entry in sent:
        if (returned := found.entry.returned) is not None:
            await _returned(desk, found, returned, entry, payments)
        elif (change := found.entry.change) is not None:
            await (_refused if change.code in REFUSALS else _changed)(desk, change, entry)
        else:
            await batch_store.acknowledge_entry(desk.tx, entry, now=desk.now)
            desk.reading.acknowledged += 1


def _original_trace(found: Found) -> str | None:
    entry = found.entry
    if entry.returned is not None:
        return entry.returned.original_trace
    if entry.change is not None:
        return entry.change.original_trace
    return entry.identification if found.batch.entry_class in ACKNOWLEDGMENTS else None


def _difference(found: Found, sent: SentEntry) -> str | None:
    """Why an answer cannot be to this entry although it names its trace."""
    answer = found.entry
    about = answer.returned or answer.change
    if about is not None and found.batch.company_id != sent.company_id:
        return f"it answers company {found.batch.company_id}, the entry is of {sent.company_id}"
    if about is not None and about.original_rdfi != sent.routing_number[:8]:
        return "it was sent to another bank than the answer says"
    if answer.returned is not None and answer.amount_cents != sent.amount_cents:
        return f"{answer.amount_cents} cents came back where {sent.amount_cents} were sent"
    return None


async def _returned(
    desk: _Desk,
    found: Found,
    returned: ReturnAddendum,
    entry: SentEntry,
    payments: dict[DisbursementId, Disbursement],
) -> None:
    if entry.disbursement_id is None:
        await _prenote_returned(desk, found, returned.code, entry)
        return
    payment = payments[DisbursementId(entry.disbursement_id)]
    known = returned.code if payment.return_code == NO_CODE else payment.return_code
    posting = posting_of(payment.state, known, returned.code)
    match posting:
        case Standing.REPEATED:
            await heard_again(desk.tx, payment, returned.code, now=desk.now)
            desk.reading.repeated += 1
        case Standing():
            if posting is Standing.ALREADY_RETURNED:
                await heard_again(desk.tx, payment, returned.code, now=desk.now)
            alert_id = await alert(
                desk.tx,
                f"ach_return_{posting.value}",
                f"{returned.code} {RETURN_REASONS[returned.code].title}{_disputed(returned)}:"
                f" the payment is {payment.state}",
                provider_id=payment.provider_id,
                disbursement_id=payment.disbursement_id,
                key=returned.code,
                now=desk.now,
            )
            explanation = f"{returned.code} for a payment that is {payment.state}"
            desk.reject(found, posting.value, explanation, alert_id)
        case Kind():
            outcome = Outcome(
                disbursement_id=payment.disbursement_id,
                kind=posting,
                evidence=f"ACH file {desk.file} record {found.record}",
                payment_number=payment.payment_number or f"trace {entry.trace}",
                day=_settled_on(found, desk.now),
                return_code=returned.code,
            )
            refused = await apply_apart(desk.tx, [outcome], payments, actor=BANK, now=desk.now)
            if (alert_id := refused.get(outcome.disbursement_id)) is not None:
                explanation = f"{returned.code}: the ledger refuses the posting"
                desk.reject(found, "books_refused", explanation, alert_id)
            else:
                desk.reading.returned += 1


def _disputed(returned: ReturnAddendum) -> str:
    """Which return two banks argue about."""
    about = returned.dispute
    return "" if about is None else f", about return R{about.return_code} with trace {about.return_trace}"


async def _prenote_returned(desk: _Desk, found: Found, code: str, entry: SentEntry) -> None:
    """An account whose prenote came back is never paid to, whatever the reason."""
    account = await payee_store.account(desk.tx, entry.account_id)
    if account is None or account.state is AccountState.INVALID:
        desk.reading.repeated += 1
        return
    if RETURN_POSTINGS[code].before is None:
        desk.reject(found, Standing.BETWEEN_BANKS.value, f"{code} for a prenote")
        return
    title = RETURN_REASONS[code].title
    await payee_store.end_account(
        desk.tx, entry.account_id, AccountState.INVALID, f"prenote: {code} {title}", now=desk.now
    )
    await alert(
        desk.tx,
        "prenote_returned",
        f"{code} {title}: account {account.masked} is not paid to",
        provider_id=entry.provider_id,
        key=entry.account_id,
        now=desk.now,
    )
    desk.reading.prenotes += 1


async def _changed(desk: _Desk, change: ChangeAddendum, entry: SentEntry) -> None:
    """A notification is the receiving bank's word, not the payee's: it waits for the call-back like any other."""
    title = CHANGE_REASONS[change.code].title
    account = await payee_store.account(desk.tx, entry.account_id)
    assert account is not None
    explanation = f"{change.code} {title}, account {account.masked}"
    desk.reading.changes += 1
    if CHANGE_POSTINGS[change.code] is ChangePosting.PROPOSES_CHANGE:
        # Live entries go on for six banking days; the first one after a prenote may not bear what the bank corrects.
        live = entry.disbursement_id is not None
        last_day = after(operator_day(desk.now), APPLY_WITHIN_BANKING_DAYS) if live else entry.effective_on
        await payee_store.correct_by(desk.tx, entry.account_id, last_day, now=desk.now)
        explanation += f": paid to as it stands until {last_day}" if live else ": not paid to as it stands"
    if CHANGE_POSTINGS[change.code] is ChangePosting.PROPOSES_CHANGE:
        try:
            await open_change(
                desk.tx,
                entry.provider_id,
                Proposal(account=_corrected(desk, account, change), old_stays=True),
                source=NOTIFIED,
                reference=f"{change.code} trace {entry.trace}",
                maker=BANK,
                numbers=desk.numbers,
                now=desk.now,
            )
            explanation += "; proposed as a change: call the payee back"
        except ChangeAlreadyOpen:
            explanation += "; another change of this payee is open: look at both"
        except AccountFaulty as fault:
            explanation += f"; not proposed: {fault}"
    await alert(
        desk.tx,
        NOTIFIED,
        explanation,
        provider_id=entry.provider_id,
        key=f"{change.code} {entry.trace} {entry.effective_on}",
        now=desk.now,
    )


async def _refused(desk: _Desk, change: ChangeAddendum, entry: SentEntry) -> None:
    """Our bank does not accept a notification: people look again at whatever came of it."""
    account = await payee_store.account(desk.tx, entry.account_id)
    assert account is not None
    desk.reading.changes += 1
    await alert(
        desk.tx,
        "change_refused",
        f"{change.code} {REFUSALS[change.code]}: {change.refused_code} about account {account.masked} does not stand:"
        " look again at the change that came of it",
        provider_id=entry.provider_id,
        key=f"{change.code} {change.refused_code} {entry.trace} {entry.effective_on}",
        now=desk.now,
    )


def _corrected(desk: _Desk, account: Account, change: ChangeAddendum) -> NewAccount:
    given = correction(change.code, change.corrected_data)
    account_type = account.account_type
    if given.transaction_code is not None:
        account_type = TRANSACTIONS[given.transaction_code].account
    if account_type not in {"checking", "savings"}:
        raise AccountFaulty(why=f"a {account_type} account is not paid to")
    number = given.account_number or desk.numbers.open(account.account_id, account.sealed_number)
    return NewAccount(
        holder_name=given.name or account.holder_name,
        routing_number=given.routing_number or account.routing_number,
        number=number,
        account_type=account_type,
    )


def _settled_on(found: Found, now: datetime) -> date:
    """The day the return was sent for, else the operator's day."""
    return found.batch.effective_on or operator_day(now)
