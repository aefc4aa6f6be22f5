"""What a process learns from its environment (`CAIRN_…`) and from its secrets folder."""

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import quote, urlsplit, urlunsplit

from pydantic import AliasChoices, Field, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from contracts.errors import Refused

LOCAL_SECRETS_MARKER = "local-stack"
"""A file of this name says that the secrets beside it were made for the local stack."""

KEY_BYTES_MIN = 16

Port = Annotated[int, Field(ge=0, le=65535)]


class SecretMissing(Refused):
    """There is no readable secret {name} in the secrets folder."""

    code = "secret_missing"


class SecretUnfit(Refused):
    """The secret {name} cannot be used: {why}."""

    code = "secret_unfit"


class ProcessSettings(BaseSettings):
    """Addresses, folders and limits of one process. A port of 0 means any free one."""

    model_config = SettingsConfigDict(
        env_prefix="CAIRN_",
        frozen=True,
        extra="ignore",
        populate_by_name=True,
        # A wrong value may hold a password: `postgresql://user:password@host/database`.
        hide_input_in_errors=True,
    )

    environment: Literal["local", "production"] = "local"
    database_url: str = "postgresql://127.0.0.1:5432/cairn"
    kafka_bootstrap: str = "127.0.0.1:9092"
    kafka_replication_factor: Annotated[int, Field(ge=1, le=9)] | None = None
    """Copies of each topic, for a cluster with fewer or more brokers than `deploy/kafka/topics.toml` thinks of."""
    temporal_address: str = "127.0.0.1:7233"
    temporal_namespace: str = "cairn"
    secrets_dir: Path
    http_host: str = "127.0.0.1"
    http_port: Port = 8080
    health_port: Port = 0
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    traces_file: Path | None = None
    otel_exporter_otlp_endpoint: str | None = Field(
        default=None,
        validation_alias=AliasChoices("CAIRN_OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"),
    )
    programs_dir: Path = Path("programs")
    exchange_dir: Path | None = None
    smtp_host: str = "127.0.0.1"
    smtp_port: Port = 1025
    allow_loopback_webhooks: bool = False
    public_url: str = "http://127.0.0.1:8080"

    @field_validator("database_url")
    @classmethod
    def _names_no_user(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in {"postgresql", "postgres"} or not parts.path.strip("/"):
            raise ValueError("must be postgresql://host:port/database")
        if parts.username or parts.password:
            raise ValueError("must not carry a user or a password: each role has its own secret")
        return value

    @model_validator(mode="after")
    def _is_fit_for_production(self) -> "ProcessSettings":
        if self.environment == "local":
            return self
        if (self.secrets_dir / LOCAL_SECRETS_MARKER).exists():
            raise ValueError("the secrets folder was made for the local stack; production needs its own")
        if self.allow_loopback_webhooks:
            raise ValueError("webhooks to loopback addresses are for the local stack only")
        return self

    def dsn(self, role: str) -> str:
        """The whole connection URL of one login role, password included: never log it."""
        parts = urlsplit(self.database_url)
        password = quote(self.secret(f"pg_{role}.password").decode(), safe="")
        return urlunsplit(parts._replace(netloc=f"{quote(role, safe='')}:{password}@{parts.netloc}"))

    def secret(self, name: str) -> bytes:
        """The secret of that name without surrounding white space; a `….key` is hexadecimal and comes decoded."""
        try:
            content = (self.secrets_dir / name).read_bytes().strip()
        except OSError as error:
            raise SecretMissing(name=name) from error
        if not name.endswith(".key"):
            if not content:
                raise SecretUnfit(name=name, why="it is empty")
            return content
        try:
            key = bytes.fromhex(content.decode("ascii"))
        except ValueError as error:
            raise SecretUnfit(name=name, why="it is not hexadecimal") from error
        # A placeholder such as 000… or abababab… would encrypt as happily as a real key.
        if len(key) < KEY_BYTES_MIN or len(set(key)) < KEY_BYTES_MIN // 2:
            raise SecretUnfit(name=name, why="it is too short or not random")
        return key
