"""Determinations on a real database: once, sealed, replayable, told to everybody."""

import asyncio
import dataclasses
import hashlib
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from contracts.events.applications import ApplicationClosed
from contracts.events.eligibility import ApplicationDetermined, Eligibility, ProgramPublished
from contracts.ids import ApplicationId, DeterminationId
from contracts.personal import Declaration, OtherFunding
from kit.vault import PersonForgotten
from services.eligibility import store, usecases
from services.eligibility.domain import (
    DeterminationUnknown,
    Inputs,
    Matter,
    ProgramUnknown,
    ReceiptBroken,
    ToldUnreadable,
)
from services.eligibility.packs import seal
from services.eligibility.rules import decide
from tests.services.eligibility.cases import OHIO, POOR, SUBMITTED, changed, pack, week
from tests.services.eligibility.conftest import Desk


async def test_an_eligible_application_is_decided_once_and_told_once(desk: Desk) -> None:
    ask = await desk.ask(await desk.admit())
    first = await desk.determine(ask)
    again = await desk.determine(ask, now=SUBMITTED + timedelta(days=3))
    assert first == again
    assert first.outcome is Eligibility.ELIGIBLE
    assert first.determination_id == DeterminationId.derive(ask.application_id, 1)
    assert first.plan.pack_version == pack().version
    [told] = await desk.facts(ApplicationDetermined)
    assert (told.outcome, told.award_cents, told.respond_by) == (Eligibility.ELIGIBLE, 2_100_00, None)
    assert told.waits is not None
    assert told.waits.completion == first.plan.deadlines.completion
    assert told.findings == first.findings


async def test_fifty_attempts_at_once_are_one_determination(desk: Desk) -> None:
    ask = await desk.ask(await desk.admit())
    answers = await asyncio.gather(*(desk.determine(ask) for _ in range(50)))
    assert all(answer == answers[0] for answer in answers)
    assert len(await desk.facts(ApplicationDetermined)) == 1


async def test_ineligible_and_incomplete_say_until_when_to_answer(desk: Desk) -> None:
    person = await desk.admit()
    now = SUBMITTED + timedelta(hours=1)
    away = await desk.determine(await desk.ask(person, Declaration(state_of_residence="PA")), now=now)
    asked = await desk.determine(await desk.ask(person, Declaration()), now=now)
    assert (away.outcome, asked.outcome) == (Eligibility.INELIGIBLE, Eligibility.MORE_INFORMATION)
    assert asked.missing == ["state_of_residence"]
    respond_by = {fact.outcome: fact.respond_by for fact in await desk.facts(ApplicationDetermined)}
    assert respond_by[Eligibility.INELIGIBLE] == now + timedelta(days=30)
    assert {fact.waits for fact in await desk.facts(ApplicationDetermined)} == {None}
    assert respond_by[Eligibility.MORE_INFORMATION] == now + timedelta(days=14)


async def test_evidence_completes_the_declaration_under_the_low_income_gate(desk: Desk) -> None:
    person = await desk.admit()
    where: dict[str, Any] = {"program_id": "oh-imap-brisk", "round_id": "low-income"}
    told = Declaration(state_of_residence="OH", employment=week(SUBMITTED.date()))
    ask = await desk.ask(person, told, **where)
    assert (await desk.determine(ask)).missing == ["income"]
    paper = await desk.ask(person, told, Declaration(income=POOR), **where)
    second = ask.model_copy(update={"determination_number": 2, "sealed_evidence": paper.sealed_evidence})
    assert (await desk.determine(second)).outcome is Eligibility.ELIGIBLE


async def test_a_case_keeps_the_pack_it_began_under(desk: Desk) -> None:
    person = await desk.admit()
    ask = await desk.ask(person, Declaration())
    first = await desk.determine(ask)
    cheaper = seal(changed(pack().pack, rounds__5__per_credential_cap_cents=1_000_00))
    assert (await usecases.publish_program(cheaper, db=desk.db, now=SUBMITTED)).changed
    answered = await desk.ask(person, Declaration(), OHIO)
    second = ask.model_copy(update={"determination_number": 2, "sealed_evidence": answered.sealed_evidence})
    pinned = await desk.determine(second)
    new = await desk.determine(await desk.ask(person, credential_id="lorain-soldering"))
    assert (pinned.plan.pack_version, pinned.plan.award_cents) == (first.plan.pack_version, 2_100_00)
    assert (new.plan.pack_version, new.plan.award_cents) == (cheaper.version, 1_000_00)


async def test_one_person_gets_a_credential_once_until_the_first_case_ends_unpaid(desk: Desk) -> None:
    person = await desk.admit()
    first = await desk.ask(person)
    await desk.determine(first)
    twice = await desk.determine(await desk.ask(person))
    other = await desk.determine(await desk.ask(person, credential_id="lorain-soldering"))
    assert [one.reason for one in twice.findings if one.result == "not_met"] == ["credential_already_funded"]
    assert other.outcome is Eligibility.ELIGIBLE
    closed = ApplicationClosed(
        application_id=first.application_id,
        outcome="enrollment_refused",
        stage="enrollment",
        reasons=[],
        closed_at=SUBMITTED,
    )
    async with desk.db.transaction() as tx:
        await usecases.record_closing(closed, tx=tx)
    assert (await desk.determine(await desk.ask(person))).outcome is Eligibility.ELIGIBLE


async def test_two_cases_of_one_person_at_the_same_moment_do_not_both_win(desk: Desk) -> None:
    person = await desk.admit()
    asks = [await desk.ask(person) for _ in range(8)]
    outcomes = [answer.outcome for answer in await asyncio.gather(*(desk.determine(ask) for ask in asks))]
    assert outcomes.count(Eligibility.ELIGIBLE) == 1


async def test_an_upheld_appeal_makes_the_case_eligible_with_its_findings_as_they_are(desk: Desk) -> None:
    person = await desk.admit()
    ask = await desk.ask(person, Declaration(state_of_residence="PA"))
    assert (await desk.determine(ask)).outcome is Eligibility.INELIGIBLE
    upheld = await desk.determine(ask.model_copy(update={"determination_number": 2, "appeal_upheld_by": "j.doe"}))
    assert upheld.outcome is Eligibility.ELIGIBLE
    assert "not_an_ohio_resident" in {one.reason for one in upheld.findings}
    assert upheld.plan.award_cents == 2_100_00
    replayed = await usecases.replay(
        upheld.determination_id, db=desk.db, vault=desk.vault, shelf=desk.shelf, request_id="r"
    )
    assert replayed.agrees


async def _row(desk: Desk, application_id: ApplicationId) -> asyncpg.Record:
    async with desk.db.connection() as connection:
        row = await connection.fetchrow("SELECT * FROM determination WHERE application_id = $1", application_id)
    assert row is not None
    return row


async def test_inputs_are_kept_sealed_and_their_digest_gives_nothing_away(desk: Desk) -> None:
    person = await desk.admit()
    told = Declaration(
        state_of_residence="OH", other_funding=[OtherFunding(cost_kind="tuition", source="Zzyzx Fund", amount_cents=1)]
    )
    ask = await desk.ask(person, told)
    await desk.determine(ask)
    row = await _row(desk, ask.application_id)
    whole = repr(dict(row))
    assert "Zzyzx" not in whole
    clear = b""
    async with desk.db.transaction() as tx:
        for piece in row["sealed_inputs"]:
            clear += await desk.vault.open(tx, person, piece, label="receipt", purpose="test", request_id="t")
    inputs = Inputs.model_validate_json(clear)
    assert inputs.declaration == told
    assert hashlib.sha256(clear).digest() == row["inputs_sha256"]
    unsalted = inputs.model_copy(update={"salt": "0" * 32}).clear_bytes()
    assert hashlib.sha256(unsalted).digest() != row["inputs_sha256"]
    [fact] = await desk.facts(ApplicationDetermined)
    assert "Zzyzx" not in fact.model_dump_json()


async def test_fifty_documents_fit_into_a_receipt(desk: Desk) -> None:
    person = await desk.admit()
    fundings = [
        OtherFunding(cost_kind="books", source=f"Fund {number} " + "x" * 80, amount_cents=1) for number in range(16)
    ]
    ask = await desk.ask(person, OHIO, *[Declaration(other_funding=fundings)] * 50)
    answer = await desk.determine(ask)
    assert answer.outcome is Eligibility.ELIGIBLE
    assert len((await _row(desk, ask.application_id))["sealed_inputs"]) > 1
    replayed = await usecases.replay(
        answer.determination_id, db=desk.db, vault=desk.vault, shelf=desk.shelf, request_id="r"
    )
    assert replayed.agrees


async def test_a_receipt_replays_and_tells_every_difference(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = await desk.determine(await desk.ask(await desk.admit()))
    again = {"db": desk.db, "vault": desk.vault, "shelf": desk.shelf, "request_id": "r"}
    assert (await usecases.replay(answer.determination_id, **again)).differences == []
    assert answer.plan.time_zone == "America/New_York"

    def stricter(matter: Matter) -> Any:
        return decide(
            Matter(matter.pack, matter.pack_version, matter.inputs.model_copy(update={"provider_id": "none"}))
        )

    monkeypatch.setattr(usecases, "decide", stricter)
    replayed = await usecases.replay(answer.determination_id, **again)
    assert not replayed.agrees
    assert replayed.differences == ["credential_is_funded", "provider_holds_award", "outcome", "plan"]


async def test_a_receipt_from_before_the_zone_was_pinned_still_agrees(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def before(matter: Matter) -> Any:
        found = decide(matter)
        return dataclasses.replace(found, plan=found.plan.model_copy(update={"time_zone": None}))

    with monkeypatch.context() as earlier:
        earlier.setattr(usecases, "decide", before)
        answer = await desk.determine(await desk.ask(await desk.admit()))
    assert answer.plan.time_zone is None
    again = {"db": desk.db, "vault": desk.vault, "shelf": desk.shelf, "request_id": "r"}
    assert (await usecases.replay(answer.determination_id, **again)).differences == []


async def test_a_receipt_whose_inputs_were_exchanged_is_broken(desk: Desk) -> None:
    person = await desk.admit()
    first = await desk.ask(person, credential_id="lorain-coding")
    second = await desk.ask(person, credential_id="lorain-soldering")
    answer = await desk.determine(first)
    await desk.determine(second)
    owner = await asyncpg.connect(desk.owner_dsn)
    try:
        await owner.execute(
            "UPDATE eligibility.determination AS d SET sealed_inputs = o.sealed_inputs"
            " FROM eligibility.determination AS o WHERE o.application_id = $1 AND d.application_id = $2",
            second.application_id,
            first.application_id,
        )
    finally:
        await owner.close()
    with pytest.raises(ReceiptBroken):
        await usecases.replay(answer.determination_id, db=desk.db, vault=desk.vault, shelf=desk.shelf, request_id="r")


async def test_receipts_and_versions_can_be_neither_changed_nor_deleted_by_the_service(desk: Desk) -> None:
    await desk.determine(await desk.ask(await desk.admit()))
    for statement in (
        "UPDATE determination SET outcome = 'ineligible'",
        "DELETE FROM determination",
        "UPDATE program_version SET content = '{}'",
    ):
        async with desk.db.connection() as connection:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)


async def test_a_forgotten_person_is_not_decided_about_and_nothing_is_left_behind(desk: Desk) -> None:
    person = await desk.admit()
    ask = await desk.ask(person)
    owner = await asyncpg.connect(desk.owner_dsn)
    try:
        await desk.vault.shred(owner, person)
    finally:
        await owner.close()
    with pytest.raises(PersonForgotten):
        await desk.determine(ask)
    assert await desk.facts(ApplicationDetermined) == []


async def test_what_is_not_a_declaration_is_refused_without_being_quoted(desk: Desk) -> None:
    person = await desk.admit()
    async with desk.db.transaction() as tx:
        odd = await desk.vault.seal(tx, person, b'{"favorite_color": "mauve"}', purpose_label="declaration")
    ask = (await desk.ask(person)).model_copy(update={"sealed_declaration": odd})
    with pytest.raises(ToldUnreadable) as caught:
        await desk.determine(ask)
    assert "mauve" not in f"{caught.value} {caught.value.__cause__} {caught.value.facts}"


async def test_an_unknown_program_or_version_is_refused(desk: Desk) -> None:
    person = await desk.admit()
    with pytest.raises(ProgramUnknown):
        await desk.determine(await desk.ask(person, program_id="nowhere"))
    with pytest.raises(ProgramUnknown):
        await desk.determine(await desk.ask(person, pack_version="0" * 64))


async def test_publishing_again_changes_nothing_and_going_back_is_a_change(desk: Desk) -> None:
    other = seal(changed(pack().pack, program__retention_years=9))
    now = SUBMITTED + timedelta(days=1)
    assert not (await usecases.publish_program(pack(), db=desk.db, now=now)).changed
    assert (await usecases.publish_program(other, db=desk.db, now=now)).changed
    kept = await usecases.publish_program(pack(), db=desk.db, now=now, replace=False)
    assert (kept.pack_version, kept.changed) == (other.version, False)
    assert (await usecases.publish_program(pack(), db=desk.db, now=now)).changed
    published = [fact for fact in await desk.facts(ProgramPublished) if fact.program_id == "oh-imap"]
    assert [fact.pack_version for fact in published] == [pack().version, other.version, pack().version]
    async with desk.db.connection() as connection:
        assert await store.content(connection, "oh-imap", other.version) == other.content


async def test_ten_loads_of_one_version_at_once_are_one_fact(desk: Desk) -> None:
    other = seal(changed(pack().pack, program__retention_years=8))
    loads = await asyncio.gather(*(usecases.publish_program(other, db=desk.db, now=SUBMITTED) for _ in range(10)))
    assert [load.changed for load in loads].count(True) == 1
    assert len([one for one in await desk.facts(ProgramPublished) if one.pack_version == other.version]) == 1


async def test_the_published_fact_lists_what_the_other_services_copy(desk: Desk) -> None:
    published = {fact.program_id: fact for fact in await desk.facts(ProgramPublished)}
    brisk = published["oh-imap-brisk"]
    assert [one.round_id for one in brisk.rounds] == ["r6-brisk", "low-income", "one-seat"]
    seat = next(one for one in brisk.rounds if one.round_id == "one-seat")
    soldering = next(one for one in brisk.credentials if one.credential_id == "lorain-soldering")
    price = sum(line.price_cents for line in soldering.cost_lines)
    assert [(one.provider_id, one.ceiling_cents // price) for one in seat.awards] == [("lorain-ccc", 1)]
    whole = published["oh-imap"]
    assert [one.appropriation_cents for one in whole.rounds][1] is None
    assert next(one for one in whole.credentials if one.credential_id == "nea-family-engagement").issuers == ["nea"]


async def test_an_unknown_receipt_is_not_found(desk: Desk) -> None:
    with pytest.raises(DeterminationUnknown):
        await usecases.replay(
            DeterminationId.derive("none"), db=desk.db, vault=desk.vault, shelf=desk.shelf, request_id="r"
        )


async def test_the_receipt_says_by_which_day_and_rules(desk: Desk) -> None:
    ask = await desk.ask(await desk.admit())
    answer = await desk.determine(ask)
    async with desk.db.connection() as connection:
        [receipt] = await store.receipts(connection, ask.application_id)
    assert receipt.effective_on == SUBMITTED.date()
    assert receipt.rule_versions.keys() == {one.criterion for one in answer.findings}
