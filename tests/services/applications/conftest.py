"""The applications service on a fresh database, with callers of every kind and a published program."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta

import asyncpg
import httpx
import pytest

from kit.access import Access, issue_key
from kit.clock import FixedClock
from kit.db import Database
from kit.http import create_app
from kit.paging import PageCursors
from kit.vault import Vault
from services.applications.api import ApplicationsDoors, router
from services.applications.usecases import attesting
from services.applications.usecases.acting import service_dsn
from services.applications.usecases.intake import Intake
from tests.services.applications.cast import NOW, PROGRAM, Caller, Cast, Issuer, received

PUBLIC_URL = "https://cairn.example"
SCOPES = {
    "partner": ("applications:read", "applications:write"),
    "provider": ("enrollments:read", "enrollments:write"),
    "issuer": ("enrollments:read", "enrollments:write"),
    "staff": ("cases:read",),
}


@pytest.fixture
async def cast(fresh_database) -> AsyncIterator[Cast]:
    fresh = await fresh_database("applications")
    async with AsyncExitStack() as stack:
        owner = await asyncpg.connect(fresh.owner_dsn)
        stack.push_async_callback(owner.close)
        dsn = fresh.dsn("cairn_applications")
        doors_db = await Database.connect(dsn, schema="applications", application_name="test doors")
        stack.push_async_callback(doors_db.close)
        service_db = await Database.connect(service_dsn(dsn), schema="applications", application_name="test service")
        stack.push_async_callback(service_db.close)
        intake = Intake(doors_db)
        stack.push_async_callback(intake.close)
        clock = FixedClock(NOW)
        doors = ApplicationsDoors(
            db=doors_db,
            intake=intake,
            vault=Vault(kek=bytes(range(32)), mac_key=bytes(range(1, 33)), reader="applications"),
            access=Access(doors_db, cache_seconds=60.0),
            cursors=PageCursors(bytes(range(2, 34))),
            clock=clock,
            public_url=PUBLIC_URL,
        )
        app = create_app("test", "1", [router(doors)])
        http = await stack.enter_async_context(
            httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=PUBLIC_URL)
        )

        async def caller(kind: str, identity: str) -> Caller:
            key = await issue_key(
                owner,
                kind=kind,  # type: ignore[arg-type]
                principal_id=identity,
                scopes=SCOPES[kind],
                now=datetime.now(UTC),
                expires_at=datetime.now(UTC) + timedelta(days=1),
            )
            return Caller(http, key)

        made = Cast(
            partner=await caller("partner", "harbor"),
            other_partner=await caller("partner", "lookout"),
            college=await caller("provider", "lorain-ccc"),
            other_college=await caller("provider", "cleveland-state"),
            guild=await caller("issuer", "cyber-guild"),
            bakery=await caller("issuer", "bakery"),
            staff=await caller("staff", "alex"),
            anyone=http,
            doors_db=doors_db,
            service_db=service_db,
            owner=owner,
            clock=clock,
            intake=intake,
        )
        await made.follow([received(PROGRAM, sequence=1)])
        yield made


@pytest.fixture
async def issuer(cast: Cast) -> Issuer:
    """The college's own registrar, registered with its key."""
    registrar = Issuer("lorain-ccc")
    await attesting.register_key("lorain-ccc", registrar.kid, registrar.public_jwk, db=cast.service_db, now=NOW)
    return registrar
