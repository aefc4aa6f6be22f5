"""Match a claim and decide it; an approved one makes its money payable."""

from datetime import UTC, datetime

from contracts.envelope import Fact
from contracts.errors import NotFound
from contracts.events.payments import ClaimApproved, ClaimReferred, ClaimRefused, ClaimReturned, FundsReleased
from contracts.ids import TransferId
from contracts.steps.payments import ClaimReviewed, ClaimStatus, ReviewClaim
from kit import outbox
from kit.db import Connection, Database
from services.payments.claims import ClaimFile, Review, prompt_pay_due, review
from services.payments.domain import Funding, FundingState, NotYetKnown, RequestDiffers
from services.payments.ledger import Kind
from services.payments.store import claims as claim_store
from services.payments.store import funding as funding_store
from services.payments.store import program as program_store
from services.payments.store.claims import Claim
from services.payments.usecases.postings import post_or_fail, transfer_of
from services.payments.usecases.waiting import serve_waiting

NO_SUPPLIER = "unknown"


async def review_claim(ask: ReviewClaim, *, business_unit: str, db: Database, now: datetime) -> ClaimReviewed:
    """Run every check; approve, return, refer or refuse. A decided claim is decided; a referred one hears staff."""
    async with db.transaction() as tx:
        await funding_store.lock_case(tx, ask.application_id)
        earlier = await claim_store.claim(tx, ask.claim_id)
        if earlier is not None and not _asks_anew(earlier, ask):
            return _answer(earlier)
        file = await _open_file(tx, ask, now=now)
        found = review(file)
        return await _decide(tx, file, found, business_unit=business_unit, now=now)


async def claim_of_provider(claim_id: str, provider_id: str, *, db: Database) -> Claim:
    """The claim with every check; `NotFound` for another provider's."""
    async with db.transaction() as tx:
        found = await claim_store.claim(tx, claim_id)
    if found is None or found.provider_id != provider_id:
        raise NotFound(kind="claim")
    return found


def _asks_anew(earlier: Claim, ask: ReviewClaim) -> bool:
    if (earlier.application_id, earlier.claimed_cents) != (ask.application_id, ask.amount_cents):
        raise RequestDiffers(what="claim")
    heard = (set(earlier.approved_by), earlier.refused_by) == (set(ask.approved_by), ask.refused_by)
    return earlier.status is ClaimStatus.REFERRED and not heard


def _answer(claim: Claim) -> ClaimReviewed:
    return ClaimReviewed(
        status=claim.status, approved_cents=claim.approved_cents, checks=list(claim.checks), due_at=claim.due_at
    )


async def _open_file(tx: Connection, ask: ReviewClaim, *, now: datetime) -> ClaimFile:
    """What the claim is matched against; `NotYetKnown` while a fact that must exist is on its way."""
    enrollment = await program_store.enrollment(tx, ask.enrollment_id)
    if enrollment is None:
        raise NotYetKnown(what="enrollment")
    credential = await program_store.credential(tx, ask.application_id)
    if credential is None:
        raise NotYetKnown(what="credential")
    funding = await funding_store.current(tx, ask.application_id)
    supplier = None
    if funding is not None:
        supplier = await program_store.supplier_number(tx, funding.program_id, ask.provider_id)
    payee = supplier or NO_SUPPLIER
    await claim_store.lock_invoice(tx, payee, ask.invoice_number)
    return ClaimFile(
        claim=ask,
        funding=funding,
        enrollment=enrollment,
        credential=credential,
        supplier_number=supplier,
        earlier=await claim_store.earlier(tx, payee, ask.invoice_number, ask.claim_id),
        # The program's offices are west of Greenwich: an invoice dated today there is never later than this.
        today=now.astimezone(UTC).date(),
    )


async def _decide(
    tx: Connection, file: ClaimFile, found: Review, *, business_unit: str, now: datetime
) -> ClaimReviewed:
    ask, approved_cents = file.claim, 0
    due_at: datetime | None = None
    payable_id: TransferId | None = None
    facts: list[Fact] = []
    if found.status is ClaimStatus.APPROVED and file.funding is not None:
        approved_cents, due_at = ask.amount_cents, prompt_pay_due(ask.submitted_at)
        payable_id = await _make_payable(tx, file.funding, ask, now=now)
        rest = file.funding.encumbered_cents - approved_cents
        if rest:
            facts.append(
                FundsReleased(
                    application_id=ask.application_id,
                    released_cents=rest,
                    reason="claim_below_encumbrance",
                    released_at=now,
                )
            )
    await claim_store.save(
        tx,
        ask,
        business_unit=business_unit,
        supplier_number=file.supplier_number or NO_SUPPLIER,
        status=found.status,
        approved_cents=approved_cents,
        checks=found.checks,
        due_at=due_at,
        payable_transfer_id=payable_id,
        now=now,
    )
    await outbox.append_all(tx, [_fact(ask, found, approved_cents, due_at, now=now), *facts], now=now)
    if facts and file.funding is not None:
        await serve_waiting(tx, file.funding.book, now=now)
    return ClaimReviewed(status=found.status, approved_cents=approved_cents, checks=list(found.checks), due_at=due_at)


async def _make_payable(tx: Connection, funding: Funding, ask: ReviewClaim, *, now: datetime) -> TransferId:
    pending = funding.encumbrance_transfer_id
    expend = transfer_of(
        funding, Kind.EXPEND, ask.amount_cents, of=pending, reason="claim approved", at=now, key=ask.claim_id
    )
    transfers = [expend]
    rest = funding.encumbered_cents - ask.amount_cents
    if rest:
        transfers.append(
            transfer_of(
                funding, Kind.LIQUIDATE, rest, of=pending, reason="claim below encumbrance", at=now, key=ask.claim_id
            )
        )
    await post_or_fail(tx, transfers)
    await funding_store.ended(tx, funding, FundingState.EXPENDED, "claim_approved", rest, now=now)
    return expend.id


def _fact(
    ask: ReviewClaim, found: Review, approved_cents: int, due_at: datetime | None, *, now: datetime
) -> ClaimApproved | ClaimReturned | ClaimReferred | ClaimRefused:
    case, claim, provider, cents = ask.application_id, ask.claim_id, ask.provider_id, ask.amount_cents
    checks = list(found.checks)
    if found.status is ClaimStatus.APPROVED and due_at is not None:
        return ClaimApproved(
            application_id=case,
            claim_id=claim,
            provider_id=provider,
            claimed_cents=cents,
            checks=checks,
            decided_at=now,
            approved_cents=approved_cents,
            due_at=due_at,
        )
    kinds = {
        ClaimStatus.RETURNED: ClaimReturned,
        ClaimStatus.REFERRED: ClaimReferred,
        ClaimStatus.REFUSED: ClaimRefused,
    }
    return kinds[found.status](
        application_id=case, claim_id=claim, provider_id=provider, claimed_cents=cents, checks=checks, decided_at=now
    )
