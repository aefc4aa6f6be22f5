"""Who is calling: API keys `cairn_<prefix>_<secret>_<checksum>`, hashed at rest, scoped, expiring, revocable."""

import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal, get_args
from zlib import crc32

from pydantic import BaseModel, ConfigDict, StringConstraints

from contracts.errors import NotFound, Refused
from contracts.texts import Slug
from kit.clock import Clock, SystemClock
from kit.db import Connection, Database
from kit.operator_acts import By, keep_act

Kind = Literal["partner", "provider", "issuer", "staff", "finance"]
KINDS: tuple[str, ...] = get_args(Kind)
Scope = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z_-]{0,40}:[a-z][a-z_-]{0,40}$")]
"""What a key may do: `applications:write`."""

LIVE_KEYS_MAX = 2
"""The old key and its successor, while a caller changes over."""
CACHE_SECONDS = 3.0
"""How long a revoked key may still pass."""
CACHED_KEYS_MAX = 10_000
PREFIX_CHARS = 12
_PREFIX_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_FORM = re.compile(r"cairn_([0-9a-z]{12})_([0-9a-f]{64})_([0-9a-f]{8})")

_FIND = "SELECT secret_hash, kind, principal_id, scopes, not_after, revoked_at FROM access.find_key($1)"
_TURN = "SELECT pg_advisory_xact_lock(hashtext('cairn.api_key'), hashtext($1))"
_LIVE = """
SELECT count(*) FROM access.api_key
WHERE kind = $1 AND principal_id = $2 AND revoked_at IS NULL AND not_after > $3
"""
_KEEP = """
INSERT INTO access.api_key (prefix, secret_hash, kind, principal_id, scopes, not_after, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""
_REVOKE = "UPDATE access.api_key SET revoked_at = coalesce(revoked_at, $2) WHERE prefix = $1 RETURNING prefix"


class Unauthenticated(Refused):
    """The call needs a valid API key: Authorization: Bearer cairn_…"""

    code = "unauthenticated"
    status = 401


class TooManyLiveKeys(Refused):
    """{kind} {principal_id} has {live} live keys. `cairn keys list` shows them, `cairn keys revoke` ends one."""

    code = "too_many_live_keys"


class Principal(BaseModel):
    """An authenticated caller and what its key allows."""

    model_config = ConfigDict(frozen=True)

    kind: Kind
    id: Slug
    scopes: frozenset[Scope]

    @property
    def name(self) -> str:
        """`partner/harbor-portal`: unique among callers of every kind."""
        return f"{self.kind}/{self.id}"


@dataclass(frozen=True, slots=True)
class _Known:
    secret_hash: bytes
    principal: Principal
    not_after: datetime
    revoked: bool


async def issue_key(
    tx: Connection, *, kind: Kind, principal_id: str, scopes: Iterable[str], now: datetime, expires_at: datetime
) -> str:
    """A new key in the clear, this once. Only the owner's role may issue."""
    principal = Principal(kind=kind, id=principal_id, scopes=frozenset(scopes))
    # Two at once would both see room for one more.
    await tx.execute(_TURN, principal.name)
    live = await tx.fetchval(_LIVE, kind, principal_id, now)
    if live >= LIVE_KEYS_MAX:
        raise TooManyLiveKeys(kind=kind, principal_id=principal_id, live=live)
    prefix = "".join(secrets.choice(_PREFIX_ALPHABET) for _ in range(PREFIX_CHARS))
    secret = secrets.token_hex(32)
    await tx.execute(_KEEP, prefix, _hash(secret), kind, principal_id, sorted(principal.scopes), expires_at, now)
    return f"cairn_{prefix}_{secret}_{_checksum(prefix, secret)}"


async def revoke_key(tx: Connection, *, prefix: str, by: By) -> None:
    """End a key; callers that hold it are refused within `CACHE_SECONDS`. Only the owner's role may, in its schema."""
    if await tx.fetchval(_REVOKE, prefix, by.at) is None:
        raise NotFound(kind="API key")
    await keep_act(tx, "key_revoked", prefix, by)


def prefix_of(key: str) -> str:
    """The part of a key that may be shown and logged."""
    form = _FORM.fullmatch(key)
    if form is None:
        raise Unauthenticated
    return form[1]


class Access:
    """Tells callers by their keys; a look-up is good for `cache_seconds`, also for prefixes nobody has."""

    def __init__(self, database: Database, *, clock: Clock | None = None, cache_seconds: float = CACHE_SECONDS) -> None:
        self._database = database
        self._clock = clock or SystemClock()
        self._cache_seconds = cache_seconds
        self._cache: dict[str, tuple[float, _Known | None]] = {}

    async def principal_for(self, authorization: str | None, *, before_asking: Callable[[], None]) -> Principal:
        """The caller behind an `Authorization` header; `Unauthenticated` without a valid, live key.

        `before_asking` is called, and may raise, before the database is asked about a key that was not known lately.
        """
        scheme, _, key = (authorization or "").partition(" ")
        form = _FORM.fullmatch(key.strip())
        # A mistyped key is told from its checksum, without a query.
        if scheme.lower() != "bearer" or form is None or form[3] != _checksum(form[1], form[2]):
            raise Unauthenticated
        known = await self._known(form[1], before_asking)
        expected = known.secret_hash if known else bytes(32)
        if not hmac.compare_digest(expected, _hash(form[2])) or known is None:
            raise Unauthenticated
        if known.revoked or known.not_after <= self._clock.now():
            raise Unauthenticated
        return known.principal

    async def _known(self, prefix: str, before_asking: Callable[[], None]) -> _Known | None:
        now = time.monotonic()
        cached = self._cache.get(prefix)
        if cached is not None and cached[0] > now:
            return cached[1]
        if cached is None or cached[1] is None:
            before_asking()
        async with self._database.connection() as connection:
            row = await connection.fetchrow(_FIND, prefix)
        known = None
        if row is not None:
            principal = Principal(kind=row["kind"], id=row["principal_id"], scopes=frozenset(row["scopes"]))
            known = _Known(row["secret_hash"], principal, row["not_after"], row["revoked_at"] is not None)
        self._cache.pop(prefix, None)
        while len(self._cache) >= CACHED_KEYS_MAX:
            self._cache.pop(next(iter(self._cache)))
        self._cache[prefix] = (now + self._cache_seconds, known)
        return known


def _hash(secret: str) -> bytes:
    # 256 random bits need no slow hash: there is nothing to guess.
    return hashlib.sha256(secret.encode()).digest()


def _checksum(prefix: str, secret: str) -> str:
    return f"{crc32(f'cairn_{prefix}_{secret}'.encode()):08x}"
