"""What a return means for its payee beyond the one payment, whichever way its reason reached us.

The bank's ACH file, its statement and the finance system may each tell of one return, in any order.
"""

from datetime import datetime

from kit.db import Connection
from services.payments.nacha import RETURN_REASONS
from services.payments.payees.payees import AccountState, HoldSource
from services.payments.rails.ach_answers import RETURN_POSTINGS, PayeeEffect
from services.payments.store import batches as batch_store
from services.payments.store import disbursements as store
from services.payments.store import payees as payee_store
from services.payments.store.batches import SentEntry
from services.payments.store.disbursements import Disbursement
from services.payments.usecases.screening import alert, place_hold

BANK = "bank"
NO_CODE = "X00"
"""The bank took a payment back and gave no reason."""


async def heard_again(tx: Connection, payment: Disbursement, code: str, *, now: datetime) -> None:
    """Another word about a payment that had come back: its reason is kept where none was known, and has its effect."""
    await store.return_explained(tx, payment.disbursement_id, code, unknown=NO_CODE)
    await payee_effect(tx, payment, code, now=now)


async def payee_effect(tx: Connection, payment: Disbursement, code: str, *, now: datetime) -> None:
    """End the account, hold the payee or call staff, as the code asks; said again it changes nothing."""
    if code not in RETURN_POSTINGS:
        return
    entry = await batch_store.entry_of(tx, payment.disbursement_id)
    match RETURN_POSTINGS[code].payee:
        case PayeeEffect.INVALID_ACCOUNT if entry is not None:
            await _end_account(tx, entry, code, now=now)
        case PayeeEffect.HELD:
            sent = payment.disbursement_id if entry is None else f"{entry.trace} {entry.effective_on}"
            reason = f"{code} {RETURN_REASONS[code].title}"
            await place_hold(tx, payment.provider_id, HoldSource.RETURN, f"{code} {sent}", reason, by=BANK, now=now)
        case PayeeEffect.ALERT:
            await alert(
                tx,
                "ach_record_faulty",
                f"{code} {RETURN_REASONS[code].title}: correct our record before it is sent again",
                provider_id=payment.provider_id,
                disbursement_id=payment.disbursement_id,
                key=code,
                now=now,
            )
        case PayeeEffect.INVALID_ACCOUNT | PayeeEffect.NOTHING:
            pass


async def _end_account(tx: Connection, entry: SentEntry, code: str, *, now: datetime) -> None:
    account = await payee_store.account(tx, entry.account_id)
    # Said again, it must not undo what the payee has stated since.
    if account is None or account.state is AccountState.INVALID:
        return
    reason = f"{code} {RETURN_REASONS[code].title}"
    await payee_store.end_account(tx, entry.account_id, AccountState.INVALID, reason, now=now)
    # Not back to an older account by itself: what is right now is for the payee to say.
    await payee_store.close_older(tx, entry.provider_id, entry.account_id, code, now=now)
    await payee_store.forget_rail_before(tx, entry.provider_id, now=now)
