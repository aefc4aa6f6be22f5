"""Facts and the envelope they travel in: CloudEvents 1.0, Kafka binary content mode.

The value of a record is the JSON of the fact; the attributes are `ce_…` headers (CloudEvents Kafka binding §3.2),
with the W3C `traceparent` and Cairn's correlation and causation ids as extensions.
"""

import re
from collections.abc import Iterable
from datetime import datetime
from typing import ClassVar, Self, TypeAlias
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from contracts.ids import ApplicationId

SPEC_VERSION = "1.0"
CONTENT_TYPE = "application/json"
FACT_BYTES_MAX = 512 * 1024
HEADER_BYTES_MAX = 1024
TYPE_PATTERN = re.compile(r"^cairn\.(applications|eligibility|payments|notifications)\.[a-z_]+\.[a-z_]+\.v[1-9]\d?$")

Headers: TypeAlias = list[tuple[str, bytes]]


class Fact(BaseModel):
    """Something that happened, in the past tense, owned by one service and never changed afterwards.

    Subclasses set `TYPE` (`cairn.<service>.<subject>.<verb>.v1`). Unknown fields are ignored on reading, so that an
    optional field may be added; anything else is a new version.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    TYPE: ClassVar[str] = ""
    registry: ClassVar[dict[str, type["Fact"]]] = {}

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: object) -> None:
        own = cls.__dict__.get("TYPE", "")
        if not own:
            return
        if TYPE_PATTERN.match(own) is None:
            raise TypeError(f"{cls.__name__}.TYPE {own!r} is not cairn.<service>.<subject>.<verb>.v<n>")
        if Fact.registry.setdefault(own, cls).__qualname__ != cls.__qualname__:
            raise TypeError(f"two facts claim the type {own}")

    def partition_key(self) -> str:
        """What keeps facts in order: the application id, or the program id of a program's facts."""
        raise TypeError(f"{type(self).__name__} does not say which key keeps it in order")


class CaseFact(Fact):
    """A fact about one application's case."""

    application_id: ApplicationId

    def partition_key(self) -> str:
        return self.application_id


class UnreadableEnvelope(ValueError):
    """A record's headers are not a CloudEvents 1.0 envelope of Cairn; the message says which and why."""


class Envelope(BaseModel):
    """The CloudEvents attributes of one record, and where it stands in a trace."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: UUID
    type: str
    source: str
    time: datetime
    subject: str
    dataschema: str
    sequence: int
    """Counts the facts of one source about one subject from 1, without gaps."""
    traceparent: str | None = None
    correlation_id: str
    """Names the whole conversation: the request id of the HTTP call that began it."""
    causation_id: str | None = None
    """The fact, step or request that directly caused this one."""

    def to_headers(self) -> Headers:
        """The record headers, in a fixed order."""
        pairs = [
            ("ce_specversion", SPEC_VERSION),
            ("ce_id", str(self.id)),
            ("ce_type", self.type),
            ("ce_source", self.source),
            ("ce_time", self.time.isoformat().replace("+00:00", "Z")),
            ("ce_subject", self.subject),
            ("ce_dataschema", self.dataschema),
            ("ce_sequence", str(self.sequence)),
            ("ce_correlationid", self.correlation_id),
            ("content-type", CONTENT_TYPE),
        ]
        if self.causation_id is not None:
            pairs.append(("ce_causationid", self.causation_id))
        if self.traceparent is not None:
            pairs.append(("traceparent", self.traceparent))
        return [(name, value.encode()) for name, value in pairs]

    @classmethod
    def from_headers(cls, headers: Iterable[tuple[str, bytes | None]]) -> Self:
        """Read the attributes back; `UnreadableEnvelope` names the faulty header."""
        found: dict[str, str] = {}
        for name, raw in headers:
            if "\N{REPLACEMENT CHARACTER}" in name:
                raise UnreadableEnvelope("the name of a header is not UTF-8")
            if raw is None:
                raise UnreadableEnvelope(f"header {name} has no value")
            if len(raw) > HEADER_BYTES_MAX:
                raise UnreadableEnvelope(f"header {name} is longer than {HEADER_BYTES_MAX} bytes")
            try:
                found[name] = raw.decode()
            except UnicodeDecodeError as error:
                raise UnreadableEnvelope(f"header {name} is not UTF-8") from error
        if found.get("ce_specversion") != SPEC_VERSION:
            raise UnreadableEnvelope("header ce_specversion is not 1.0")
        try:
            return cls(
                id=UUID(found["ce_id"]),
                type=found["ce_type"],
                source=found["ce_source"],
                time=datetime.fromisoformat(found["ce_time"]),
                subject=found["ce_subject"],
                dataschema=found["ce_dataschema"],
                sequence=int(found["ce_sequence"]),
                traceparent=found.get("traceparent"),
                correlation_id=found["ce_correlationid"],
                causation_id=found.get("ce_causationid"),
            )
        except KeyError as error:
            raise UnreadableEnvelope(f"header {error.args[0]} is missing") from error
        except ValueError as error:
            raise UnreadableEnvelope(f"a header does not parse: {error}") from error


def schema_uri(fact_type: str) -> str:
    """The `dataschema` of a type: a URN that names the recorded schema under `contracts/schemas/`."""
    return f"urn:cairn:schema:{fact_type}"


def source_of(fact_type: str) -> str:
    """The `source` of a type: the owning service."""
    return f"/cairn/{fact_type.split('.', 2)[1]}"
