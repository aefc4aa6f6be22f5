"""Bounded kinds of value that every file of a pack uses."""

from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


def _time_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f"{name!r} is not an IANA time zone") from error
    return name


def _fraction(share: str) -> str:
    above, below = (int(part) for part in share.split("/"))
    if not 0 < above <= below:
        raise ValueError("a share is a fraction above 0 and at most 1, such as 1/3")
    return share


TimeZone = Annotated[str, AfterValidator(_time_zone)]
Title = Annotated[str, Field(min_length=1, max_length=200)]
Citation = Annotated[str, Field(min_length=1, max_length=200)]
MonthDay = Annotated[str, Field(pattern=r"^(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$")]
State = Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
Percent = Annotated[int, Field(ge=0, le=1000)]
Share = Annotated[str, Field(pattern=r"^\d{1,3}/\d{1,3}$"), AfterValidator(_fraction)]


class Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
