"""The engines of a home, and the environment that tells a process where they are."""

from collections.abc import Mapping

from cairn.stack.engine import Runnable
from cairn.stack.kafka import Kafka
from cairn.stack.layout import ROOT, Home
from cairn.stack.mail import Mail
from cairn.stack.postgres import Postgres
from cairn.stack.temporal import NAMESPACE, Temporal

ENGINES = ("postgres", "kafka", "temporal", "mail")


def postgres_of(home: Home, ports: Mapping[str, int], *, durable: bool = True) -> Postgres:
    return Postgres(home, ports["postgres"], durable=durable)


def kafka_of(home: Home, ports: Mapping[str, int]) -> Kafka:
    return Kafka(home, ports["kafka"], ports["kafka_controller"])


def temporal_of(home: Home, ports: Mapping[str, int]) -> Temporal:
    return Temporal(home, ports["temporal"], ports["temporal_ui"], ports["temporal_http"], ports["temporal_metrics"])


def engines_of(home: Home, ports: Mapping[str, int], *, durable: bool = True) -> dict[str, Runnable]:
    """Every engine by name, in the order in which they matter."""
    return {
        "postgres": postgres_of(home, ports, durable=durable),
        "kafka": kafka_of(home, ports),
        "temporal": temporal_of(home, ports),
        "mail": Mail(home, ports["mail"]),
    }


def environment(home: Home, ports: Mapping[str, int]) -> dict[str, str]:
    """The `CAIRN_…` settings that every process of this stack shares."""
    return {
        "CAIRN_ENVIRONMENT": "local",
        "CAIRN_DATABASE_URL": postgres_of(home, ports).url(),
        "CAIRN_KAFKA_BOOTSTRAP": kafka_of(home, ports).bootstrap,
        "CAIRN_TEMPORAL_ADDRESS": temporal_of(home, ports).address,
        "CAIRN_TEMPORAL_NAMESPACE": NAMESPACE,
        "CAIRN_SECRETS_DIR": str(home.secrets),
        "CAIRN_PROGRAMS_DIR": str(ROOT / "programs"),
        "CAIRN_EXCHANGE_DIR": str(home.exchange),
        "CAIRN_SMTP_HOST": "127.0.0.1",
        "CAIRN_SMTP_PORT": str(ports["mail"]),
        "CAIRN_ALLOW_LOOPBACK_WEBHOOKS": "true",
        "CAIRN_HTTP_HOST": "127.0.0.1",
        "CAIRN_HTTP_PORT": str(ports["api"]),
        "CAIRN_PUBLIC_URL": f"http://127.0.0.1:{ports['api']}",
    }


def settings_fields(variables: Mapping[str, str]) -> dict[str, str]:
    """The same settings as the fields of a settings class: `CAIRN_HTTP_PORT` → `http_port`."""
    return {name.removeprefix("CAIRN_").lower(): value for name, value in variables.items()}
