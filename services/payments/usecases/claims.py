"""Match a claim and decide it; an approved one makes its money payable."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from contracts.envelope import Fact
from contracts.errors import NotFound
from contracts.events.payments import ClaimApproved, ClaimReferred, ClaimRefused, ClaimReturned, FundsReleased
from contracts.ids import TransferId
from contracts.plan import CostKind
from contracts.steps.payments import ClaimReviewed, ClaimStatus, ReviewClaim
from kit import outbox
from kit.db import Connection, Database
from services.payments.books.ledger import Kind
from services.payments.claims.checks import ClaimFile, Papers, Review, review
from services.payments.claims.lines import asked_by_line
from services.payments.claims.prompt_pay import clock_from, day_in, due, end_of, notice_due
from services.payments.claims.queues import queue_for
from services.payments.claims.requests import proper_invoice_at, slot_for
from services.payments.domain import Funding, FundingState, NotYetKnown, RequestDiffers, person
from services.payments.store import charges as charge_store
from services.payments.store import claim_notices as notice_store
from services.payments.store import claim_queues as queue_store
from services.payments.store import claim_rules
from services.payments.store import claims as claim_store
from services.payments.store import funding as funding_store
from services.payments.store import ledger as ledger_store
from services.payments.store import payees as payee_store
from services.payments.store import program as program_store
from services.payments.store import vouchers as voucher_store
from services.payments.store.claim_queues import OpenReview
from services.payments.store.claims import Claim, Decision
from services.payments.usecases.advances import advance_claim_of
from services.payments.usecases.charges import (
    PERSON_SAYS_CHARGED,
    ask_whether_charged,
    not_answered_by,
    stop_approved,
)
from services.payments.usecases.postings import move_of, post_moves
from services.payments.usecases.waiting import serve_waiting

NO_SUPPLIER = "unknown"
APPROVERS_MAX = 4


async def review_claim(ask: ReviewClaim, *, business_unit: str, db: Database, now: datetime) -> ClaimReviewed:
    """Run every check; approve, return, refer or refuse. A decided claim is decided; a referred one hears staff."""
    async with db.transaction() as tx:
        await funding_store.lock_case(tx, ask.application_id)
        earlier = await claim_store.claim(tx, ask.claim_id)
        seen = await queue_store.review_of(tx, ask.claim_id)
        if seen is not None and seen.review_number != ask.review_number:
            ask = ask.model_copy(update={"approved_by": []})
        if earlier is not None and not _asks_anew(earlier, ask):
            return _answer(earlier, seen)
        file = await _open_file(tx, ask, now=now)
        found = review(file)
        if seen is not None and _came_up_since(seen, found):
            await _supersede(tx, file, now=now)
            file = replace(file, claim=ask.model_copy(update={"approved_by": []}))
            found = review(file)
        return await _decide(tx, file, found, earlier, business_unit=business_unit, now=now)


async def claim_of_provider(claim_id: str, provider_id: str, *, db: Database) -> Claim:
    """The claim with every check; `NotFound` for another provider's."""
    async with db.transaction() as tx:
        found = await claim_store.claim(tx, claim_id)
    if found is None or found.provider_id != provider_id:
        raise NotFound(kind="claim")
    return found


async def any_claim(claim_id: str, *, db: Database) -> Claim:
    """The claim, for staff; `NotFound` where there is none."""
    async with db.transaction() as tx:
        found = await claim_store.claim(tx, claim_id)
    if found is None:
        raise NotFound(kind="claim")
    return found


def _asks_anew(earlier: Claim, ask: ReviewClaim) -> bool:
    if (earlier.application_id, earlier.claimed_cents) != (ask.application_id, ask.amount_cents):
        raise RequestDiffers(what="claim")
    heard = (set(earlier.approved_by), earlier.refused_by) == (set(ask.approved_by), ask.refused_by)
    # A stopped claim is out of its case's hands: an approval there would let it go on past those who look at it now.
    return earlier.status is ClaimStatus.REFERRED and not earlier.is_stopped and not heard


def _came_up_since(seen: OpenReview, found: Review) -> frozenset[str]:
    """The doubts that were not before the people who look at the claim. The person's own word stops it by itself."""
    return found.doubts - {*seen.reasons, PERSON_SAYS_CHARGED}


async def _supersede(tx: Connection, file: ClaimFile, *, now: datetime) -> None:
    """Close the review that does not name every doubt; whoever approved in it is kept there, and counts no more."""
    for name in file.approvers:
        await queue_store.say(tx, file.claim.claim_id, name, "approve", "through the case", now=now)
    await queue_store.decide(tx, file.claim.claim_id, "superseded", now=now)


def _answer(claim: Claim, seen: OpenReview | None) -> ClaimReviewed:
    # A stopped claim was approved, and its case hears what it heard: those who look at it now decide on it apart.
    return ClaimReviewed(
        status=ClaimStatus.APPROVED if claim.is_stopped else claim.status,
        approved_cents=claim.claimed_cents if claim.is_stopped else claim.approved_cents,
        checks=list(claim.checks),
        due_at=claim.due_at,
        review_number=seen.review_number if seen else 1,
        **_who_counts(claim.approved_by, claim.approvers),
    )


def _who_counts(approved_by: Sequence[str], approvers: Sequence[str]) -> dict[str, list[str]]:
    return {
        "approvals_counted": list(approvers)[:APPROVERS_MAX],
        "approvals_barred": [name for name in approved_by if person(name) not in approvers][:APPROVERS_MAX],
    }


async def _open_file(tx: Connection, ask: ReviewClaim, *, now: datetime) -> ClaimFile:
    """What the claim is matched against; `NotYetKnown` while a fact that must exist is on its way."""
    enrollment = await program_store.enrollment(tx, ask.enrollment_id)
    if enrollment is None:
        raise NotYetKnown(what="enrollment")
    credential = await program_store.credential(tx, ask.application_id)
    if credential is None:
        raise NotYetKnown(what="credential")
    funding = await funding_store.current(tx, ask.application_id)
    payee = await payee_store.listed_payee(tx, funding.program_id, ask.provider_id) if funding else None
    supplier = payee and (payee.supplier_at(now) or payee.supplier_number)
    await claim_store.lock_invoice(tx, supplier or NO_SUPPLIER, ask.provider_id, ask.invoice_number)
    file = ClaimFile(
        claim=ask,
        funding=funding,
        enrollment=enrollment,
        credential=credential,
        supplier_number=supplier,
        earlier=await claim_store.earlier(tx, supplier or NO_SUPPLIER, ask),
        today=now.astimezone(UTC).date(),
    )
    if funding is None:
        return file
    papers = await _papers(tx, ask, funding)
    return replace(file, papers=papers, today=day_in(papers.rules.time_zone, now))


async def _papers(tx: Connection, ask: ReviewClaim, funding: Funding) -> Papers:
    await claim_store.lock_person(tx, funding.person_id, ask.credential_id)
    return Papers(
        rules=await claim_rules.rules_of(tx, funding.program_id),
        listed=await claim_rules.listed_prices(tx, funding.program_id, ask.credential_id),
        cap_cents=await claim_rules.cap_of(tx, funding.program_id, funding.round_id),
        twins=await claim_store.twins(tx, funding.person_id, ask),
        charged=await charge_store.word(tx, ask.application_id),
        exam_voucher=await voucher_store.standing_of_case(tx, ask.application_id),
        payee_recorders=await queue_store.payee_recorders(tx, ask.provider_id),
    )


async def _decide(
    tx: Connection, file: ClaimFile, found: Review, earlier: Claim | None, *, business_unit: str, now: datetime
) -> ClaimReviewed:
    ask = file.claim
    decision = await _received(tx, file, found, earlier, business_unit=business_unit)
    facts: list[Fact] = []
    if found.status is ClaimStatus.APPROVED and file.funding is not None:
        zone = file.papers.rules.time_zone
        proper_at = decision.payable_from or ask.submitted_at
        returned = await notice_store.returned_before(tx, ask.application_id, ask.claim_id, ask.submitted_at)
        began_at = clock_from(ask.submitted_at, proper_at, returned, zone)
        due_on = due(began_at, zone)
        payable_id = await _make_payable(tx, file, file.funding, now=now)
        decision = replace(
            decision,
            approved_cents=ask.amount_cents,
            advanced_cents=file.advanced_cents,
            due_on=due_on,
            due_at=end_of(due_on, zone),
            due_from=day_in(zone, began_at) if began_at < proper_at else None,
            payable_transfer_id=payable_id,
        )
        rest = file.funding.encumbered_cents - ask.amount_cents
        if rest:
            facts.append(
                FundsReleased(
                    application_id=ask.application_id,
                    released_cents=rest,
                    reason="claim_below_encumbrance",
                    released_at=now,
                )
            )
    await claim_store.save(tx, ask, decision, now=now)
    seen = await queue_store.review_of(tx, ask.claim_id)
    await _record_review(tx, file, found, now=now)
    await outbox.append_all(tx, [_fact(ask, found, decision, now=now), *facts], now=now)
    if found.status is ClaimStatus.APPROVED:
        await ask_whether_charged(
            tx,
            ask,
            decision.approved_cents,
            days=file.papers.rules.charge_answer_days,
            word=file.papers.charged,
            now=now,
        )
        if not_answered_by(seen, file.papers.charged):
            await stop_approved(tx, ask.claim_id, now=now)
    if facts and file.funding is not None:
        await serve_waiting(tx, file.funding.book, now=now)
    waits = await queue_store.review_of(tx, ask.claim_id)
    return ClaimReviewed(
        status=found.status,
        approved_cents=decision.approved_cents,
        checks=list(found.checks),
        due_at=decision.due_at,
        review_number=waits.review_number if waits else 1,
        **_who_counts(ask.approved_by, decision.approvers),
    )


async def _received(
    tx: Connection, file: ClaimFile, found: Review, earlier: Claim | None, *, business_unit: str
) -> Decision:
    """The decision as far as it does not depend on the outcome: whose claim it is, and in which month's request.

    A claim keeps the request that it came into, however late people decide it: its thirty days have begun.
    """
    ask, funding = file.claim, file.funding
    slot, payable_from = None, None
    if earlier is not None and earlier.slot is not None:
        slot, payable_from = earlier.slot, earlier.payable_from
    elif funding is not None:
        rules = file.papers.rules
        await queue_store.lock_requests(tx, funding.program_id, ask.provider_id)
        month = day_in(rules.time_zone, ask.submitted_at).replace(day=1)
        closed = await queue_store.closed_requests(tx, funding.program_id, ask.provider_id, month)
        slot = slot_for(ask.submitted_at, rules.time_zone, rules.per_month_max, closed)
        proper_at = proper_invoice_at(ask.submitted_at, slot, rules.time_zone)
        payable_from = proper_at if proper_at > ask.submitted_at else None
    return Decision(
        status=found.status,
        checks=found.checks,
        business_unit=business_unit,
        supplier_number=file.supplier_number or NO_SUPPLIER,
        program_id=funding.program_id if funding else None,
        person_id=funding.person_id if funding else None,
        approvers=file.approvers,
        approvers_needed=found.approvers_needed,
        slot=slot,
        payable_from=payable_from,
        notice_due_at=(
            notice_due(ask.submitted_at, file.papers.rules.time_zone) if found.status is ClaimStatus.RETURNED else None
        ),
    )


async def _record_review(tx: Connection, file: ClaimFile, found: Review, *, now: datetime) -> None:
    """Keep the queue and everybody's word on it, as the journey brought them."""
    ask = file.claim
    if found.status is ClaimStatus.REFERRED:
        await queue_store.open_review(
            tx,
            ask.claim_id,
            queue=queue_for(check.reason for check in found.checks if not check.passed),
            origin="match",
            reasons=[check.reason for check in found.checks if not check.passed],
            approvers_needed=found.approvers_needed,
            submitted_by=ask.provider_id,
            now=now,
        )
    for name in file.approvers:
        await queue_store.say(tx, ask.claim_id, name, "approve", "through the case", now=now)
    if ask.refused_by is not None and person(ask.refused_by) != ask.provider_id:
        await queue_store.say(tx, ask.claim_id, person(ask.refused_by), "refuse", "through the case", now=now)
    if found.status is not ClaimStatus.REFERRED:
        decided = "approved" if found.status is ClaimStatus.APPROVED else "refused"
        await queue_store.decide(tx, ask.claim_id, decided, now=now)


async def _make_payable(tx: Connection, file: ClaimFile, funding: Funding, *, now: datetime) -> TransferId:
    """What was paid in advance is not payable again; what the claim does not need goes back."""
    ask, pending = file.claim, funding.encumbrance_transfer_id
    cents, rest = ask.amount_cents - funding.advanced_cents, funding.encumbered_cents - ask.amount_cents
    asked = asked_by_line(file, await _advanced_by_line(tx, funding))
    expend = move_of(
        funding, Kind.EXPEND, cents, of=pending, reason="claim approved", at=now, key=ask.claim_id, asked=asked
    )
    moves = [expend]
    if rest:
        moves.append(
            move_of(
                funding, Kind.LIQUIDATE, rest, of=pending, reason="claim below encumbrance", at=now, key=ask.claim_id
            )
        )
    await post_moves(tx, moves)
    await funding_store.ended(tx, funding, FundingState.EXPENDED, "claim_approved", rest, now=now)
    return expend.id


async def _advanced_by_line(tx: Connection, funding: Funding) -> Mapping[CostKind, int]:
    if not funding.advanced_cents or len(funding.lines) == 1:
        return {}
    advance = await claim_store.claim(tx, advance_claim_of(funding.application_id))
    if advance is None or advance.payable_transfer_id is None:
        return {}
    return await ledger_store.moved_by_line(tx, advance.payable_transfer_id)


def _fact(
    ask: ReviewClaim, found: Review, decision: Decision, *, now: datetime
) -> ClaimApproved | ClaimReturned | ClaimReferred | ClaimRefused:
    case, claim, provider, cents = ask.application_id, ask.claim_id, ask.provider_id, ask.amount_cents
    checks = list(found.checks)
    if found.status is ClaimStatus.APPROVED and decision.due_at is not None:
        return ClaimApproved(
            application_id=case,
            claim_id=claim,
            provider_id=provider,
            claimed_cents=cents,
            checks=checks,
            decided_at=now,
            approved_cents=decision.approved_cents,
            due_at=decision.due_at,
        )
    kinds = {
        ClaimStatus.RETURNED: ClaimReturned,
        ClaimStatus.REFERRED: ClaimReferred,
        ClaimStatus.REFUSED: ClaimRefused,
    }
    return kinds[found.status](
        application_id=case, claim_id=claim, provider_id=provider, claimed_cents=cents, checks=checks, decided_at=now
    )
