"""The mail system, over SMTP."""

import asyncio
import quopri
import re
from collections import deque
from email.message import Message
from email.mime.multipart import MIMEMultipart
from email.mime.nonmultipart import MIMENonMultipart
from email.utils import format_datetime, formataddr
from typing import Protocol

import aiosmtplib

from contracts.errors import Refused, Unavailable
from contracts.ids import NoticeId
from kit.clock import Clock
from services.notifications.letters import Letter, Sender

KEPT_SECONDS = 5.0
KEPT_MAX = 8
"""Connections kept open for a moment for the next letter."""
_ADDRESS = re.compile(r"[^\s@<>,;:\"()\\[\]]+@[^\s@<>,;:\"()\\[\]]+")
"""One address and nothing that a mail system could read as more than that."""


class MailRefused(Refused):
    """The mail system refused the message for good ({answer})."""

    code = "mail_refused"


class MailUnavailable(Unavailable):
    """The mail system does not take messages just now ({answer})."""

    code = "mail_unavailable"


class MailSystem(Protocol):
    """Takes a letter for delivery."""

    async def hand_over(self, letter: Letter, *, to: str, sender: Sender, language: str, notice_id: NoticeId) -> None:
        """Return once it is taken; `MailRefused` if it never will be, `MailUnavailable` if it may be later."""
        ...


class SmtpMail:
    """A mail system that speaks SMTP; TLS where it offers it."""

    def __init__(self, *, host: str, port: int, timeout_seconds: float, clock: Clock) -> None:
        self._host = host
        self._port = port
        self._timeout_seconds = timeout_seconds
        self._clock = clock
        self._kept: deque[tuple[aiosmtplib.SMTP, asyncio.TimerHandle]] = deque()

    async def hand_over(self, letter: Letter, *, to: str, sender: Sender, language: str, notice_id: NoticeId) -> None:
        if _ADDRESS.fullmatch(to) is None:
            raise MailRefused(answer="address_not_writable")
        try:
            message = self._message(letter, to=to, sender=sender, language=language, notice_id=notice_id)
            # Bounded as a whole: the library's own limit starts anew with every command.
            async with asyncio.timeout(self._timeout_seconds):
                await self._send(message)
        # The mail system's own words quote the address: only its status goes on from here.
        except aiosmtplib.SMTPRecipientsRefused as error:
            codes = {refused.code for refused in error.recipients}
            raise _refusal_of(max(codes, default=450)) from None
        except aiosmtplib.SMTPResponseException as error:
            raise _refusal_of(error.code) from None
        except aiosmtplib.SMTPNotSupported:
            raise MailRefused(answer="not_supported") from None
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            raise MailUnavailable(answer=type(error).__name__) from None
        except ValueError:
            raise MailRefused(answer="address_not_writable") from None

    async def _send(self, message: Message) -> None:
        while self._kept:
            client, expiry = self._kept.pop()
            expiry.cancel()
            if not client.is_connected:
                continue
            try:
                await self._send_over(client, message)
                return
            except aiosmtplib.SMTPServerDisconnected:
                continue  # It was closed over there meanwhile.
        client = aiosmtplib.SMTP(hostname=self._host, port=self._port, timeout=self._timeout_seconds)
        await client.connect()
        await self._send_over(client, message)

    async def _send_over(self, client: aiosmtplib.SMTP, message: Message) -> None:
        try:
            await client.send_message(message)
        except BaseException:
            client.close()
            raise
        if len(self._kept) >= KEPT_MAX:
            client.close()
            return
        self._kept.append((client, asyncio.get_running_loop().call_later(KEPT_SECONDS, self._drop, client)))

    def _drop(self, client: aiosmtplib.SMTP) -> None:
        client.close()
        self._kept = deque(kept for kept in self._kept if kept[0] is not client)

    async def close(self) -> None:
        """End the connections that are kept."""
        while self._kept:
            client, expiry = self._kept.pop()
            expiry.cancel()
            client.close()

    def _message(self, letter: Letter, *, to: str, sender: Sender, language: str, notice_id: NoticeId) -> Message:
        # The classes of `email.message` parse every header they are given: most of what sending a letter cost.
        message = MIMEMultipart("alternative")
        message["Subject"] = letter.subject
        message["From"] = formataddr((sender.name, sender.address))
        message["To"] = to
        message["Date"] = format_datetime(self._clock.now())
        # Derived from the notice, so that a letter sent twice is recognized as one.
        message["Message-ID"] = f"<{notice_id}@{sender.address.rpartition('@')[2]}>"
        message["Auto-Submitted"] = "auto-generated"
        message["Content-Language"] = language
        message.attach(_part(letter.text, "plain"))
        message.attach(_part(letter.html, "html"))
        return message


def _part(text: str, subtype: str) -> Message:
    part = MIMENonMultipart("text", subtype, charset="utf-8")
    part["Content-Transfer-Encoding"] = "quoted-printable"
    part.set_payload(quopri.encodestring(text.encode()).decode("ascii"))
    return part


def _refusal_of(code: int) -> MailRefused | MailUnavailable:
    return MailRefused(answer=f"status_{code}") if 500 <= code < 600 else MailUnavailable(answer=f"status_{code}")
