"""The Kafka topics: one per owning service, keyed by application id (a program's facts by program id)."""

from enum import StrEnum

PARTITIONS = 12


class Topic(StrEnum):
    """A topic's name; `deploy/kafka/topics.toml` declares the same set with its settings."""

    APPLICATIONS = "cairn.applications"
    ELIGIBILITY = "cairn.eligibility"
    PAYMENTS = "cairn.payments"
    NOTIFICATIONS = "cairn.notifications"
    DEAD_LETTERS = "cairn.dead-letters"


def topic_of(fact_type: str) -> Topic:
    """The topic that carries facts of this type: `cairn.payments.…` → `cairn.payments`."""
    return Topic(".".join(fact_type.split(".", 2)[:2]))
