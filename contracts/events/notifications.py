"""Facts that the notifications service owns: who was told what."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from contracts.envelope import CaseFact
from contracts.ids import ClaimId, NoticeId, WebhookEndpointId, WebhookMessageId
from contracts.texts import Code, Instant, Language, Slug


class NoticeSent(CaseFact):
    """A message to the person was handed to the mail system."""

    TYPE: ClassVar[str] = "cairn.notifications.notice.sent.v1"

    notice_id: NoticeId
    template: Code
    language: Language
    sent_at: Instant


class NoticeFailed(CaseFact):
    """A message to the person could not be handed over after every attempt."""

    TYPE: ClassVar[str] = "cairn.notifications.notice.failed.v1"

    notice_id: NoticeId
    template: Code
    reason: Code
    failed_at: Instant


class ClaimDefectsNotified(CaseFact):
    """The provider was told in writing what its claim lacks: its endpoint took the message, or its letter went."""

    TYPE: ClassVar[str] = "cairn.notifications.claim.defects_notified.v1"

    claim_id: ClaimId
    provider_id: Slug
    way: Literal["webhook", "letter"]
    notified_at: Instant


class WebhookDelivered(CaseFact):
    """An outside party's endpoint took a webhook message."""

    TYPE: ClassVar[str] = "cairn.notifications.webhook.delivered.v1"

    message_id: WebhookMessageId
    endpoint_id: WebhookEndpointId
    attempts: Annotated[int, Field(ge=1, le=100)]
    delivered_at: Instant


class WebhookExhausted(CaseFact):
    """An outside party's endpoint did not take a webhook message in any attempt."""

    TYPE: ClassVar[str] = "cairn.notifications.webhook.exhausted.v1"

    message_id: WebhookMessageId
    endpoint_id: WebhookEndpointId
    attempts: Annotated[int, Field(ge=1, le=100)]
    reason: Code
    exhausted_at: Instant
