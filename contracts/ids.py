"""Typed ids: a prefix, an underscore and 26 characters of Crockford base32 (128 bits): `app_01k9…`.

New ids are UUIDv7 (RFC 9562): they sort by time and say nothing else. Derived ids are a digest of the parts they are
derived from, so that a retried step finds the row its first attempt made.
"""

import hashlib
import os
import re
import time
import uuid
from typing import Any, ClassVar, Self

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_BODY_CHARS = 26
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]
_SHIFTS = range(5 * (_BODY_CHARS - 2), -1, -10)


def uuid7() -> uuid.UUID:
    """A new UUIDv7 (RFC 9562 §5.7): 48 bits of Unix milliseconds, then randomness."""
    millis = time.time_ns() // 1_000_000
    value = (millis & (1 << 48) - 1) << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return uuid.UUID(int=value)


def _encode(value: int) -> str:
    return "".join([_PAIRS[value >> shift & 1023] for shift in _SHIFTS])


class Id(str):
    """An opaque, prefixed, sortable id. Subclasses name what it identifies; the prefix is part of the value."""

    prefix: ClassVar[str] = ""
    pattern: ClassVar[str] = ""

    __slots__ = ()

    def __init_subclass__(cls, *, prefix: str) -> None:
        cls.prefix = prefix
        cls.pattern = f"^{prefix}_[0-7][{_ALPHABET}]{{{_BODY_CHARS - 1}}}$"

    @classmethod
    def new(cls) -> Self:
        """A new id, from clock and randomness: never inside a workflow."""
        return cls(f"{cls.prefix}_{_encode(uuid7().int)}")

    @classmethod
    def derive(cls, *parts: str | int) -> Self:
        """The id that belongs to these parts: the same parts always give the same id."""
        digest = hashlib.sha256("\x1f".join((cls.prefix, *map(str, parts))).encode()).digest()
        return cls(f"{cls.prefix}_{_encode(int.from_bytes(digest[:16], 'big'))}")

    @classmethod
    def parse(cls, value: str) -> Self:
        """`value` as an id of this kind; `ValueError` where it is not one."""
        if re.fullmatch(cls.pattern, value) is None:
            raise ValueError(f"not an id of the form {cls.prefix}_…")
        return cls(value)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: type[Any], handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(cls, core_schema.str_schema(pattern=cls.pattern))


class ApplicationId(Id, prefix="app"):
    """One person's request for one credential at one provider; also the key of every fact about the case."""


class PersonId(Id, prefix="per"):
    """One applicant, known by name only inside the vault."""


class DocumentId(Id, prefix="doc"):
    """A document the person sent in."""


class DeterminationId(Id, prefix="det"):
    """One eligibility decision with its findings."""


class HoldId(Id, prefix="hld"):
    """Money set aside before anything is promised (a pre-encumbrance)."""


class TransferId(Id, prefix="trf"):
    """One entry of the ledger's journal."""


class EnrollmentId(Id, prefix="enr"):
    """One person's place in one course run."""


class AttestationId(Id, prefix="att"):
    """A registered issuer's signed statement that a person completed."""


class CredentialAwardId(Id, prefix="crd"):
    """A credential that one person earned."""


class ExamVoucherId(Id, prefix="exv"):
    """A code that pays for one certification exam (the id, never the code)."""


class ClaimId(Id, prefix="clm"):
    """A provider's request for reimbursement."""


class DisbursementId(Id, prefix="dsb"):
    """One payment to one payee."""


class PaymentBatchId(Id, prefix="bat"):
    """Disbursements that travel in one file."""


class WebhookEndpointId(Id, prefix="whe"):
    """An address where an outside party receives webhooks."""


class WebhookMessageId(Id, prefix="msg"):
    """One webhook message, the same in every attempt to deliver it (`webhook-id`)."""


class NoticeId(Id, prefix="ntc"):
    """One message to one person."""


class StaffActId(Id, prefix="sta"):
    """One act of program staff on a case."""
