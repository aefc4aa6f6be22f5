"""What eligibility does: publish programs, decide applications, replay a receipt, keep its copy of applications."""

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from pydantic import ValidationError

from contracts.events.applications import ApplicationClosed, ApplicationSubmitted
from contracts.events.eligibility import ApplicationDetermined, PlannedWaits
from contracts.ids import ApplicationId, DeterminationId
from contracts.personal import Declaration
from contracts.plan import CasePlan
from contracts.steps.eligibility import Determination, Determine
from kit.db import Connection, Database
from kit.outbox import append
from services.eligibility import store
from services.eligibility.domain import (
    Decided,
    DeterminationUnknown,
    Inputs,
    Matter,
    ReceiptBroken,
    ToldUnreadable,
    digest,
    pieces,
)
from services.eligibility.listing import published
from services.eligibility.packs import LoadedPack
from services.eligibility.receipts import PublishedProgram, Receipt, Replay
from services.eligibility.rules import decide
from services.eligibility.shelf import PackShelf

DECLARATION, EVIDENCE, RECEIPT = "declaration", "evidence", "receipt"
"""The labels under which values are sealed for this service."""


class Sealer(Protocol):
    """What eligibility needs of the vault."""

    async def seal(self, tx: Connection, person_id: str, value: bytes, *, purpose_label: str) -> str: ...

    async def open(
        self, tx: Connection, person_id: str, sealed: str, *, label: str, purpose: str, request_id: str
    ) -> bytes: ...


@dataclass(frozen=True, slots=True)
class ProgramLoad:
    """What loading a pack came to."""

    program_id: str
    pack_version: str
    changed: bool


async def publish_program(loaded: LoadedPack, *, db: Database, now: datetime, replace: bool = True) -> ProgramLoad:
    """Keep the version, make it the current one and tell everybody; nothing happens where it is current already.

    Without `replace` a program of which any version is current stays as it is.
    """
    program = loaded.pack.program
    async with db.transaction() as tx:
        await store.lock_program(tx, program.id)
        current = None if replace else await store.current_version(tx, program.id)
        if current is not None:
            return ProgramLoad(program.id, current, changed=False)
        await store.keep_version(tx, program.id, loaded.version, loaded.content, now=now)
        changed = await store.publish(tx, program.id, program.title, loaded.version, now=now)
        if changed:
            await append(tx, published(loaded.pack, loaded.version, now=now), now=now)
    return ProgramLoad(program.id, loaded.version, changed)


async def determine(
    ask: Determine, *, db: Database, vault: Sealer, shelf: PackShelf, now: datetime, request_id: str
) -> Determination:
    """Decide once per application and number; asked again, the first answer stands."""
    async with db.transaction() as tx:
        await store.lock_person(tx, ask.person_id)
        earlier = await store.find_answer(tx, ask.application_id, ask.determination_number)
        if earlier is not None:
            return earlier
        # A case keeps the rules it began under, whatever was published since.
        pinned = ask.pack_version or await store.pinned_version(tx, ask.application_id, ask.program_id)
        loaded = await shelf.take(tx, ask.program_id, pinned)
        inputs = Inputs(
            salt=secrets.token_hex(16),
            round_id=ask.round_id,
            provider_id=ask.provider_id,
            credential_id=ask.credential_id,
            course_run_id=ask.course_run_id,
            submitted_at=ask.submitted_at,
            decided_at=now,
            declaration=await _told(tx, vault, ask, ask.sealed_declaration, DECLARATION, request_id),
            evidence=[await _told(tx, vault, ask, one, EVIDENCE, request_id) for one in ask.sealed_evidence],
            commitments=await store.commitments(tx, ask.person_id, ask.program_id, besides=ask.application_id),
            appeal_upheld_by=ask.appeal_upheld_by,
        )
        decided = decide(Matter(loaded.pack, loaded.version, inputs))
        receipt = await _receipt(tx, vault, ask, loaded, inputs, decided)
        await store.keep_receipt(tx, receipt)
        await store.record_commitment(tx, receipt, round_id=ask.round_id, credential_id=ask.credential_id)
        await append(tx, _determined(receipt), now=now)
        return receipt.answer


async def _told(tx: Connection, vault: Sealer, ask: Determine, sealed: str, label: str, request_id: str) -> Declaration:
    clear = await vault.open(tx, ask.person_id, sealed, label=label, purpose="determination", request_id=request_id)
    try:
        return Declaration.model_validate_json(clear)
    except ValidationError:
        # Without its cause: a validator's message quotes what the person told.
        raise ToldUnreadable(what=label) from None


async def _receipt(
    tx: Connection, vault: Sealer, ask: Determine, loaded: LoadedPack, inputs: Inputs, decided: Decided
) -> Receipt:
    clear = inputs.clear_bytes()
    return Receipt(
        application_id=ask.application_id,
        determination_number=ask.determination_number,
        person_id=ask.person_id,
        program_id=ask.program_id,
        pack_version=loaded.version,
        effective_on=decided.effective_on,
        answer=Determination(
            determination_id=DeterminationId.derive(ask.application_id, ask.determination_number),
            outcome=decided.outcome,
            findings=decided.findings,
            missing=decided.missing,
            plan=decided.plan,
        ),
        rule_versions=decided.rule_versions,
        sealed_inputs=[await vault.seal(tx, ask.person_id, piece, purpose_label=RECEIPT) for piece in pieces(clear)],
        inputs_sha256=digest(clear),
        decided_at=inputs.decided_at,
    )


def _determined(receipt: Receipt) -> ApplicationDetermined:
    answer = receipt.answer
    return ApplicationDetermined(
        application_id=receipt.application_id,
        determination_id=answer.determination_id,
        determination_number=receipt.determination_number,
        outcome=answer.outcome,
        findings=answer.findings,
        missing=answer.missing,
        award_cents=answer.plan.award_cents,
        respond_by=receipt.respond_by,
        pack_version=receipt.pack_version,
        exam=answer.plan.exam,
        waits=PlannedWaits.model_validate(answer.plan.deadlines.model_dump()) if receipt.is_eligible else None,
        decided_at=receipt.decided_at,
    )


async def replay(
    determination_id: DeterminationId, *, db: Database, vault: Sealer, shelf: PackShelf, request_id: str
) -> Replay:
    """Decide a receipt's sealed inputs again. `ReceiptBroken` where they are not the inputs that were recorded."""
    async with db.transaction() as tx:
        receipt = await store.receipt(tx, determination_id)
        if receipt is None:
            raise DeterminationUnknown(kind="determination")
        opened = [
            await vault.open(tx, receipt.person_id, piece, label=RECEIPT, purpose="replay", request_id=request_id)
            for piece in receipt.sealed_inputs
        ]
        clear = b"".join(opened)
        if digest(clear) != receipt.inputs_sha256:
            raise ReceiptBroken(determination_id=determination_id)
        loaded = await shelf.take(tx, receipt.program_id, receipt.pack_version)
    again = decide(Matter(loaded.pack, loaded.version, Inputs.model_validate_json(clear)))
    return Replay(determination_id, receipt.pack_version, _differences(receipt.answer, again))


def _differences(first: Determination, again: Decided) -> list[str]:
    """Codes of what does not agree: `outcome`, `missing`, `plan`, and the criteria with another finding."""
    before = {finding.criterion: finding for finding in first.findings}
    after = {finding.criterion: finding for finding in again.findings}
    differences = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    for name, one, other in (
        ("outcome", first.outcome, again.outcome),
        ("missing", first.missing, again.missing),
        ("plan", first.plan, _as_far_as_pinned(again.plan, first.plan)),
    ):
        if one != other:
            differences.append(name)
    return differences


def _as_far_as_pinned(again: CasePlan, first: CasePlan) -> CasePlan:
    """A plan made before the zone was pinned says nothing of it, and so nothing else."""
    return again if first.time_zone else again.model_copy(update={"time_zone": None})


async def record_application(fact: ApplicationSubmitted, *, tx: Connection) -> None:
    """Remember which partner submitted the application: that partner may read its determinations."""
    await store.put_partner(tx, fact.application_id, fact.partner_id)


async def record_closing(fact: ApplicationClosed, *, tx: Connection) -> None:
    """Remember how the application ended: one that ended unpaid no longer counts toward the person's limits."""
    await store.put_closing(tx, fact.application_id, closed_at=fact.closed_at, outcome=fact.outcome)


async def list_programs(*, db: Database) -> list[PublishedProgram]:
    async with db.connection() as connection:
        return await store.programs(connection)


async def show_program(program_id: str, *, db: Database, shelf: PackShelf) -> LoadedPack:
    """The current version of a program."""
    async with db.connection() as connection:
        return await shelf.take(connection, program_id)


async def list_determinations(application_id: ApplicationId, *, partner_id: str | None, db: Database) -> list[Receipt]:
    """The receipts of one application, for its own partner (`partner_id`) or for staff (None)."""
    async with db.connection() as connection:
        owner = await store.partner_of(connection, application_id)
        # A foreign application and one that does not exist look the same.
        if owner is None or partner_id not in (None, owner):
            raise DeterminationUnknown(kind="application")
        return await store.receipts(connection, application_id)
