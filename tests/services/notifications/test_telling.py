"""Facts become messages and notices: each once, whatever the order and however often they come."""

import asyncio
import json
import random
from datetime import timedelta

import pytest

from contracts.events.eligibility import ApplicationDetermined, Eligibility, Finding
from contracts.ids import DeterminationId, uuid7
from contracts.plan import ExamPolicy
from contracts.webhooks import BODY_BYTES_MAX, MESSAGES
from kit.db import Database
from kit.telemetry import continue_trace
from tests.services.notifications.sample import NOW, PROVIDER, Case, publish, rows, take_in

MESSAGES_OF_STORY = [
    "enrollment.requested",
    "enrollment.reminder",
    "exam_voucher.issued",
    "exam_voucher.issued",
    "credential.recorded",
    "claim.decided",
    "payment.updated",
    "case.closed",
]
NOTICES_OF_STORY = [
    "application_received",
    "funds_held",
    "exam_voucher_ready",
    "exam_failed_retake",
    "exam_voucher_ready",
    "credential_recorded",
    "application_closed",
]


@pytest.fixture
async def db(database_for) -> Database:
    return await database_for("notifications")


async def told(db: Database) -> tuple[list[str], list[str]]:
    messages = await rows(db, "SELECT type FROM webhook_message ORDER BY position")
    notices = await rows(db, "SELECT template FROM notice ORDER BY position")
    return [str(row["type"]) for row in messages], [str(row["template"]) for row in notices]


async def test_a_whole_case_is_told_in_order(db: Database) -> None:
    await publish(db)
    for fact in Case().story():
        await take_in(db, fact)
    assert await told(db) == (MESSAGES_OF_STORY, NOTICES_OF_STORY)
    assert await rows(db, "SELECT 1 FROM waiting_fact") == []


async def test_every_body_is_a_published_message_and_thin(db: Database) -> None:
    await publish(db)
    case = Case()
    for fact in case.story():
        await take_in(db, fact)
    models = {model.model_fields["type"].default: model for model in MESSAGES}
    for row in await rows(db, "SELECT type, body, provider_id FROM webhook_message"):
        body = str(row["body"])
        assert len(body.encode()) < BODY_BYTES_MAX
        message = models[str(row["type"])].model_validate_json(body)
        assert message.timestamp == NOW
        assert json.loads(body)["data"]["application_id"] == case.id
        assert row["provider_id"] == PROVIDER
        assert case.person_id not in body


async def test_a_fact_taken_in_again_changes_nothing(db: Database) -> None:
    await publish(db)
    facts = [(fact, uuid7()) for fact in Case().story()]
    for fact, event_id in facts * 3:
        await take_in(db, fact, event_id=event_id)
    assert await told(db) == (MESSAGES_OF_STORY, NOTICES_OF_STORY)


@pytest.mark.parametrize("seed", range(12))
async def test_disorder_loses_and_doubles_nothing(db: Database, seed: int) -> None:
    facts = [(fact, uuid7(), NOW + timedelta(seconds=n)) for n, fact in enumerate(Case().story())]
    chance = random.Random(seed)
    shuffled = [*facts, *facts]
    chance.shuffle(shuffled)
    publish_at = chance.randrange(len(shuffled) + 1)
    for number, (fact, event_id, at) in enumerate(shuffled):
        if number == publish_at:
            await publish(db)
        await take_in(db, fact, event_id=event_id, at=at)
    if publish_at == len(shuffled):
        await publish(db)
    messages, notices = await told(db)
    assert sorted(messages) == sorted(MESSAGES_OF_STORY), f"seed {seed}"
    assert sorted(notices) == sorted(NOTICES_OF_STORY), f"seed {seed}"
    assert await rows(db, "SELECT 1 FROM waiting_fact") == []


async def test_facts_of_one_case_arriving_at_once_miss_nothing(db: Database) -> None:
    await publish(db)
    case = Case()
    await asyncio.gather(*(take_in(db, fact) for fact in case.story()))
    messages, notices = await told(db)
    assert sorted(messages) == sorted(MESSAGES_OF_STORY)
    assert sorted(notices) == sorted(NOTICES_OF_STORY)


async def test_a_case_that_ended_before_any_college_is_no_colleges_business(db: Database) -> None:
    await publish(db)
    case = Case()
    await take_in(db, case.submitted())
    await take_in(db, case.closed("ineligible", "appeal"))
    assert await told(db) == ([], ["application_received", "application_closed"])
    assert await rows(db, "SELECT 1 FROM waiting_fact") == []


async def test_after_the_last_attempt_no_retake_is_promised(db: Database) -> None:
    await publish(db)
    case = Case()
    await take_in(db, case.submitted())
    await take_in(db, case.failed(2))
    assert await told(db) == ([], ["application_received"])


@pytest.mark.parametrize(
    ("policy", "told_of"),
    [
        (ExamPolicy(exam_id="sec-plus", attempts_max=3, retake_wait=timedelta(days=30), usable_for=timedelta()), 2),
        (ExamPolicy(exam_id="sec-plus", attempts_max=1, retake_wait=timedelta(), usable_for=timedelta()), None),
        (None, None),
    ],
)
async def test_a_retake_is_promised_under_the_policy_that_the_case_is_pinned_to(
    db: Database, policy: ExamPolicy | None, told_of: int | None
) -> None:
    """The newest version of the pack allows two attempts, fourteen days apart."""
    await publish(db)
    case = Case()
    await take_in(db, case.submitted())
    finding = Finding(criterion="c", result="met", reason="r", text="t", citation="x")
    determined = ApplicationDetermined(
        application_id=case.id,
        determination_id=DeterminationId.derive(case.id, 1),
        determination_number=1,
        outcome=Eligibility.ELIGIBLE,
        findings=[finding],
        pack_version="abcdefabcdef",
        exam=policy,
        decided_at=NOW,
    )
    await take_in(db, determined)
    await take_in(db, case.failed(1))
    notices = await rows(db, "SELECT particulars FROM notice WHERE template = 'exam_failed_retake'")
    if told_of is None:
        assert notices == []
    else:
        [notice] = notices
        assert notice["particulars"]["attempts_left"] == told_of
        assert notice["particulars"]["retake_from"] == (NOW + timedelta(days=30)).isoformat()


async def test_an_older_program_version_does_not_overwrite_a_newer(db: Database) -> None:
    from services.notifications.usecases.telling import publish_program
    from tests.services.notifications.sample import LINKS, program

    await publish(db)
    older = program().model_copy(update={"title": "Old", "published_at": NOW - timedelta(days=1)})
    async with db.transaction() as tx:
        await publish_program(older, tx=tx, links=LINKS, now=NOW)
    assert (await rows(db, "SELECT title FROM listed_program"))[0]["title"] != "Old"


async def test_a_fact_that_waited_stays_in_its_own_conversation(db: Database) -> None:
    with continue_trace(None, "req_of_the_portal", None):
        await take_in(db, Case().submitted())
    assert len(await rows(db, "SELECT 1 FROM waiting_fact")) == 1
    with continue_trace(None, "req_of_the_program", None):
        await publish(db)
    (notice,) = await rows(db, "SELECT correlation_id FROM notice")
    assert notice["correlation_id"] == "req_of_the_portal"
