"""The notifications process and its HTTP doors, wired top to bottom."""

from collections.abc import Callable
from typing import Any, NoReturn

from fastapi import APIRouter

from kit import process
from kit.access import Access
from kit.clock import Clock, SystemClock
from kit.db import Database
from kit.kafka import Consumer
from kit.paging import PageCursors
from kit.process import Lifetime
from kit.relay import Relay
from kit.settings import ProcessSettings
from kit.vault import Vault
from services.notifications.api import NotificationsDoors, router
from services.notifications.gateways.colleges import HttpCollegeDoor
from services.notifications.gateways.egress import Egress
from services.notifications.gateways.mail import SmtpMail
from services.notifications.gateways.secret_box import KEY_NAME, SecretBox
from services.notifications.letters import Letters
from services.notifications.messages import Links
from services.notifications.settings import NotificationsSettings
from services.notifications.subscribers import CONSUMER, handlers
from services.notifications.usecases import endpoints
from services.notifications.usecases.delivering import DeliveryDesk, Lane
from services.notifications.usecases.endpoints import EndpointDesk
from services.notifications.usecases.sending import NoticeDesk
from services.notifications.workers import Pace, work_lane, work_notices

ROLE = "cairn_notifications"
SCHEMA = "notifications"


async def start(life: Lifetime, settings: NotificationsSettings) -> None:
    """Listen to facts, deliver webhooks, send notices, publish what happened."""
    clock = SystemClock()
    db = await _database(life, settings, "cairn-notifications", connections_max=20)
    egress = _egress(life, settings)

    deliveries = DeliveryDesk(
        db=db, college=HttpCollegeDoor(egress), box=SecretBox(settings.secret(KEY_NAME)), clock=clock
    )
    mail_system = SmtpMail(
        host=settings.smtp_host,
        port=settings.smtp_port,
        timeout_seconds=settings.smtp_timeout_seconds,
        clock=clock,
    )
    life.on_stop(mail_system.close)
    notices = NoticeDesk(
        db=db,
        vault=Vault.from_settings(settings, reader="notifications"),
        letters=Letters.load(settings.programs_dir, default_program=settings.notices_default_program),
        mail=mail_system,
        clock=clock,
    )

    healthy, failing, mail = Pace(), Pace(), Pace()
    consumer = Consumer(
        name=CONSUMER,
        database=db,
        settings=settings,
        handlers=handlers(links=Links(settings.public_url.rstrip("/")), clock=clock, nudge=_all_of(healthy, mail)),
        clock=clock,
    )
    relay = Relay(db, settings)
    life.task("relay", relay.run())
    life.task("webhooks to healthy endpoints", work_lane(deliveries, _healthy_lane(settings), healthy))
    life.task("webhooks to failing endpoints", work_lane(deliveries, _failing_lane(settings), failing))
    life.task("notices", work_notices(notices, mail, slots=settings.notice_slots))
    life.task("facts", consumer.run())
    life.ready_when("database", db.check)
    life.ready_when("relay", relay.check)
    life.ready_when("facts", consumer.check)


async def open_doors(life: Lifetime, settings: ProcessSettings) -> APIRouter:
    """The HTTP routes of notifications, for the process that serves every service's."""
    db = await _database(life, settings, "cairn-api-notifications", connections_max=10)
    desk = _endpoint_desk(settings, db, _egress(life, settings), SystemClock())
    life.ready_when("notifications database", db.check)
    cursors = PageCursors(settings.secret("cursor.key"))
    return router(NotificationsDoors(access=Access(db), db=db, desk=desk, cursors=cursors))


async def register_endpoint(settings: ProcessSettings, provider_id: str, url: str) -> dict[str, Any]:
    """Register an endpoint for a provider from the command line: the same checks, and the secret shown once."""
    import json

    db = await Database.connect(settings.dsn(ROLE), schema=SCHEMA, application_name="cairn-cli", connections_max=2)
    egress = Egress(allow_loopback=settings.allow_loopback_webhooks)
    try:
        desk = _endpoint_desk(settings, db, egress, SystemClock())
        answer = await endpoints.register_endpoint(provider_id, url, once=None, desk=desk)
        return json.loads(answer.body)
    finally:
        await egress.close()
        await db.close()


def run() -> NoReturn:
    """Run the notifications process until it is told to stop."""
    settings = NotificationsSettings.model_validate({})

    async def begin(life: Lifetime) -> None:
        await start(life, settings)

    process.run("notifications", settings, begin)


async def _database(life: Lifetime, settings: ProcessSettings, name: str, *, connections_max: int) -> Database:
    db = await Database.connect(
        settings.dsn(ROLE), schema=SCHEMA, application_name=name, connections_max=connections_max
    )
    life.on_stop(db.close)
    return db


def _egress(life: Lifetime, settings: ProcessSettings) -> Egress:
    egress = Egress(allow_loopback=settings.allow_loopback_webhooks)
    life.on_stop(egress.close)
    return egress


def _endpoint_desk(settings: ProcessSettings, db: Database, egress: Egress, clock: Clock) -> EndpointDesk:
    box = SecretBox(settings.secret(KEY_NAME))
    return EndpointDesk(db=db, college=HttpCollegeDoor(egress), box=box, clock=clock)


def _healthy_lane(settings: NotificationsSettings) -> Lane:
    return Lane(
        failing=False, slots=settings.webhook_slots_healthy, per_endpoint_max=settings.webhook_slots_per_endpoint
    )


def _failing_lane(settings: NotificationsSettings) -> Lane:
    return Lane(failing=True, slots=settings.webhook_slots_failing, per_endpoint_max=1)


def _all_of(*paces: Pace) -> Callable[[], None]:
    def nudge() -> None:
        for pace in paces:
            pace.nudge()

    return nudge
