"""Topics: the declaration is the contract's, creation may be repeated, a cluster that differs is refused."""

import uuid
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from cairn.bootstrap.topics import TopicsDrifted, ensure_topics, read_topics
from contracts.topics import PARTITIONS, Topic


@pytest.fixture
async def prefix(kafka_bootstrap: str) -> AsyncIterator[str]:
    """A prefix of this test's own topics, which are deleted afterwards."""
    mine = f"{uuid.uuid4().hex[:8]}."
    yield mine
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    await admin.start()
    await admin.delete_topics([name for name in await admin.list_topics() if name.startswith(mine)])
    await admin.close()


@pytest.mark.parametrize("environment", ["local", "production"])
def test_declaration_equals_the_contract(environment: str) -> None:
    declared = read_topics(environment)
    assert {topic.name for topic in declared} == {topic.value for topic in Topic}
    assert {topic.partitions for topic in declared} == {PARTITIONS}


def test_production_keeps_three_copies_and_confirms_two() -> None:
    assert all(t.factor == 3 and t.config["min.insync.replicas"] == "2" for t in read_topics("production"))


@pytest.mark.parametrize(("brokers", "confirming"), [(1, "1"), (2, "1"), (3, "2"), (5, "4")])
def test_a_cluster_of_another_size_says_so(brokers: int, confirming: str) -> None:
    topics = read_topics("production", factor=brokers)
    assert {(t.factor, t.config["min.insync.replicas"]) for t in topics} == {(brokers, confirming)}


async def test_creating_twice_creates_once(kafka_bootstrap: str, prefix: str) -> None:
    topics = read_topics("local", prefix=prefix)
    assert set(await ensure_topics(kafka_bootstrap, topics)) == {topic.name for topic in topics}
    assert await ensure_topics(kafka_bootstrap, topics) == []


async def test_drift_is_named_and_refused(kafka_bootstrap: str, prefix: str) -> None:
    first, *rest = read_topics("local", prefix=prefix)
    await ensure_topics(kafka_bootstrap, [first, *rest])
    changed = replace(first, partitions=24, config={**first.config, "retention.ms": "60000"})
    with pytest.raises(TopicsDrifted) as refused:
        await ensure_topics(kafka_bootstrap, [changed, *rest])
    assert refused.value.differences == [
        f"{first.name} has 12 partitions, declared are 24",
        f"{first.name} has retention.ms = 2592000000, declared is 60000",
    ]
    with pytest.raises(TopicsDrifted, match="replication"):
        await ensure_topics(kafka_bootstrap, [replace(first, name=f"{prefix}other", factor=3)])
