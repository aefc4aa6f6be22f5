"""A provider looks after its webhook endpoints: register, list, ping, rotate, replay, disable."""

import secrets
from dataclasses import dataclass

from contracts.errors import CairnError, NotFound, Unavailable
from contracts.ids import WebhookEndpointId, WebhookMessageId
from kit.clock import Clock
from kit.db import Connection, Database
from kit.idempotency import Answer, Attempt, Once, answer_once
from kit.webhooks import new_secret
from services.notifications.domain import (
    ENDPOINTS_PER_PROVIDER_MAX,
    LOGGED_AT_ONCE_MAX,
    REPLAY_MESSAGES_MAX,
    ROTATION_OVERLAP,
    Endpoint,
    EndpointExists,
    EndpointIsDisabled,
    EndpointStatus,
    RotationRunning,
    TooManyEndpoints,
    UnknownReplayStart,
    WebhookAddressRefused,
)
from services.notifications.gateways.colleges import CollegeDoor
from services.notifications.gateways.secret_box import SecretBox
from services.notifications.messages import body_of, ping
from services.notifications.store import deliveries
from services.notifications.store import endpoints as store
from services.notifications.store.deliveries import AttemptRecord, DeliveryRecord
from services.notifications.views import EndpointMade, PingSent, ReplayStarted, SecretRotated


@dataclass(frozen=True, slots=True)
class EndpointDesk:
    """What looking after endpoints takes."""

    db: Database
    college: CollegeDoor
    box: SecretBox
    clock: Clock


async def register_endpoint(provider_id: str, url: str, *, once: Once | None, desk: EndpointDesk) -> Answer:
    """Add an endpoint, send it its challenge, and let it inherit what no endpoint could take so far."""
    # Outside the transaction: a name server that is silent must not hold a connection to the database meanwhile.
    refusal = await _refusal_of_address(url, desk)

    async def add(tx: Connection) -> Answer:
        if refusal is not None:
            raise refusal
        now = desk.clock.now()
        await store.lock_provider(tx, provider_id)
        _admit(url, await store.live_endpoints(tx, provider_id))
        endpoint = Endpoint(
            endpoint_id=WebhookEndpointId.new(),
            provider_id=provider_id,
            url=url,
            status=EndpointStatus.UNVERIFIED,
            challenge=secrets.token_hex(16),
            created_at=now,
        )
        secret = new_secret()
        await store.add_endpoint(tx, endpoint, sealed_secret=desk.box.seal(endpoint.endpoint_id, secret))
        await _send_ping(tx, endpoint, desk)
        await deliveries.adopt_messages(
            tx, provider_id=provider_id, endpoint_id=endpoint.endpoint_id, limit=REPLAY_MESSAGES_MAX, now=now
        )
        return Answer(201, EndpointMade.with_secret(endpoint, secret).model_dump_json().encode())

    return await _once(add, once, desk)


async def _refusal_of_address(url: str, desk: EndpointDesk) -> CairnError | None:
    """Raised later: a repetition must be answered as the first request was, whatever the name says now."""
    try:
        await desk.college.check_address(url)
    except (WebhookAddressRefused, Unavailable) as error:
        return error
    return None


def _admit(url: str, live: list[Endpoint]) -> None:
    for endpoint in live:
        if endpoint.url == url:
            raise EndpointExists(endpoint_id=endpoint.endpoint_id, pointer="/url")
    if len(live) >= ENDPOINTS_PER_PROVIDER_MAX:
        raise TooManyEndpoints(limit=ENDPOINTS_PER_PROVIDER_MAX)


async def ping_endpoint(provider_id: str, endpoint_id: str, *, once: Once, desk: EndpointDesk) -> Answer:
    """Send a test message; to an endpoint that is not verified yet, its challenge again."""

    async def send(tx: Connection) -> Answer:
        endpoint = await _live_endpoint(tx, provider_id, endpoint_id)
        message_id = await _send_ping(tx, endpoint, desk)
        return Answer(202, PingSent(message_id=message_id).model_dump_json().encode())

    return await _once(send, once, desk)


async def rotate_secret(provider_id: str, endpoint_id: str, *, once: Once, desk: EndpointDesk) -> Answer:
    """Make a new signing secret; for a day both sign every message."""

    async def rotate(tx: Connection) -> Answer:
        now = desk.clock.now()
        endpoint = await _live_endpoint(tx, provider_id, endpoint_id)
        # A third secret would silently end the one the provider may still verify with.
        if endpoint.previous_secret_until is not None and endpoint.previous_secret_until > now:
            raise RotationRunning(until=endpoint.previous_secret_until.isoformat())
        secret = new_secret()
        until = now + ROTATION_OVERLAP
        sealed = desk.box.seal(endpoint_id, secret)
        await store.rotate_secret(tx, endpoint_id, sealed_secret=sealed, previous_until=until)
        shown = SecretRotated(id=WebhookEndpointId(endpoint_id), secret=secret, previous_secret_until=until)
        return Answer(201, shown.model_dump_json().encode())

    return await _once(rotate, once, desk)


async def replay(
    provider_id: str,
    endpoint_id: str,
    *,
    message_id: str | None,
    after_position: int | None,
    once: Once,
    desk: EndpointDesk,
) -> Answer:
    """Queue the provider's messages again, from one message or after a place in the log."""

    async def requeue(tx: Connection) -> Answer:
        await deliveries.write_log(tx, provider_id, limit=LOGGED_AT_ONCE_MAX)
        # Messages written meanwhile must not be queued by both.
        await store.lock_provider(tx, provider_id)
        await _live_endpoint(tx, provider_id, endpoint_id)
        start = None
        if message_id is not None:
            start = await deliveries.position_of(tx, message_id, provider_id=provider_id)
        if start is None and after_position is None:
            raise UnknownReplayStart(pointer="/message_id")
        queued = await deliveries.replay_from(
            tx,
            endpoint_id=endpoint_id,
            provider_id=provider_id,
            after_log_position=after_position if start is None else None,
            from_position=start,
            limit=REPLAY_MESSAGES_MAX,
            now=desk.clock.now(),
        )
        return Answer(202, ReplayStarted(messages=queued).model_dump_json().encode())

    return await _once(requeue, once, desk)


async def disable_endpoint(provider_id: str, endpoint_id: str, *, desk: EndpointDesk) -> None:
    """Send nothing more to it; what was pending waits for the provider's next endpoint. Done twice is done."""
    now = desk.clock.now()
    async with desk.db.transaction() as tx:
        await store.lock_provider(tx, provider_id)
        if await store.lock_endpoint(tx, provider_id, endpoint_id) is None:
            raise NotFound(kind="webhook endpoint")
        await store.disable_endpoint(tx, endpoint_id, reason="by_provider", now=now)
        await deliveries.cancel_deliveries(tx, endpoint_id, now=now)


async def list_endpoints(provider_id: str, *, after: str, limit: int, desk: EndpointDesk) -> list[Endpoint]:
    async with desk.db.transaction() as tx:
        return await store.page_of_endpoints(tx, provider_id, after=after, limit=limit)


async def read_endpoint(provider_id: str, endpoint_id: str, *, desk: EndpointDesk) -> Endpoint:
    async with desk.db.transaction() as tx:
        endpoint = await store.read_endpoint(tx, provider_id, endpoint_id)
    if endpoint is None:
        raise NotFound(kind="webhook endpoint")
    return endpoint


async def list_deliveries(
    provider_id: str, endpoint_id: str, *, after: int, limit: int, desk: EndpointDesk
) -> tuple[list[DeliveryRecord], list[AttemptRecord]]:
    """A page of the endpoint's delivery log, oldest first, with every attempt."""
    async with desk.db.transaction() as tx:
        if await store.read_endpoint(tx, provider_id, endpoint_id) is None:
            raise NotFound(kind="webhook endpoint")
        await deliveries.write_log(tx, provider_id, limit=LOGGED_AT_ONCE_MAX)
        page = await deliveries.page_of_deliveries(tx, endpoint_id, provider_id=provider_id, after=after, limit=limit)
        attempts = await deliveries.attempts_of(tx, endpoint_id, [one.message_id for one in page])
    return page, attempts


async def _live_endpoint(tx: Connection, provider_id: str, endpoint_id: str) -> Endpoint:
    endpoint = await store.lock_endpoint(tx, provider_id, endpoint_id)
    if endpoint is None:
        raise NotFound(kind="webhook endpoint")
    if endpoint.status is EndpointStatus.DISABLED:
        raise EndpointIsDisabled(reason=endpoint.disabled_reason)
    return endpoint


async def _send_ping(tx: Connection, endpoint: Endpoint, desk: EndpointDesk) -> WebhookMessageId:
    now = desk.clock.now()
    message_id = WebhookMessageId.new()
    await deliveries.write_ping(
        tx,
        message_id,
        provider_id=endpoint.provider_id,
        endpoint_id=endpoint.endpoint_id,
        body=body_of(ping(endpoint.challenge, occurred_at=now)),
        now=now,
    )
    return message_id


async def _once(act: Attempt, once: Once | None, desk: EndpointDesk) -> Answer:
    """Do it once per Idempotency-Key. The kept answer may hold a secret, so it is kept as ciphertext."""
    if once is None:
        async with desk.db.transaction() as tx:
            return await act(tx)
    bound_to = f"answer|{once.principal}|{once.key}"

    def seal(answer: Answer) -> Answer:
        return Answer(answer.status, desk.box.seal(bound_to, answer.body.decode()).encode())

    def unseal(kept: Answer) -> Answer:
        return Answer(kept.status, desk.box.open(bound_to, kept.body.decode()).encode())

    return await answer_once(once, act, db=desk.db, now=desk.clock.now(), seal=seal, unseal=unseal)
