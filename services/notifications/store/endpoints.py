"""Webhook endpoints and their secrets (ciphertext only)."""

from datetime import datetime
from typing import Any

from kit.db import Connection
from services.notifications.domain import Endpoint, EndpointStatus

_COLUMNS = """endpoint_id, provider_id, url, status, disabled_reason, challenge, created_at, verified_at, disabled_at,
    previous_secret_until, failures_in_a_row, slowed_until"""

_ADD = """
INSERT INTO webhook_endpoint (endpoint_id, provider_id, url, status, sealed_secret, challenge, created_at)
VALUES ($1, $2, $3, 'unverified', $4, $5, $6)
"""

# Everybody locks in one order, or two acts would wait for each other: provider, endpoint, deliveries.
# A message written while an endpoint comes or goes would be given to nobody: writers of messages share this lock, the
# acts that change which endpoints are live hold it alone.
_LOCK_PROVIDER = "SELECT pg_advisory_xact_lock(hashtextextended('webhook_endpoint/' || $1, 0))"
_SHARE_PROVIDER = "SELECT pg_advisory_xact_lock_shared(hashtextextended('webhook_endpoint/' || $1, 0))"

_LIVE_OF_PROVIDER = f"""
SELECT {_COLUMNS} FROM webhook_endpoint WHERE provider_id = $1 AND status <> 'disabled' ORDER BY endpoint_id
"""

_OF_PROVIDER = f"""
SELECT {_COLUMNS} FROM webhook_endpoint WHERE provider_id = $1 AND endpoint_id > $2 ORDER BY endpoint_id LIMIT $3
"""

_READ = f"SELECT {_COLUMNS} FROM webhook_endpoint WHERE provider_id = $1 AND endpoint_id = $2"
_LOCK = f"SELECT {_COLUMNS} FROM webhook_endpoint WHERE provider_id = $1 AND endpoint_id = $2 FOR UPDATE"

_ROTATE = """
UPDATE webhook_endpoint
SET sealed_previous_secret = sealed_secret, previous_secret_until = $3, sealed_secret = $2 WHERE endpoint_id = $1
"""

_VERIFY = """
UPDATE webhook_endpoint SET status = 'active', verified_at = $2 WHERE endpoint_id = $1 AND status = 'unverified'
"""

_DISABLE = """
UPDATE webhook_endpoint SET status = 'disabled', disabled_reason = $2, disabled_at = $3
WHERE endpoint_id = $1 AND status <> 'disabled'
"""

# The rest it asked for stays: this success may have been under way when another answer asked.
_HEALTHY = "UPDATE webhook_endpoint SET failures_in_a_row = 0 WHERE endpoint_id = $1 AND failures_in_a_row > 0"

_FAILING = """
UPDATE webhook_endpoint SET failures_in_a_row = failures_in_a_row + 1, slowed_until = greatest(slowed_until, $2)
WHERE endpoint_id = $1
"""


def _endpoint_of(row: Any) -> Endpoint:
    return Endpoint(**{**dict(row), "status": EndpointStatus(row["status"])})


async def add_endpoint(tx: Connection, endpoint: Endpoint, *, sealed_secret: str) -> None:
    await tx.execute(
        _ADD,
        endpoint.endpoint_id,
        endpoint.provider_id,
        endpoint.url,
        sealed_secret,
        endpoint.challenge,
        endpoint.created_at,
    )


async def lock_provider(tx: Connection, provider_id: str) -> None:
    """Hold still which endpoints of the provider are live, until commit."""
    await tx.execute(_LOCK_PROVIDER, provider_id)


async def share_provider(tx: Connection, provider_id: str) -> None:
    await tx.execute(_SHARE_PROVIDER, provider_id)


async def live_endpoints(tx: Connection, provider_id: str) -> list[Endpoint]:
    """The provider's endpoints that are not disabled: a handful, by limit."""
    return [_endpoint_of(row) for row in await tx.fetch(_LIVE_OF_PROVIDER, provider_id)]


async def page_of_endpoints(tx: Connection, provider_id: str, *, after: str, limit: int) -> list[Endpoint]:
    return [_endpoint_of(row) for row in await tx.fetch(_OF_PROVIDER, provider_id, after, limit)]


async def read_endpoint(tx: Connection, provider_id: str, endpoint_id: str) -> Endpoint | None:
    row = await tx.fetchrow(_READ, provider_id, endpoint_id)
    return _endpoint_of(row) if row else None


async def lock_endpoint(tx: Connection, provider_id: str, endpoint_id: str) -> Endpoint | None:
    row = await tx.fetchrow(_LOCK, provider_id, endpoint_id)
    return _endpoint_of(row) if row else None


async def rotate_secret(tx: Connection, endpoint_id: str, *, sealed_secret: str, previous_until: datetime) -> None:
    await tx.execute(_ROTATE, endpoint_id, sealed_secret, previous_until)


async def verify_endpoint(tx: Connection, endpoint_id: str, *, now: datetime) -> None:
    await tx.execute(_VERIFY, endpoint_id, now)


async def disable_endpoint(tx: Connection, endpoint_id: str, *, reason: str, now: datetime) -> None:
    await tx.execute(_DISABLE, endpoint_id, reason, now)


async def note_success(tx: Connection, endpoint_id: str) -> None:
    await tx.execute(_HEALTHY, endpoint_id)


async def note_failure(tx: Connection, endpoint_id: str, *, slowed_until: datetime | None) -> None:
    await tx.execute(_FAILING, endpoint_id, slowed_until)
