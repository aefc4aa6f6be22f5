"""What the HTTP doors of notifications take and show."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from contracts.ids import NoticeId, WebhookEndpointId, WebhookMessageId
from services.notifications.domain import Endpoint, EndpointStatus
from services.notifications.store.deliveries import AttemptRecord, DeliveryRecord
from services.notifications.store.notices import NoticeRecord


class _Taken(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Shown(BaseModel):
    model_config = ConfigDict(frozen=True)


class NewEndpoint(_Taken):
    """Where webhooks should go: an https address that is yours."""

    url: Annotated[str, Field(min_length=8, max_length=500, pattern=r"^https?://[\x21-\x7e]+$")]


class ReplayFrom(_Taken):
    """Where to start again: at one message, or after a cursor of the delivery log. Exactly one of them."""

    message_id: WebhookMessageId | None = None
    cursor: Annotated[str, Field(min_length=1, max_length=500)] | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> "ReplayFrom":
        if (self.message_id is None) == (self.cursor is None):
            raise ValueError("give message_id or cursor, and not both")
        return self


class EndpointShown(_Shown):
    """A webhook endpoint; its secret is shown only when it is made."""

    id: WebhookEndpointId
    url: str
    status: EndpointStatus
    disabled_reason: str | None
    created_at: datetime
    verified_at: datetime | None
    disabled_at: datetime | None
    previous_secret_until: datetime | None
    """While a rotation runs: until when the old secret signs too."""
    failures_in_a_row: int
    slowed_until: datetime | None

    @classmethod
    def of(cls, endpoint: Endpoint) -> "EndpointShown":
        return cls(
            id=WebhookEndpointId(endpoint.endpoint_id),
            url=endpoint.url,
            status=endpoint.status,
            disabled_reason=endpoint.disabled_reason,
            created_at=endpoint.created_at,
            verified_at=endpoint.verified_at,
            disabled_at=endpoint.disabled_at,
            previous_secret_until=endpoint.previous_secret_until,
            failures_in_a_row=endpoint.failures_in_a_row,
            slowed_until=endpoint.slowed_until,
        )


class EndpointMade(EndpointShown):
    """A new endpoint. Keep the secret: it is not shown again. The challenge must be echoed before anything is sent."""

    secret: str

    @classmethod
    def with_secret(cls, endpoint: Endpoint, secret: str) -> "EndpointMade":
        return cls(**EndpointShown.of(endpoint).model_dump(), secret=secret)


class SecretRotated(_Shown):
    """The new signing secret, shown this once; the old one signs beside it until the moment given."""

    id: WebhookEndpointId
    secret: str
    previous_secret_until: datetime


class PingSent(_Shown):
    """The test message that is on its way; find it in the delivery log."""

    message_id: WebhookMessageId


class ReplayStarted(_Shown):
    """How many messages are due again, each under its old id."""

    messages: int


class AttemptShown(_Shown):
    attempt_number: int
    started_at: datetime
    duration_ms: int
    status: int | None
    error: str | None


class DeliveryShown(_Shown):
    """One message to this endpoint and every attempt to deliver it."""

    message_id: WebhookMessageId
    type: str
    application_id: str | None
    state: str
    attempts_made: int
    created_at: datetime
    due_at: datetime | None
    """When it is tried next; null once it has ended."""
    ended_at: datetime | None
    attempts: list[AttemptShown]


class EndpointPage(_Shown):
    items: list[EndpointShown]
    next: str | None


class DeliveryPage(_Shown):
    items: list[DeliveryShown]
    next: str | None


class NoticeShown(_Shown):
    """One message to the person: what, in which language, and whether it went. Never its text or address."""

    id: NoticeId
    template: str
    language: str
    state: str
    attempts: int
    failure: str | None
    created_at: datetime
    sent_at: datetime | None


class NoticeList(_Shown):
    items: list[NoticeShown]


def deliveries_shown(page: Sequence[DeliveryRecord], attempts: Sequence[AttemptRecord]) -> list[DeliveryShown]:
    """The log of deliveries, each with its attempts."""
    return [
        DeliveryShown(
            message_id=WebhookMessageId(one.message_id),
            type=one.type,
            application_id=one.application_id,
            state=one.state,
            attempts_made=one.attempts,
            created_at=one.created_at,
            due_at=one.due_at if one.state == "pending" else None,
            ended_at=one.ended_at,
            attempts=[
                AttemptShown(
                    attempt_number=made.attempt_number,
                    started_at=made.started_at,
                    duration_ms=made.duration_ms,
                    status=made.status,
                    error=made.error,
                )
                for made in attempts
                if made.message_id == one.message_id
            ],
        )
        for one in page
    ]


def notices_shown(records: Sequence[NoticeRecord]) -> NoticeList:
    """The log of what the person was told."""
    return NoticeList(
        items=[
            NoticeShown(
                id=record.notice_id,
                template=record.template,
                language=record.language,
                state=record.state,
                attempts=record.attempts,
                failure=record.failure,
                created_at=record.created_at,
                sent_at=record.sent_at,
            )
            for record in records
        ]
    )
