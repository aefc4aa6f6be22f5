"""How each vendor writes its redemption reports: columns, words, dates and zone, as data (`exam-vendors/*.toml`)."""

import tomllib
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from contracts.texts import Slug
from services.payments.exam_vouchers.errors import VendorFormatFaulty, VendorUnknown, ZoneUnknown
from services.payments.exam_vouchers.expiry import zone_of

FORMAT_BYTES_MAX = 64 * 1024

Heading = Annotated[str, Field(min_length=1, max_length=100)]
Words = Annotated[str, Field(min_length=1, max_length=60)]


class Word(StrEnum):
    """What a vendor says of one code, in our words."""

    REGISTERED = "registered"
    DELIVERED = "delivered"
    NO_SHOW = "no_show"
    LATE_CANCEL = "late_cancel"
    REGISTRATION_CANCELED = "registration_canceled"
    EVENT_CANCELED = "event_canceled"
    MISSED_REUSABLE = "missed_reusable"
    """The person was not there, and the vendor lets the code be used again."""
    UNUSED = "unused"
    EXPIRED = "expired"
    VOID = "void"


FREEING = frozenset({Word.REGISTRATION_CANCELED, Word.EVENT_CANCELED, Word.MISSED_REUSABLE, Word.UNUSED})
"""Words by which a code may be used again."""


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Columns(_Strict):
    """The headings under which the vendor writes what is needed; their order in the file does not matter."""

    code: Heading
    status: Heading
    event_at: Heading
    """When the exam is, or was to be."""
    told_at: Heading | None = None
    """When the vendor took down this status; without it the event's moment stands in."""
    exam: Heading | None = None
    reference: Heading | None = None
    """The vendor's number of the registration."""


class Totals(_Strict):
    """A last line with the number of lines above it."""

    label: Words
    """What stands under `column` in that line."""
    column: Heading
    count_column: Heading


class VendorFormat(_Strict):
    """One vendor's reports."""

    vendor: Slug
    zone: Words
    """In which dates without an offset are meant."""
    delimiter: Annotated[str, Field(pattern=r"^[,;|\t]$")] = ","
    encoding: Annotated[str, Field(pattern=r"^(utf-8|latin-1|cp1252|utf-16)$")] = "utf-8"
    moments: Annotated[list[Words], Field(min_length=1, max_length=8)]
    """Forms of dates as `strptime` reads them, tried in order; one without an hour means the end of that day."""
    columns: Columns
    words: Annotated[dict[Words, Word], Field(min_length=1, max_length=60)]
    """The vendor's word for a status, small or capital letters alike, and ours."""
    exams: Annotated[dict[Words, Slug], Field(max_length=500)] = {}
    """The vendor's names of exams, and ours. Without a column `exam` every exam we have of this vendor is tried."""
    totals: Totals | None = None

    @field_validator("zone")
    @classmethod
    def _zone_exists(cls, zone: str) -> str:
        try:
            zone_of(zone)
        except ZoneUnknown as unknown:
            raise ValueError(str(unknown)) from None
        return zone

    @field_validator("words")
    @classmethod
    def _words_fold(cls, words: dict[str, Word]) -> dict[str, Word]:
        folded = {fold(theirs): ours for theirs, ours in words.items()}
        if len(folded) != len(words):
            raise ValueError("two words are the same but for capitals")
        return folded


def fold(word: str) -> str:
    """A word without what vendors vary: capitals and spaces around and within."""
    return " ".join(word.split()).casefold()


def read_format(content: bytes, name: str) -> VendorFormat:
    """A vendor's format from TOML; `VendorFormatFaulty` names the file, the key and what is wrong with it."""
    try:
        return VendorFormat.model_validate(tomllib.loads(content.decode()))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as fault:
        raise VendorFormatFaulty(file=name, key="", why=str(fault)) from None
    except ValidationError as faults:
        first = faults.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise VendorFormatFaulty(file=name, key=key, why=first["msg"]) from None


def load_format(folder: Path, vendor: str) -> VendorFormat:
    """The format of the vendor's reports; `VendorUnknown` where the folder has none for it."""
    path = folder / f"{vendor}.toml"
    if path.parent != folder or not path.is_file() or path.stat().st_size > FORMAT_BYTES_MAX:
        raise VendorUnknown(vendor=vendor)
    found = read_format(path.read_bytes(), path.name)
    if found.vendor != vendor:
        raise VendorFormatFaulty(file=path.name, key="vendor", why=f"{found.vendor} stands in the file of {vendor}")
    return found
