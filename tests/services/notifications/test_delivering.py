"""Webhook deliveries against a real receiver: signed, retried, ordered per case, never lost, never doubled."""

import asyncio
import json
from datetime import timedelta

import pytest
import standardwebhooks
import svix

from contracts.ids import WebhookMessageId
from kit.idempotency import Once
from services.notifications.domain import ATTEMPTS_MAX, LEASE, WAITS_BETWEEN_ATTEMPTS
from services.notifications.store import deliveries as delivery_store
from services.notifications.store import endpoints as endpoint_store
from services.notifications.usecases.delivering import attempt, take_due
from services.notifications.usecases.endpoints import disable_endpoint, replay
from tests.services.notifications.conftest import HEALTHY, Bench
from tests.services.notifications.receiver import Receiver, Reply, receiving
from tests.services.notifications.sample import PROVIDER, Case, rows, take_in
from tests.support.lock_waits import until_one_waits


async def facts(bench: Bench) -> list[dict[str, object]]:
    found = await rows(bench.db, "SELECT type, payload FROM outbox ORDER BY id")
    return [{"type": str(row["type"]).split(".")[3], **json.loads(bytes(row["payload"]))} for row in found]  # type: ignore[arg-type]


async def test_public_verifiers_accept_what_arrives(bench: Bench, receiver: Receiver) -> None:
    made = await bench.register(receiver)
    case = Case()
    event_id = await take_in(bench.db, case.requested(), now=bench.clock.now())
    await bench.drain()
    came = receiver.messages[0]
    assert standardwebhooks.Webhook(made["secret"]).verify(came.body, came.headers)
    svix.Webhook(made["secret"]).verify(came.body, came.headers)
    with pytest.raises(standardwebhooks.webhooks.WebhookVerificationError):
        standardwebhooks.Webhook(made["secret"]).verify(came.body + b" ", came.headers)
    assert came.id == WebhookMessageId.derive(str(event_id))
    assert came.headers["content-type"] == "application/json"
    data = came.message["data"]
    assert data["person_url"] == f"https://api.cairn.example/v1/enrollments/{case.enrollment_id}/person"
    assert await bench.states() == [("delivered", 1)]
    delivered = await facts(bench)
    assert [(fact["type"], fact["message_id"], fact["attempts"]) for fact in delivered] == [("delivered", came.id, 1)]


async def test_the_fact_of_delivery_says_when_a_provider_heard_of_defects(bench: Bench, receiver: Receiver) -> None:
    await bench.register(receiver)
    case = Case()
    receiver.replies.append(Reply(500))
    for fact in (case.submitted(), case.returned(), case.approved()):
        await take_in(bench.db, fact, now=bench.clock.now())
    await bench.drain()
    assert await facts(bench) == []
    bench.clock.advance(timedelta(minutes=1))
    await bench.drain()
    told = await facts(bench)
    assert [fact["type"] for fact in told] == ["delivered", "defects_notified", "delivered"]
    assert (told[1]["claim_id"], told[1]["way"]) == (case.claim_id, "webhook")
    assert told[1]["notified_at"] == told[0]["delivered_at"]


async def test_nothing_but_the_challenge_goes_to_an_unverified_endpoint(bench: Bench, receiver: Receiver) -> None:
    receiver.echo = False
    await bench.register(receiver)
    await take_in(bench.db, Case().requested(), now=bench.clock.now())
    await bench.drain()
    assert [came.message["type"] for came in receiver.came] == ["ping"]
    assert (await bench.endpoint())["status"] == "unverified"
    receiver.echo = True
    bench.clock.advance(timedelta(seconds=10))
    await bench.drain()
    assert (await bench.endpoint())["status"] == "active"
    assert [came.message["type"] for came in receiver.came] == ["ping", "ping", "enrollment.requested"]


async def test_a_wrong_echo_does_not_verify(bench: Bench, receiver: Receiver) -> None:
    receiver.echo = False
    receiver.usually = lambda came: Reply(body=b'{"challenge": "something else, long enough"}')
    await bench.register(receiver)
    assert (await bench.endpoint())["status"] == "unverified"
    errors = await rows(bench.db, "SELECT status, error FROM webhook_attempt")
    assert errors == [{"status": 200, "error": "challenge_not_echoed"}]


async def test_a_failure_is_tried_again_under_the_same_id(bench: Bench, receiver: Receiver) -> None:
    await bench.register(receiver)
    receiver.replies.extend([Reply(500), Reply(301, {"location": receiver.url})])
    await take_in(bench.db, Case().requested(), now=bench.clock.now())
    assert await bench.drain() == 1
    bench.clock.advance(timedelta(seconds=6))
    assert await bench.drain() == 1
    bench.clock.advance(timedelta(seconds=34))
    assert await bench.drain() == 1
    assert len({came.id for came in receiver.messages}) == 1
    assert await bench.states() == [("delivered", 3)]
    log = await rows(
        bench.db,
        "SELECT attempt_number, status, error FROM webhook_attempt WHERE message_id = $1 ORDER BY attempt_id",
        receiver.messages[0].id,
    )
    assert [tuple(row.values()) for row in log] == [(1, 500, "status_500"), (2, 301, "status_301"), (3, 200, None)]


async def test_ten_attempts_over_about_75_hours_then_visibly_exhausted(bench: Bench, receiver: Receiver) -> None:
    await bench.register(receiver)
    receiver.usually = lambda came: Reply(500)
    began = bench.clock.now()
    await take_in(bench.db, Case().requested(), now=began)
    await bench.drain()
    while (await bench.states())[0][0] == "pending":
        due = (await rows(bench.db, "SELECT due_at FROM webhook_delivery WHERE NOT is_ping"))[0]["due_at"]
        bench.clock.advance(due - bench.clock.now())  # type: ignore[operator]
        await bench.drain()
    assert len(receiver.messages) == ATTEMPTS_MAX
    planned = sum(WAITS_BETWEEN_ATTEMPTS, timedelta(0))
    assert timedelta(hours=74) < planned <= bench.clock.now() - began <= planned * 1.1
    assert [(fact["type"], fact["reason"], fact["attempts"]) for fact in await facts(bench)] == [
        ("exhausted", "status_500", ATTEMPTS_MAX)
    ]


async def test_a_case_keeps_its_order_and_other_cases_go_on(bench: Bench, receiver: Receiver) -> None:
    await bench.register(receiver)
    stuck, free = Case(), Case()
    receiver.usually = lambda came: Reply(
        500 if came.message["data"]["application_id"] == stuck.id and len(receiver.messages) < 6 else 200
    )
    for fact in (stuck.requested(), stuck.reminded(), stuck.approved()):
        await take_in(bench.db, fact, now=bench.clock.now())
    for fact in (free.requested(), free.reminded()):
        await take_in(bench.db, fact, now=bench.clock.now())
    await bench.drain()
    assert [came.message["type"] for came in receiver.messages if stuck.id in came.body.decode()] == [
        "enrollment.requested"
    ]
    assert sum(free.id in came.body.decode() for came in receiver.messages) == 2
    for _ in range(12):
        bench.clock.advance(timedelta(hours=1))
        await bench.drain()
    of_stuck = [came.message["type"] for came in receiver.messages if stuck.id in came.body.decode()]
    assert list(dict.fromkeys(of_stuck)) == ["enrollment.requested", "enrollment.reminder", "claim.decided"]
    assert of_stuck[-3:] == ["enrollment.requested", "enrollment.reminder", "claim.decided"]


async def test_410_disables_and_the_next_endpoint_inherits(bench: Bench, receiver: Receiver) -> None:
    await bench.register(receiver)
    receiver.usually = lambda came: Reply(410)
    case = Case()
    await take_in(bench.db, case.requested(), now=bench.clock.now())
    await take_in(bench.db, case.reminded(), now=bench.clock.now())
    await bench.drain()
    endpoint = await bench.endpoint()
    assert (endpoint["status"], endpoint["disabled_reason"]) == ("disabled", "gone")
    assert len(receiver.messages) == 1
    async with receiving() as successor:
        await bench.register(successor)
        await take_in(bench.db, case.approved(), now=bench.clock.now())
        await bench.drain()
        assert [came.message["type"] for came in successor.messages] == [
            "enrollment.requested",
            "enrollment.reminder",
            "claim.decided",
        ]


async def test_messages_wait_for_a_provider_without_any_endpoint(bench: Bench, receiver: Receiver) -> None:
    await take_in(bench.db, Case().requested(), now=bench.clock.now())
    assert await bench.drain() == 0
    await bench.register(receiver)
    assert len(receiver.messages) == 1


@pytest.mark.parametrize("reply", [Reply(429, {"retry-after": "120"}), Reply(503, {"retry-after": "120"}), Reply(502)])
async def test_an_endpoint_that_asks_for_rest_gets_it(bench: Bench, receiver: Receiver, reply: Reply) -> None:
    await bench.register(receiver)
    receiver.replies.append(reply)
    await take_in(bench.db, Case().requested(), now=bench.clock.now())
    await bench.drain()
    await take_in(bench.db, Case().requested(), now=bench.clock.now())
    assert await bench.drain() == 0
    bench.clock.advance(timedelta(seconds=119 if reply.headers else 9))
    assert await bench.drain() == 0
    bench.clock.advance(timedelta(seconds=2))
    assert await bench.drain() == 2


async def test_a_process_that_died_after_the_post_sends_the_same_id_again(bench: Bench, receiver: Receiver) -> None:
    await bench.register(receiver)
    await take_in(bench.db, Case().requested(), now=bench.clock.now())
    [due] = await take_due(bench.deliveries, HEALTHY, free_slots=5)
    await bench.deliveries.college.deliver(
        due.url,
        message_id=due.message_id,
        body=due.body,
        secrets=[bench.box.open(due.endpoint_id, sealed) for sealed in due.sealed_secrets],
        sent_at=bench.clock.now(),
        challenge=None,
    )
    assert await bench.drain() == 0
    bench.clock.advance(LEASE + timedelta(seconds=1))
    assert await bench.drain() == 1
    assert len(receiver.messages) == 2
    assert len({came.id for came in receiver.messages}) == 1
    # The one who came back from the dead records nothing more.
    await attempt(bench.deliveries, due)
    assert [fact["type"] for fact in await facts(bench)] == ["delivered"]


async def test_an_address_that_turned_inward_is_not_called(bench: Bench, receiver: Receiver) -> None:
    from services.notifications.gateways.colleges import HttpCollegeDoor
    from services.notifications.gateways.egress import Egress
    from services.notifications.usecases.delivering import DeliveryDesk

    await bench.register(receiver)
    await take_in(bench.db, Case().requested(), now=bench.clock.now())
    strict = Egress(allow_loopback=False)
    desk = DeliveryDesk(db=bench.db, college=HttpCollegeDoor(strict), box=bench.box, clock=bench.clock)
    [due] = await take_due(desk, HEALTHY, free_slots=5)
    await attempt(desk, due)
    await strict.close()
    assert receiver.messages == []
    log = await rows(bench.db, "SELECT status, error FROM webhook_attempt WHERE message_id = $1", due.message_id)
    assert log == [{"status": None, "error": "address_refused"}]
    assert await bench.states() == [("pending", 1)]


async def test_a_flood_of_an_answer_is_cut_off(bench: Bench, receiver: Receiver) -> None:
    await bench.register(receiver)
    receiver.usually = lambda came: Reply(body=b"x" * 5_000_000)
    await take_in(bench.db, Case().requested(), now=bench.clock.now())
    await bench.drain()
    assert await bench.states() == [("delivered", 1)]


async def test_a_disabled_endpoint_gets_nothing(bench: Bench, receiver: Receiver) -> None:
    made = await bench.register(receiver)
    await take_in(bench.db, Case().requested(), now=bench.clock.now())
    await disable_endpoint(PROVIDER, made["id"], desk=bench.endpoints)
    assert await bench.drain() == 0
    assert await bench.states() == [("canceled", 0)]


async def test_no_secret_lies_in_the_database_in_the_clear(bench: Bench, receiver: Receiver) -> None:
    made = await bench.register(receiver)
    stored = await rows(bench.db, "SELECT e::text AS text FROM webhook_endpoint AS e")
    assert made["secret"].removeprefix("whsec_") not in repr(stored)


async def test_acts_on_one_endpoint_at_once_do_not_wait_for_each_other(bench: Bench, receiver: Receiver) -> None:
    """Whoever disables it holds provider and endpoint, then wants the deliveries: each other act comes after it."""
    replies = [Reply(), Reply(503), Reply(410)]
    for step in ("provider", "endpoint"):
        for reply in replies:
            made = await bench.register(receiver)
            await take_in(bench.db, Case().requested(), now=bench.clock.now())
            [due] = await take_due(bench.deliveries, HEALTHY, free_slots=1)
            receiver.replies.append(reply)
            await rows(bench.db, "UPDATE webhook_endpoint SET failures_in_a_row = 1 WHERE status = 'active'")
            async with bench.db.transaction() as tx:
                await endpoint_store.lock_provider(tx, PROVIDER)
                if step == "endpoint":
                    await endpoint_store.lock_endpoint(tx, PROVIDER, made["id"])
                acting = asyncio.create_task(attempt(bench.deliveries, due))
                await until_one_waits(bench.db, acting)
                await endpoint_store.lock_endpoint(tx, PROVIDER, made["id"])
                await endpoint_store.disable_endpoint(tx, made["id"], reason="by_provider", now=bench.clock.now())
                await delivery_store.cancel_deliveries(tx, made["id"], now=bench.clock.now())
            await acting
            await rows(bench.db, "DELETE FROM webhook_attempt")
            await rows(bench.db, "DELETE FROM webhook_delivery")
            bench.clock.advance(timedelta(days=1))


async def test_a_replay_and_a_disabling_at_once_do_not_wait_for_each_other(bench: Bench, receiver: Receiver) -> None:
    made = await bench.register(receiver)
    async with bench.db.transaction() as tx:
        await endpoint_store.lock_provider(tx, PROVIDER)
        once = Once("college/x", "key", b"")
        acting = asyncio.create_task(
            replay(PROVIDER, made["id"], message_id=None, after_position=0, once=once, desk=bench.endpoints)
        )
        await until_one_waits(bench.db, acting)
        await endpoint_store.lock_endpoint(tx, PROVIDER, made["id"])
    assert (await acting).status == 202


async def test_a_success_that_was_under_way_does_not_end_the_rest_that_was_asked_for(
    bench: Bench, receiver: Receiver
) -> None:
    await bench.register(receiver)
    for _ in range(2):
        await take_in(bench.db, Case().requested(), now=bench.clock.now())
    first, second = await take_due(bench.deliveries, HEALTHY, free_slots=2)
    receiver.replies.extend([Reply(429, {"retry-after": "120"}), Reply()])
    await attempt(bench.deliveries, first)
    await attempt(bench.deliveries, second)
    bench.clock.advance(timedelta(seconds=60))
    await take_in(bench.db, Case().requested(), now=bench.clock.now())
    assert await bench.drain() == 0
    bench.clock.advance(timedelta(seconds=61))
    assert await bench.drain() == 2


@pytest.mark.parametrize(
    "given",
    [
        "Fri, 31 Dec 99999999999999999999 23:59:59 GMT",
        "Fri, 31 Dec 2026 23:59:59 +99999999999999999999",
        "soon",
        "9" * 99,
    ],
)
async def test_an_absurd_retry_after_does_not_undo_a_delivery(bench: Bench, receiver: Receiver, given: str) -> None:
    await bench.register(receiver)
    receiver.usually = lambda came: Reply(200, {"retry-after": given})
    await take_in(bench.db, Case().requested(), now=bench.clock.now())
    await bench.drain()
    assert await bench.states() == [("delivered", 1)]
