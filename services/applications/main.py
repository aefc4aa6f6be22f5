"""The applications process: consumer, steps and relay; and the service's HTTP doors for the `api` process."""

from datetime import datetime
from functools import partial
from typing import Any, NoReturn

from fastapi import APIRouter

from contracts.steps import Queue
from contracts.steps.applications import STEPS
from kit.access import Access
from kit.clock import SystemClock
from kit.db import Database
from kit.kafka import Consumer
from kit.operator_acts import By
from kit.paging import PageCursors
from kit.process import Lifetime
from kit.process import run as run_process
from kit.relay import Relay
from kit.temporal import answers, connect, service_worker
from kit.vault import Vault
from services.applications import subscribers
from services.applications.activities import ApplicationsSteps
from services.applications.api import ApplicationsDoors, router
from services.applications.settings import ApplicationsSettings
from services.applications.usecases import attesting
from services.applications.usecases.acting import service_dsn
from services.applications.usecases.intake import Intake

ROLE, SCHEMA = "cairn_applications", "applications"


async def start(life: Lifetime, settings: ApplicationsSettings) -> None:
    """Follow the facts, do the journey's steps, publish our own facts."""
    clock = SystemClock()
    db = await Database.connect(
        service_dsn(settings.dsn(ROLE)),
        schema=SCHEMA,
        application_name="cairn applications",
        connections_max=settings.applications_connections_max,
    )
    life.on_stop(db.close)
    life.ready_when("database", db.check)

    relay = Relay(db, settings, clock=clock)
    life.task("relay", relay.run())
    life.ready_when("relay", relay.check)

    consumer = Consumer(
        name=subscribers.CONSUMER, database=db, settings=settings, handlers=subscribers.handlers(), clock=clock
    )
    life.task("consumer", consumer.run())
    life.ready_when("consumer", consumer.check)

    client = await connect(settings)
    life.ready_when("temporal", answers(client))
    steps = ApplicationsSteps(db, clock)
    worker = service_worker(client, queue=Queue.APPLICATIONS, steps=STEPS, activities=steps.all())
    life.task("steps", worker.run())


async def open_doors(life: Lifetime, settings: ApplicationsSettings) -> APIRouter:
    """The service's routes, on a pool that acts for nobody until a door says for whom."""
    db = await Database.connect(
        settings.dsn(ROLE),
        schema=SCHEMA,
        application_name="cairn api applications",
        connections_max=settings.applications_connections_max,
    )
    life.on_stop(db.close)
    intake = Intake(db)
    life.on_stop(intake.close)
    life.ready_when("applications database", db.check)
    return router(
        ApplicationsDoors(
            db=db,
            intake=intake,
            vault=Vault.from_settings(settings, reader="applications"),
            access=Access(db),
            cursors=PageCursors(settings.secret("cursor.key")),
            clock=SystemClock(),
            public_url=settings.public_url.rstrip("/"),
        )
    )


async def register_issuer_key(
    settings: ApplicationsSettings,
    issuer_id: str,
    kid: str,
    public_jwk: dict[str, Any],
    *,
    not_after: datetime | None = None,
) -> None:
    """Let a registered issuer sign attestations with this public key (Ed25519 or P-256) from now on."""
    db = await Database.connect(settings.dsn(ROLE), schema=SCHEMA, application_name="cairn issuers", connections_max=1)
    try:
        await attesting.register_key(issuer_id, kid, public_jwk, db=db, now=SystemClock().now(), not_after=not_after)
    finally:
        await db.close()


async def end_issuer_key(settings: ApplicationsSettings, issuer_id: str, kid: str, by: By) -> None:
    """Let what an issuer signs with this key count no longer."""
    db = await Database.connect(settings.dsn(ROLE), schema=SCHEMA, application_name="cairn issuers", connections_max=1)
    try:
        await attesting.end_key(issuer_id, kid, by, db=db)
    finally:
        await db.close()


def run() -> NoReturn:
    """`cairn run applications`."""
    settings = ApplicationsSettings()  # pyright: ignore[reportCallIssue]
    run_process("applications", settings, partial(start, settings=settings))
