"""Settings come from the environment, secrets from files; unfit ones are refused by name, never shown."""

import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from kit.settings import ProcessSettings, SecretMissing, SecretUnfit


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    (tmp_path / "pg_cairn_payments.password").write_text("p@ss/word:1\n")
    (tmp_path / "kek.key").write_text(os.urandom(32).hex() + "\n")
    return tmp_path


def test_reads_the_environment(monkeypatch: pytest.MonkeyPatch, secrets: Path) -> None:
    monkeypatch.setenv("CAIRN_SECRETS_DIR", str(secrets))
    monkeypatch.setenv("CAIRN_HEALTH_PORT", "9100")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318")
    settings = ProcessSettings()  # pyright: ignore[reportCallIssue]
    assert (settings.secrets_dir, settings.health_port) == (secrets, 9100)
    assert settings.otel_exporter_otlp_endpoint == "http://collector:4318"


def test_dsn_carries_role_and_quoted_password(secrets: Path) -> None:
    settings = ProcessSettings(secrets_dir=secrets, database_url="postgresql://db:5433/cairn?sslmode=require")
    dsn = settings.dsn("cairn_payments")
    assert dsn == "postgresql://cairn_payments:p%40ss%2Fword%3A1@db:5433/cairn?sslmode=require"


def test_keys_are_decoded(secrets: Path) -> None:
    assert len(ProcessSettings(secrets_dir=secrets).secret("kek.key")) == 32


@pytest.mark.parametrize("content", ["", "zz" * 32, "00" * 32, "abab" * 16, "ab"])
def test_an_unfit_key_is_refused_without_showing_it(secrets: Path, content: str) -> None:
    (secrets / "mac.key").write_text(content)
    with pytest.raises(SecretUnfit, match=r"mac\.key") as refused:
        ProcessSettings(secrets_dir=secrets).secret("mac.key")
    assert not content or content not in str(refused.value)


def test_a_missing_secret_is_named(secrets: Path) -> None:
    with pytest.raises(SecretMissing, match=r"cursor\.key"):
        ProcessSettings(secrets_dir=secrets).secret("cursor.key")


@pytest.mark.parametrize(
    "url", ["postgresql://me@db/cairn", "postgresql://me:pw@db/cairn", "mysql://db/x", "postgresql://db"]
)
def test_odd_database_urls_are_refused(secrets: Path, url: str) -> None:
    with pytest.raises(ValidationError):
        ProcessSettings(secrets_dir=secrets, database_url=url)


def test_production_refuses_what_is_for_the_local_stack(secrets: Path) -> None:
    ProcessSettings(secrets_dir=secrets, environment="production")
    with pytest.raises(ValidationError, match="loopback"):
        ProcessSettings(secrets_dir=secrets, environment="production", allow_loopback_webhooks=True)
    (secrets / "local-stack").touch()
    with pytest.raises(ValidationError, match="local stack"):
        ProcessSettings(secrets_dir=secrets, environment="production")
