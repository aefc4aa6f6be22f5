"""Payments up to their files, in bulk: for drills that begin where the money has left."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cairn.drills.books import AT, PROGRAM
from cairn.drills.drill import Ground
from contracts.events.eligibility import ListedAward, ListedCredential, ListedProvider, ListedRound, ProgramPublished
from contracts.ids import ApplicationId, ClaimId, DisbursementId, HoldId, PaymentBatchId, TransferId
from contracts.plan import CostKind, CostLine
from kit.db import Database
from services.payments.books.ledger import Kind, Scope, Transfer, line_row
from services.payments.domain import scope_of
from services.payments.rails.installed import Rails
from services.payments.rails.payment_vouchers import VoucherRail
from services.payments.store import ledger as ledger_store
from services.payments.usecases.batches import approve_batch, build_batch
from services.payments.usecases.program import follow_program

UNIT = "DEV01"
RAILS = Rails(VoucherRail(UNIT, "ACCOUNT-1", "Micro-credential reimbursement"))
MAKER, CHECKER = "finance/anna", "finance/ben"
ROUND_ID, PROVIDER, CREDENTIAL = "round-6", "lorain-ccc", "cyber"
BOOK = line_row(PROGRAM, 2026)
POST_MAX = 500

ADD_FUNDING = """
INSERT INTO funding (application_id, hold_number, person_id, program_id, round_id, provider_id, credential_id, book,
    person_capped, amount_cents, hold_seconds, state, hold_id, encumbrance_transfer_id, encumbered_cents, changed_at)
VALUES ($1, 1, 'per_drill', $2, $3, $4, $5, $6, false, $7, 3600, 'expended', $8, $9, $7, $10)
"""
ADD_CLAIM = """
INSERT INTO claim (claim_id, application_id, enrollment_id, provider_id, business_unit, supplier_number, invoice_number,
    invoice_key, invoice_on, claimed_cents, submitted_at, status, approved_cents, checks, due_at, payable_transfer_id,
    decided_at, due_on)
VALUES ($1, $2, 'enr_drill', $3, $4, '0000000001', $5, $5, '2026-03-10', $6, $8, 'approved', $6, '[]', $8, $7, $8,
    ($8 AT TIME ZONE 'UTC')::date)
"""
ADD_DISBURSEMENT = """
INSERT INTO disbursement (disbursement_id, claim_id, attempt_number, application_id, provider_id, supplier_number,
    amount_cents, state, payable_transfer_id, due_at, ordered_at, changed_at, due_on)
VALUES ($1, $2, 1, $3, $4, '0000000001', $5, 'ordered', $6, $7, $8, $8, ($7 AT TIME ZONE 'UTC')::date)
"""


@dataclass(frozen=True, slots=True)
class Paid:
    """One payment: its case's name is its invoice number."""

    name: str
    amount_cents: int

    @property
    def application_id(self) -> ApplicationId:
        return ApplicationId.derive(self.name)

    @property
    def claim_id(self) -> ClaimId:
        return ClaimId.derive(self.name)

    @property
    def disbursement_id(self) -> DisbursementId:
        return DisbursementId.derive(self.claim_id, 1)

    def transfer(self, kind: Kind, pending: Kind | None = None) -> Transfer:
        return Transfer(
            id=TransferId.derive("drill", kind, self.name),
            kind=kind,
            scope=_scope(),
            amount_cents=self.amount_cents,
            reason="drill",
            actor="drill",
            occurred_at=AT,
            pending_id=None if pending is None else TransferId.derive("drill", pending, self.name),
        )


async def order(ground: Ground, db: Database, payments: Sequence[Paid]) -> None:
    """A program with money for all of them; each case up to its ordered payment, the first due first."""
    async with db.transaction() as tx:
        await follow_program(program_with(sum(one.amount_cents for one in payments)), tx, now=AT)
    for at in range(0, len(payments), POST_MAX):
        some = payments[at : at + POST_MAX]
        async with db.transaction() as tx:
            for kind, pending in ((Kind.HOLD, None), (Kind.ENCUMBER, Kind.HOLD), (Kind.EXPEND, Kind.ENCUMBER)):
                await ledger_store.post(tx, [one.transfer(kind, pending) for one in some])
    owner = await ground.owner()
    async with owner.transaction():
        await owner.executemany(ADD_FUNDING, [_funding(one) for one in payments])
        await owner.executemany(ADD_CLAIM, [_claim(one) for one in payments])
        await owner.executemany(
            ADD_DISBURSEMENT, [_disbursement(one, AT + timedelta(seconds=at)) for at, one in enumerate(payments)]
        )


async def send(db: Database, *, now: datetime) -> PaymentBatchId:
    """Everything ordered in one batch that one person makes and another approves."""
    async with db.transaction() as tx:
        batch = await build_batch(tx, maker=MAKER, rails=RAILS, now=now)
    async with db.transaction() as tx:
        await approve_batch(tx, batch.batch_id, checker=CHECKER, rails=RAILS, now=now)
    return batch.batch_id


def _scope() -> Scope:
    return scope_of(BOOK, PROGRAM, ROUND_ID, PROVIDER, None)


def _funding(one: Paid) -> tuple[object, ...]:
    where = (PROGRAM, ROUND_ID, PROVIDER, CREDENTIAL, BOOK)
    encumbered = TransferId.derive("drill", Kind.ENCUMBER, one.name)
    return (one.application_id, *where, one.amount_cents, HoldId.derive(one.name), encumbered, AT)


def _claim(one: Paid) -> tuple[object, ...]:
    payable = TransferId.derive("drill", Kind.EXPEND, one.name)
    return (one.claim_id, one.application_id, PROVIDER, UNIT, one.name, one.amount_cents, payable, AT)


def _disbursement(one: Paid, due_at: datetime) -> tuple[object, ...]:
    payable = TransferId.derive("drill", Kind.EXPEND, one.name)
    ids = (one.disbursement_id, one.claim_id, one.application_id)
    return (*ids, PROVIDER, one.amount_cents, payable, due_at, AT)


def program_with(cents: int) -> ProgramPublished:
    tuition = [CostLine(kind=CostKind.TUITION, price_cents=300_000)]
    credential = ListedCredential(credential_id=CREDENTIAL, title="Cyber", cost_lines=tuition, issuers=[PROVIDER])
    return ProgramPublished(
        program_id=PROGRAM,
        title="A program",
        pack_version="0" * 12,
        published_at=AT,
        providers=[ListedProvider(provider_id=PROVIDER, name=PROVIDER, supplier_number="0000000001")],
        credentials=[credential],
        rounds=[
            ListedRound(
                round_id=ROUND_ID,
                title="Round 6",
                appropriation_cents=cents,
                document_reference="HB 33",
                fiscal_year=2026,
                per_credential_cap_cents=300_000,
                per_person_cap_cents=None,
                awards=[ListedAward(provider_id=PROVIDER, ceiling_cents=cents, seats={})],
            )
        ],
    )
