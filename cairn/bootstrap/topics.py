"""Kafka topics: declared in `deploy/kafka/topics.toml`, created where missing, refused where they differ."""

import asyncio
import time
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cairn.exits import Fault
from cairn.stack.layout import ROOT

DECLARATION = ROOT / "deploy" / "kafka" / "topics.toml"
TIMEOUT_MS = 20_000
POLL_SECONDS = 0.05
_CREATED, _ALREADY_THERE = 0, 36


@dataclass(frozen=True)
class TopicDeclaration:
    """One topic as it should be on the cluster."""

    name: str
    partitions: int
    factor: int
    config: Mapping[str, str]


class TopicsDrifted(Fault):
    """The cluster's topics are not the declared ones."""

    code = "topics_drifted"

    def __init__(self, differences: list[str]) -> None:
        super().__init__("The cluster's topics differ from deploy/kafka/topics.toml: " + "; ".join(differences) + ".")
        self.differences = differences


def read_topics(
    environment: str, *, factor: int | None = None, prefix: str = "", file: Path = DECLARATION
) -> list[TopicDeclaration]:
    """The declared topics for `local` or `production`; `prefix` goes before every name.

    `factor` copies instead of the declared number: all but one of them, and at least one, confirm a record.
    """
    declared = tomllib.loads(file.read_text())
    replication = declared["replication"][environment]
    if factor is not None:
        replication = {"factor": factor, "min_insync_replicas": max(1, factor - 1)}
    return [
        TopicDeclaration(
            name=prefix + name,
            partitions=topic["partitions"],
            factor=replication["factor"],
            config={**topic["config"], "min.insync.replicas": str(replication["min_insync_replicas"])},
        )
        for name, topic in declared["topics"].items()
    ]


async def ensure_topics(bootstrap: str, topics: list[TopicDeclaration]) -> list[str]:
    """Create what is missing, then compare all; the names that were created. Raises `TopicsDrifted`."""
    from aiokafka.admin import AIOKafkaAdminClient

    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=TIMEOUT_MS)
    await admin.start()
    try:
        existing = set(await admin.list_topics())
        missing = [topic for topic in topics if topic.name not in existing]
        created = await _create(admin, missing) if missing else []
        partitions = await _described(admin, [topic.name for topic in topics])
        differences = _differences(topics, partitions, await _configs(admin, [topic.name for topic in topics]))
    finally:
        await admin.close()
    if differences:
        raise TopicsDrifted(differences)
    return created


async def _create(admin: Any, topics: list[TopicDeclaration]) -> list[str]:
    from aiokafka.admin import NewTopic

    new = [
        NewTopic(
            name=topic.name,
            num_partitions=topic.partitions,
            replication_factor=topic.factor,
            topic_configs=dict(topic.config),
        )
        for topic in topics
    ]
    answer = await admin.create_topics(new, timeout_ms=TIMEOUT_MS)
    refused = [f"{name}: {text}" for name, code, text in answer.topic_errors if code not in {_CREATED, _ALREADY_THERE}]
    if refused:
        raise TopicsDrifted([f"could not create {each}" for each in refused])
    return [name for name, code, _ in answer.topic_errors if code == _CREATED]


async def _described(admin: Any, names: list[str]) -> dict[str, list[dict[str, Any]]]:
    """The partitions of each topic. A broker learns of a new topic a moment after the controller has made it."""
    give_up = time.monotonic() + TIMEOUT_MS / 1000
    while True:
        found = {each["topic"]: each["partitions"] for each in await admin.describe_topics(names) if each["partitions"]}
        if len(found) == len(names) or time.monotonic() > give_up:
            return found
        await asyncio.sleep(POLL_SECONDS)


async def _configs(admin: Any, names: list[str]) -> dict[str, dict[str, str]]:
    from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

    answers = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in names])
    # A resource is (error code, error message, type, name, entries); an entry begins with name and value.
    return {
        resource[3]: {entry[0]: entry[1] for entry in resource[4]}
        for answer in answers
        for resource in answer.resources
    }


def _differences(
    topics: list[TopicDeclaration],
    partitions: Mapping[str, list[dict[str, Any]]],
    configs: Mapping[str, Mapping[str, str]],
) -> list[str]:
    found: list[str] = []
    for topic in topics:
        own = partitions.get(topic.name, [])
        if len(own) != topic.partitions:
            found.append(f"{topic.name} has {len(own)} partitions, declared are {topic.partitions}")
        factors = {len(each["replicas"]) for each in own}
        if factors != {topic.factor}:
            found.append(f"{topic.name} has {sorted(factors)} replicas, declared are {topic.factor}")
        for key, value in topic.config.items():
            actual = configs.get(topic.name, {}).get(key)
            if actual != value:
                found.append(f"{topic.name} has {key} = {actual}, declared is {value}")
    return found
