"""Bounded kinds of text that more than one contract uses."""

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, StringConstraints

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
"""An id that people choose, for programs, rounds, providers, credentials, exams, partners: `oh-imap`, `lorain-ccc`."""

Code = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
"""A stable machine-readable reason: `not_an_ohio_resident`."""

Sentence = Annotated[str, StringConstraints(min_length=1, max_length=500)]
"""One or two sentences for people; never a person's data."""

Reference = Annotated[str, StringConstraints(pattern=r"^[\x20-\x7e]{1,64}$")]
"""A number or name that an outside party gave something: an invoice number, an exam registration."""

Sealed = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{16,16384}$")]
"""Ciphertext under one person's key, base64url without padding. Useless once that person's key is shredded."""

Actor = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{1,63}$")]
"""A staff member's login name. Never a person who applies."""

Mailbox = Annotated[str, StringConstraints(pattern=r"^[^@\s\x00-\x1f]{1,64}@[^@\s\x00-\x1f]{1,189}$")]
"""The e-mail address of an office; never a person's own."""

Language = Annotated[str, StringConstraints(pattern=r"^(en|es)$")]


def _in_utc_range(value: datetime) -> datetime:
    if not 1900 <= value.year <= 2200:
        raise ValueError("year outside 1900..2200")
    return value


Instant = Annotated[AwareDatetime, AfterValidator(_in_utc_range)]
"""A moment with its offset (RFC 3339)."""
