"""Colleges' webhook endpoints, over HTTP."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from contracts.ids import WebhookMessageId
from services.notifications.domain import Answered, Unanswered


class CollegeDoor(Protocol):
    """Takes a signed message to an address outside."""

    async def check_address(self, url: str) -> None:
        """Return if webhooks may go there; `WebhookAddressRefused` says why not."""
        ...

    async def deliver(
        self,
        url: str,
        *,
        message_id: WebhookMessageId,
        body: bytes,
        secrets: Sequence[str],
        sent_at: datetime,
        challenge: str | None,
    ) -> Answered | Unanswered:
        """POST once, signed with every secret; look for `challenge` in the answer where one is given."""
        ...
