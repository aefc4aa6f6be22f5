"""The wiring of eligibility: its process, its HTTP doors, and the loading of packs."""

import asyncio
from pathlib import Path
from typing import Any, NoReturn

from fastapi import APIRouter

from contracts.program import Program
from contracts.steps import Queue
from contracts.steps.eligibility import STEPS
from kit import process, temporal
from kit.access import Access
from kit.clock import SystemClock
from kit.db import Database
from kit.kafka import Consumer
from kit.process import Lifetime
from kit.relay import Relay
from kit.settings import ProcessSettings
from kit.vault import Vault
from services.eligibility import packs, usecases
from services.eligibility.activities import EligibilityActivities
from services.eligibility.api import EligibilityDoors, router
from services.eligibility.gateways import PackFolders
from services.eligibility.settings import EligibilitySettings
from services.eligibility.shelf import PackShelf
from services.eligibility.subscribers import HANDLERS

NAME = "eligibility"
ROLE = "cairn_eligibility"


async def start(life: Lifetime, settings: EligibilitySettings) -> None:
    """The process: relay, consumer and worker."""
    db = await _database(life, settings, connections_max=16)
    clock = SystemClock()

    relay = Relay(db, settings)
    life.task("relay", relay.run())
    life.ready_when("relay", relay.check)

    consumer = Consumer(name=NAME, database=db, settings=settings, handlers=HANDLERS, clock=clock)
    life.task("consumer", consumer.run())
    life.ready_when("consumer", consumer.check)

    vault = Vault.from_settings(settings, reader=NAME)
    activities = EligibilityActivities(db=db, vault=vault, shelf=PackShelf(), clock=clock)
    client = await temporal.connect(settings)
    life.ready_when("temporal", temporal.answers(client))
    worker = temporal.service_worker(client, queue=Queue.ELIGIBILITY, steps=STEPS, activities=[activities.determine])
    life.task("worker", worker.run())


async def open_doors(life: Lifetime, settings: EligibilitySettings) -> APIRouter:
    """The HTTP routes, on a pool of their own."""
    db = await _database(life, settings, connections_max=8)
    vault = Vault.from_settings(settings, reader="api")
    return router(EligibilityDoors(access=Access(db), db=db, vault=vault, shelf=PackShelf()))


async def load_program(settings: EligibilitySettings, folder: Path, *, replace: bool = True) -> dict[str, Any]:
    """Validate the pack in `folder`, keep it and publish it. `packs.PackFaulty` names every fault.

    Without `replace` only a program that is not there yet is published.
    """
    loaded = await asyncio.to_thread(packs.load, folder.name, PackFolders(folder.parent).files)
    db = await Database.connect(
        settings.dsn(ROLE), schema=NAME, application_name="cairn program load", connections_max=1
    )
    try:
        load = await usecases.publish_program(loaded, db=db, now=SystemClock().now(), replace=replace)
    finally:
        await db.close()
    return {"program_id": load.program_id, "pack_version": load.pack_version, "changed": load.changed}


async def published_programs(settings: ProcessSettings) -> list[Program]:
    """Every program that was published, as its current version says."""
    db = await Database.connect(
        settings.dsn(ROLE), schema=NAME, application_name="cairn programs published", connections_max=1
    )
    shelf = PackShelf()
    try:
        published = await usecases.list_programs(db=db)
        return [(await usecases.show_program(one.program_id, db=db, shelf=shelf)).pack.program for one in published]
    finally:
        await db.close()


def run() -> NoReturn:
    settings = EligibilitySettings()  # pyright: ignore[reportCallIssue]
    process.run(NAME, settings, lambda life: start(life, settings))


async def _database(life: Lifetime, settings: EligibilitySettings, *, connections_max: int) -> Database:
    db = await Database.connect(
        settings.dsn(ROLE), schema=NAME, application_name=f"cairn {NAME}", connections_max=connections_max
    )
    life.on_stop(db.close)
    life.ready_when("database", db.check)
    return db
