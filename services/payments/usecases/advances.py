"""Pay ahead where the program says so; agree on what is owed back; take it out of the provider's next payments."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from contracts.errors import NotFound
from contracts.events.payments import AdvanceGranted, ClaimCheck, PaymentPurpose
from contracts.ids import ApplicationId, ClaimId
from contracts.money import dollars
from contracts.steps.payments import ClaimStatus, PayClaim, ReviewClaim
from kit import outbox
from kit.db import Connection, Database
from services.payments.books.cost_lines import Move
from services.payments.books.ledger import Kind
from services.payments.claims.advances import (
    NothingOwed,
    RefundAlreadyAgreed,
    RefundId,
    advance_cents,
    advance_for,
    netted,
    refund_due,
)
from services.payments.claims.prompt_pay import day_in, due, end_of
from services.payments.claims.provider_statement import ADVANCE
from services.payments.domain import Funding, FundingState, two_people
from services.payments.store import advances as store
from services.payments.store import claim_rules
from services.payments.store import claims as claim_store
from services.payments.store import funding as funding_store
from services.payments.store import payees as payee_store
from services.payments.store.advances import Refund
from services.payments.store.claims import Claim, ClaimKind, Decision
from services.payments.store.disbursements import Disbursement
from services.payments.usecases.disbursements import order_payment
from services.payments.usecases.postings import move_of, post_moves
from services.payments.usecases.screening import alert
from services.payments.usecases.waiting import serve_waiting

ADVANCES_PER_SWEEP_MAX = 200
REFUND_TO_AGREE = "refund_to_agree"


async def grant_advances(*, business_unit: str, db: Database, now: datetime) -> int:
    """Pay ahead on accepted enrollments whose provider's standing earns it; returns how many."""
    async with db.connection() as connection:
        cases = await store.to_advance(connection, ADVANCES_PER_SWEEP_MAX, now=now)
    granted, first = 0, None
    for application_id in cases:
        try:
            async with db.transaction() as tx:
                await funding_store.lock_case(tx, application_id)
                granted += await _grant(tx, application_id, business_unit=business_unit, now=now)
        except Exception as error:
            # One case's fault keeps no other waiting.
            first = first or error
    if first is not None:
        raise first
    return granted


def advance_claim_of(application_id: ApplicationId) -> ClaimId:
    """The claim in whose form a case's advance is kept; a case has one at most."""
    return ClaimId.derive(ADVANCE, application_id)


async def _grant(tx: Connection, application_id: ApplicationId, *, business_unit: str, now: datetime) -> bool:
    funding = await funding_store.current(tx, application_id)
    if funding is None or funding.state is not FundingState.ENCUMBERED or funding.advanced_cents:
        return False
    if funding.enrollment_id is None:
        return False
    rules = await claim_rules.rules_of(tx, funding.program_id)
    today = day_in(rules.time_zone, now)
    standing = await claim_rules.standing_of(tx, funding.program_id, funding.provider_id)
    rule = advance_for(rules, standing, today)
    payee = await payee_store.listed_payee(tx, funding.program_id, funding.provider_id)
    cents = advance_cents(funding.encumbered_cents, rule.percent) if rule else 0
    if rule is None or payee is None or cents <= 0:
        return False
    claim_id, due_on = advance_claim_of(application_id), due(now, rules.time_zone)
    expend = move_of(
        funding, Kind.EXPEND, cents, of=funding.encumbrance_transfer_id, reason=ADVANCE, at=now, key=claim_id
    )
    await post_moves(tx, [expend])
    await store.advanced(tx, application_id, funding.hold_number, cents, now=now)
    text = f"{rule.percent} percent are paid in advance to a provider of this standing."
    decision = Decision(
        status=ClaimStatus.APPROVED,
        checks=[ClaimCheck(check="standing_earns_an_advance", passed=True, reason="passed", text=text)],
        business_unit=business_unit,
        supplier_number=payee.supplier_at(now) or payee.supplier_number,
        program_id=funding.program_id,
        person_id=funding.person_id,
        approvers=(),
        approvers_needed=0,
        slot=None,
        payable_from=None,
        approved_cents=cents,
        due_on=due_on,
        due_at=end_of(due_on, rules.time_zone),
        payable_transfer_id=expend.id,
        kind=ClaimKind.ADVANCE,
    )
    await claim_store.save(tx, _as_claim(funding, claim_id, cents, today.isoformat(), now), decision, now=now)
    fact = AdvanceGranted(
        application_id=application_id,
        claim_id=claim_id,
        provider_id=funding.provider_id,
        amount_cents=cents,
        granted_at=now,
    )
    await outbox.append(tx, fact, now=now)
    await order_payment(tx, PayClaim(application_id=application_id, claim_id=claim_id, attempt_number=1), now=now)
    return True


def _as_claim(funding: Funding, claim_id: ClaimId, cents: int, day: str, now: datetime) -> ReviewClaim:
    """The advance in the form in which claims are kept; its invoice number is the case's own."""
    return ReviewClaim.model_validate(
        {
            "application_id": funding.application_id,
            "claim_id": claim_id,
            "enrollment_id": funding.enrollment_id,
            "provider_id": funding.provider_id,
            "credential_id": funding.credential_id,
            "invoice_number": f"ADV-{funding.application_id[-16:]}",
            "invoice_on": day,
            "amount_cents": cents,
            "participant_charged_cents": 0,
            "credential_earned_on": day,
            "claim_due_at": now,
            "submitted_at": now,
            "auto_approve_max_cents": cents,
        }
    )


async def propose_refund(
    tx: Connection, program_id: str, round_id: str, provider_id: str, *, maker: str, now: datetime
) -> Refund:
    """Assess the provider's advances of a round: what it owes back, for another person to agree. `NothingOwed`."""
    rules = await claim_rules.rules_of(tx, program_id)
    below = max((rule.refund_below_percent for rule in rules.advances), default=0)
    found = refund_due(await store.of_round(tx, program_id, round_id, provider_id), below)
    if not found.parts:
        raise NothingOwed(earned=found.earned, decided=found.decided)
    refund = Refund(
        refund_id=RefundId.new(),
        program_id=program_id,
        round_id=round_id,
        provider_id=provider_id,
        earned=found.earned,
        decided=found.decided,
        cents=found.cents,
        made_by=maker,
        checked_by=None,
    )
    await store.add_refund(tx, refund, found.parts, now=now)
    return refund


async def owe_back(tx: Connection, claim: Claim, reason: str, *, maker: str, now: datetime) -> Refund | None:
    """What the provider was paid for one person, on a claim that people refused; another person agrees to it.

    The advance and what was netted are part of it. None where nothing was paid.
    """
    funding = await funding_store.current(tx, claim.application_id)
    parts = await store.paid_on(tx, funding, claim.claim_id) if funding is not None else []
    if funding is None or not parts:
        return None
    refund = Refund(
        refund_id=RefundId.new(),
        program_id=funding.program_id,
        round_id=funding.round_id,
        provider_id=claim.provider_id,
        earned=0,
        decided=0,
        cents=sum(part.cents for part in parts),
        made_by=maker,
        checked_by=None,
        reason=reason,
    )
    await store.add_refund(tx, refund, parts, now=now)
    explanation = (
        f"{dollars(refund.cents)} paid for a person whom the provider charged are owed back:"
        f" another person agrees to {refund.refund_id}, then it is taken out of the provider's next payments"
    )
    await alert(tx, REFUND_TO_AGREE, explanation, provider_id=claim.provider_id, key=refund.refund_id, now=now)
    return refund


async def agree_refund(tx: Connection, refund_id: str, *, checker: str, now: datetime) -> Refund:
    """Agree to what somebody else assessed; from here on it is taken out of the provider's payments."""
    refund = await store.refund(tx, refund_id)
    if refund is None:
        raise NotFound(kind="refund")
    two_people(checker, refund.made_by)
    if refund.checked_by is not None:
        raise RefundAlreadyAgreed
    await store.agree(tx, refund_id, checker, now=now)
    return replace(refund, checked_by=checker)


async def propose_one(
    program_id: str, round_id: str, provider_id: str, *, maker: str, db: Database, now: datetime
) -> Refund:
    """`propose_refund` in a transaction of its own."""
    async with db.transaction() as tx:
        return await propose_refund(tx, program_id, round_id, provider_id, maker=maker, now=now)


async def agree_one(refund_id: str, *, checker: str, db: Database, now: datetime) -> Refund:
    """`agree_refund` in a transaction of its own."""
    async with db.transaction() as tx:
        return await agree_refund(tx, refund_id, checker=checker, now=now)


async def net_refunds(
    tx: Connection, payments: Sequence[Disbursement], *, actor: str, now: datetime
) -> list[Disbursement]:
    """Pay claims with what their provider owes back, as far as it goes; the payments with what is left of them.

    Each cent is two entries: it comes back from the advance that it was paid as, and settles the claim it pays now.
    """
    claims = [one for one in payments if one.purpose is PaymentPurpose.CLAIM]
    left = {one.disbursement_id: one for one in payments}
    for provider_id in sorted({one.provider_id for one in claims}):
        if not await store.owed_by(tx, provider_id):
            continue
        for payment in claims:
            if payment.provider_id == provider_id:
                left[payment.disbursement_id] = await _net(tx, payment, actor=actor, now=now)
    return list(left.values())


async def _net(tx: Connection, payment: Disbursement, *, actor: str, now: datetime) -> Disbursement:
    owed = await store.owed_by(tx, payment.provider_id)
    if not owed:
        return payment
    fundings = await funding_store.expended(tx, [payment.application_id])
    # A case whose claim was refused after its payment has nothing expended any more, and owes.
    fundings |= await funding_store.encumbered_once(tx, [part.application_id for part in owed])
    moves: list[Move] = []
    total = 0
    for part, cents in zip(owed, netted(payment.amount_cents, [part.cents for part in owed]), strict=True):
        if not cents:
            continue
        paid, pays = fundings[part.application_id], fundings[payment.application_id]
        settled, payable = part.settle_transfer_id, payment.payable_transfer_id
        why, key = f"refund {part.refund_id}", f"{part.settle_transfer_id} {payment.disbursement_id}"
        moves += [
            move_of(paid, Kind.RECOVER, cents, of=settled, reason=why, at=now, actor=actor, key=key),
            move_of(pays, Kind.OFFSET, cents, of=payable, reason=why, at=now, actor=actor, key=key),
        ]
        await store.net(tx, part, payment.disbursement_id, cents, now=now)
        total += cents
    if total:
        await post_moves(tx, moves)
        await claim_store.netted(tx, payment.claim_id, total)
        for book in sorted({fundings[part.application_id].book for part in owed}):
            await serve_waiting(tx, book, now=now)
    return replace(payment, amount_cents=payment.amount_cents - total)
