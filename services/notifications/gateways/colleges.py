"""Colleges' webhook endpoints, over HTTP: signed, guarded, bounded."""

import hmac
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Protocol

from contracts.ids import WebhookMessageId
from kit.webhooks import sign
from services.notifications.domain import Answered, Unanswered, WebhookAddressRefused
from services.notifications.gateways.egress import DestinationRefused, DestinationUnreachable, Egress, NameNotAnswering


class CollegeDoor(Protocol):
    """Takes a signed message to an address outside."""

    async def check_address(self, url: str) -> None:
        """Return if webhooks may go there; `WebhookAddressRefused` says why not, `Unavailable` to ask again."""
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


class HttpCollegeDoor:
    """Standard Webhooks over `Egress`: the address is checked anew each time, redirects are not followed."""

    def __init__(self, egress: Egress) -> None:
        self._egress = egress

    async def check_address(self, url: str) -> None:
        try:
            await self._egress.check(url)
        except NameNotAnswering:
            raise
        except (DestinationRefused, DestinationUnreachable) as error:
            raise WebhookAddressRefused(why=error.facts["why"], pointer="/url") from error

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
        headers = {
            "content-type": "application/json",
            **sign(message_id=message_id, at=sent_at, body=body, keys=secrets),
        }
        try:
            answer = await self._egress.post(url, body=body, headers=headers)
        except DestinationRefused:
            return Unanswered(error="address_refused")
        except NameNotAnswering:
            return Unanswered(error="name_not_answering")
        except DestinationUnreachable as error:
            return Unanswered(error="timeout" if error.facts["why"] == "timeout" else "connection_failed")
        return Answered(
            status=answer.status,
            retry_after=retry_after_of(answer.headers, now=sent_at),
            echoed_challenge=challenge is not None and _echoes(answer.body, challenge),
        )


def retry_after_of(headers: Mapping[str, str], *, now: datetime) -> timedelta | None:
    """How long the answer asks us to wait (RFC 9110 §10.2.3): seconds or a date; None where it says neither."""
    given = headers.get("retry-after", "").strip()
    if given.isdecimal() and given.isascii():
        return timedelta(seconds=min(int(given[:9]), 10**8))
    try:
        until = parsedate_to_datetime(given)
    except (ValueError, OverflowError):
        return None
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(until - now, timedelta(0))


def _echoes(body: bytes, challenge: str) -> bool:
    try:
        answer: Any = json.loads(body)
    except (ValueError, RecursionError):
        return False
    echoed = answer.get("challenge") if isinstance(answer, dict) else None
    return isinstance(echoed, str) and hmac.compare_digest(echoed.encode(), challenge.encode())
