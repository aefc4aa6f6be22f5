"""A migrated database with both packs published and one person admitted to the vault."""

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import pytest

from contracts.envelope import Fact
from contracts.ids import ApplicationId, PersonId
from contracts.personal import Declaration
from contracts.steps.eligibility import Determination, Determine
from kit.db import Database
from kit.vault import Vault
from services.eligibility import usecases
from services.eligibility.shelf import PackShelf
from tests.services.eligibility.cases import OHIO, SUBMITTED, pack


@dataclass
class Desk:
    """Eligibility on a real database."""

    db: Database
    owner_dsn: str
    vault: Vault
    shelf: PackShelf = field(default_factory=PackShelf)

    async def admit(self) -> PersonId:
        """A person the vault has a key for, as applications makes it."""
        person_id = PersonId.new()
        connection = await asyncpg.connect(self.owner_dsn)
        try:
            async with connection.transaction():
                await self.vault.admit(connection, person_id)
        finally:
            await connection.close()
        return person_id

    async def ask(self, person_id: PersonId, told: Declaration = OHIO, *papers: Declaration, **other: Any) -> Determine:
        """What the journey asks: an eligible request in round 6 unless `other` says otherwise."""

        async def sealed(one: Declaration, label: str) -> str:
            async with self.db.transaction() as tx:
                return await self.vault.seal(tx, person_id, one.model_dump_json().encode(), purpose_label=label)

        fields: dict[str, Any] = {
            "application_id": ApplicationId.new(),
            "person_id": person_id,
            "program_id": "oh-imap",
            "round_id": "r6",
            "provider_id": "lorain-ccc",
            "credential_id": "lorain-coding",
            "submitted_at": SUBMITTED,
            "determination_number": 1,
            "sealed_declaration": await sealed(told, "declaration"),
            "sealed_evidence": [await sealed(paper, "evidence") for paper in papers],
        }
        return Determine.model_validate(fields | other)

    async def determine(self, ask: Determine, *, now: datetime = SUBMITTED + timedelta(minutes=1)) -> Determination:
        return await usecases.determine(
            ask, db=self.db, vault=self.vault, shelf=self.shelf, now=now, request_id="request-1"
        )

    async def facts(self, kind: type[Fact]) -> list[Any]:
        """The facts of a kind that wait in the outbox, oldest first."""
        async with self.db.connection() as connection:
            rows = await connection.fetch("SELECT payload FROM outbox WHERE type = $1 ORDER BY id", kind.TYPE)
        return [kind.model_validate_json(row["payload"]) for row in rows]


@pytest.fixture
async def desk(fresh_database: Callable[..., Awaitable[Any]], database_for: Callable[..., Awaitable[Database]]) -> Desk:
    fresh = await fresh_database("eligibility")
    db = await database_for("eligibility", on=fresh)
    vault = Vault(kek=secrets.token_bytes(32), reader="eligibility")
    for name in ("oh-imap", "oh-imap-brisk"):
        await usecases.publish_program(pack(name), db=db, now=SUBMITTED)
    return Desk(db, fresh.owner_dsn, vault)
