"""The mail system, over SMTP."""

import asyncio
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Protocol

import aiosmtplib

from contracts.errors import Refused, Unavailable
from contracts.ids import NoticeId
from kit.clock import Clock
from services.notifications.letters import Letter, Sender


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

    async def hand_over(self, letter: Letter, *, to: str, sender: Sender, language: str, notice_id: NoticeId) -> None:
        try:
            message = self._message(letter, to=to, sender=sender, language=language, notice_id=notice_id)
            # Bounded as a whole: the library's own limit starts anew with every command.
            async with asyncio.timeout(self._timeout_seconds):
                await aiosmtplib.send(message, hostname=self._host, port=self._port, timeout=self._timeout_seconds)
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

    def _message(self, letter: Letter, *, to: str, sender: Sender, language: str, notice_id: NoticeId) -> EmailMessage:
        message = EmailMessage()
        message["Subject"] = letter.subject
        message["From"] = Address(display_name=sender.name, addr_spec=sender.address)
        message["To"] = to
        message["Date"] = format_datetime(self._clock.now())
        # Derived from the notice, so that a letter sent twice is recognized as one.
        message["Message-ID"] = f"<{notice_id}@{sender.address.rpartition('@')[2]}>"
        message["Auto-Submitted"] = "auto-generated"
        message["Content-Language"] = language
        message.set_content(letter.text)
        message.add_alternative(letter.html, subtype="html")
        return message


def _refusal_of(code: int) -> MailRefused | MailUnavailable:
    return MailRefused(answer=f"status_{code}") if 500 <= code < 600 else MailUnavailable(answer=f"status_{code}")
