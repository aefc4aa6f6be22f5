"""The envelope against the `cloudevents` package: each reads what the other wrote."""

import random
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary, to_binary
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from contracts.envelope import Envelope, UnreadableEnvelope, schema_uri, source_of
from contracts.events.applications import ApplicationWithdrawn
from contracts.ids import ApplicationId, uuid7


def an_envelope(dice: random.Random) -> Envelope:
    fact_type = ApplicationWithdrawn.TYPE
    return Envelope(
        id=uuid7(),
        type=fact_type,
        source=source_of(fact_type),
        time=datetime(2026, 1, 1, tzinfo=UTC) + timedelta(microseconds=dice.randrange(10**15)),
        subject=ApplicationId.new(),
        dataschema=schema_uri(fact_type),
        sequence=dice.randrange(1, 10**9),
        traceparent=dice.choice([None, "00-" + "ab" * 16 + "-" + "cd" * 8 + "-01"]),
        correlation_id=f"req-{dice.randrange(10**6)}",
        causation_id=dice.choice([None, str(uuid7())]),
    )


@pytest.fixture
def dice() -> random.Random:
    seed = random.randrange(2**32)
    print("seed", seed)
    return random.Random(seed)


def test_the_oracle_reads_what_cairn_writes(dice: random.Random) -> None:
    for _ in range(50):
        envelope = an_envelope(dice)
        message = KafkaMessage(headers=dict(envelope.to_headers()), key=None, value=b'{"reason": "moved_away"}')
        event = from_binary(message, JSONFormat(), CloudEvent)
        assert event.get_specversion() == "1.0"
        assert event.get_id() == str(envelope.id)
        assert event.get_type() == envelope.type
        assert event.get_source() == envelope.source
        assert event.get_time() == envelope.time
        assert event.get_subject() == envelope.subject
        assert event.get_dataschema() == envelope.dataschema
        assert event.get_datacontenttype() == "application/json"
        assert event.get_extension("sequence") == str(envelope.sequence)
        assert event.get_extension("correlationid") == envelope.correlation_id
        assert event.get_extension("causationid") == envelope.causation_id
        assert event.get_data() == {"reason": "moved_away"}


def test_cairn_reads_what_the_oracle_writes(dice: random.Random) -> None:
    for _ in range(50):
        envelope = an_envelope(dice)
        attributes = {
            "id": str(envelope.id),
            "source": envelope.source,
            "type": envelope.type,
            "specversion": "1.0",
            "time": envelope.time,
            "subject": envelope.subject,
            "dataschema": envelope.dataschema,
            "datacontenttype": "application/json",
            "sequence": str(envelope.sequence),
            "correlationid": envelope.correlation_id,
            **({"causationid": envelope.causation_id} if envelope.causation_id else {}),
        }
        message = to_binary(CloudEvent(attributes=attributes, data={"reason": "moved_away"}), JSONFormat())
        read = Envelope.from_headers(message.headers.items())
        assert read == envelope.model_copy(update={"traceparent": None})
        own = {name: value for name, value in envelope.to_headers() if name != "traceparent"}
        assert dict(message.headers) == own


def test_headers_come_back_as_they_went(dice: random.Random) -> None:
    for _ in range(50):
        envelope = an_envelope(dice)
        assert Envelope.from_headers(envelope.to_headers()) == envelope


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("ce_id", None, "header ce_id has no value"),
        ("ce_id", b"\xff", "header ce_id is not UTF-8"),
        ("x-other", b"\xff", "header x-other is not UTF-8"),
        ("ce_subject", b"x" * 5000, "longer than"),
        ("ce_specversion", b"0.3", "is not 1.0"),
        ("ce_id", b"17", "does not parse"),
        ("ce_time", b"yesterday", "does not parse"),
        ("ce_sequence", b"first", "does not parse"),
    ],
)
def test_unreadable_headers_are_named(dice: random.Random, name: str, value: bytes | None, said: str) -> None:
    headers: dict[str, bytes | None] = {**dict(an_envelope(dice).to_headers()), name: value}
    with pytest.raises(UnreadableEnvelope, match=said):
        Envelope.from_headers(headers.items())


@pytest.mark.parametrize("name", ["ce_id", "ce_type", "ce_source", "ce_time", "ce_subject", "ce_sequence"])
def test_missing_headers_are_named(dice: random.Random, name: str) -> None:
    headers = dict(an_envelope(dice).to_headers())
    del headers[name]
    with pytest.raises(UnreadableEnvelope, match=f"header {name} is missing"):
        Envelope.from_headers(headers.items())


def test_ids_are_time_ordered_version_7() -> None:
    ids = [uuid7() for _ in range(50)]
    assert {one.version for one in ids} == {7}
    assert all(isinstance(one, UUID) for one in ids)
    assert [one.int >> 80 for one in ids] == sorted(one.int >> 80 for one in ids)
