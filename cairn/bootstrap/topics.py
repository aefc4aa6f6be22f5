"""Kafka topics: declared in `deploy/kafka/topics.toml`, created where missing, refused where they differ."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cairn.exits import Fault
from cairn.stack.layout import ROOT

DECLARATION = ROOT / "deploy" / "kafka" / "topics.toml"
TIMEOUT_MS = 20_000
_ALREADY_EXISTS = 36


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


def read_topics(environment: str, *, prefix: str = "", file: Path = DECLARATION) -> list[TopicDeclaration]:
    """The declared topics for `local` or `production`; `prefix` goes before every name."""
    declared = tomllib.loads(file.read_text())
    replication = declared["replication"][environment]
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
    from aiokafka.admin import AIOKafkaAdminClient, NewTopic

    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=TIMEOUT_MS)
    await admin.start()
    try:
        existing = set(await admin.list_topics())
        missing = [topic for topic in topics if topic.name not in existing]
        if missing:
            new = [
                NewTopic(
                    name=topic.name,
                    num_partitions=topic.partitions,
                    replication_factor=topic.factor,
                    topic_configs=dict(topic.config),
                )
                for topic in missing
            ]
            _require_created(await admin.create_topics(new, timeout_ms=TIMEOUT_MS))
        differences = await _differences(admin, [topic for topic in topics if topic not in missing])
    finally:
        await admin.close()
    if differences:
        raise TopicsDrifted(differences)
    return [topic.name for topic in missing]


def _require_created(answer: Any) -> None:
    fine = {0, _ALREADY_EXISTS}
    refused = [f"{name}: {text or code}" for name, code, text in answer.topic_errors if code not in fine]
    if refused:
        raise TopicsDrifted([f"could not create {each}" for each in refused])


async def _differences(admin: Any, topics: list[TopicDeclaration]) -> list[str]:
    from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

    if not topics:
        return []
    found: list[str] = []
    described = {each["topic"]: each["partitions"] for each in await admin.describe_topics([t.name for t in topics])}
    resources = [ConfigResource(ConfigResourceType.TOPIC, topic.name) for topic in topics]
    configs: dict[str, dict[str, str]] = {}
    for answer in await admin.describe_configs(resources):
        for resource in answer.resources:
            name, entries = resource[3], resource[4]
            configs[name] = {entry[0]: entry[1] for entry in entries}
    for topic in topics:
        partitions = described[topic.name]
        if len(partitions) != topic.partitions:
            found.append(f"{topic.name} has {len(partitions)} partitions, declared are {topic.partitions}")
        factor = len(partitions[0]["replicas"]) if partitions else 0
        if factor != topic.factor:
            found.append(f"{topic.name} has {factor} replicas, declared are {topic.factor}")
        for key, value in topic.config.items():
            actual = configs[topic.name].get(key)
            if actual != value:
                found.append(f"{topic.name} has {key} = {actual}, declared is {value}")
    return found
