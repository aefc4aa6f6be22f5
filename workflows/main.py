"""The workflows process: the journey's worker, the bridge from Kafka, the relay of its dead letters."""

from typing import NoReturn

from temporalio.client import Client
from temporalio.worker import Worker

from contracts.steps import Queue
from kit.clock import SystemClock
from kit.db import Database
from kit.kafka import Consumer
from kit.process import Lifetime
from kit.process import run as run_process
from kit.relay import Relay
from kit.temporal import GRACEFUL_STOP, answers, connect
from workflows.bridge import CONSUMER, Bridge
from workflows.fiscal_year import FiscalYearClose, FiscalYearTurn
from workflows.journey import FundingJourney
from workflows.sandbox import plain_runner
from workflows.settings import WorkflowsSettings


def journey_worker(client: Client, settings: WorkflowsSettings) -> Worker:
    """The worker that conducts the journeys and closes fiscal years."""
    return Worker(
        client,
        task_queue=Queue.JOURNEY.value,
        workflows=[FundingJourney, FiscalYearClose, FiscalYearTurn],
        workflow_runner=plain_runner(),
        max_concurrent_workflow_tasks=settings.journey_tasks_max,
        max_cached_workflows=settings.journeys_cached_max,
        graceful_shutdown_timeout=GRACEFUL_STOP,
    )


async def start(life: Lifetime, settings: WorkflowsSettings) -> None:
    """Set everything going."""
    clock = SystemClock()
    database = await Database.connect(
        settings.dsn("cairn_workflows"), schema="workflows", application_name="cairn workflows"
    )
    life.on_stop(database.close)
    client = await connect(settings)
    consumer = Consumer(
        name=CONSUMER,
        database=database,
        settings=settings,
        handlers=Bridge(client, clock).handlers(),
        clock=clock,
        side_by_side=True,
    )
    relay = Relay(database, settings)

    life.task("journeys", journey_worker(client, settings).run())
    life.task("bridge", consumer.run())
    life.task("relay", relay.run())
    life.ready_when("database", database.check)
    life.ready_when("temporal", answers(client))
    life.ready_when("bridge", consumer.check)
    life.ready_when("relay", relay.check)


def run() -> NoReturn:
    """Run the process until it is told to stop."""
    settings = WorkflowsSettings()  # pyright: ignore[reportCallIssue]
    run_process("workflows", settings, lambda life: start(life, settings))
