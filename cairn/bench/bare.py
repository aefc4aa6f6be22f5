"""The bare counterpart of a case: a Temporal workflow with as many activities, timers, signals and upserts, no work.

Run as `python -m cairn.bench.bare --address A --cases N --activities … --signals … --upserts … --timers … --queues …`
on the same server. With one queue the worker that runs the workflow also gets its activities, and Temporal hands them
over without matching; with more, each activity goes to a worker of its own queue, as a request to another service must.
"""

import argparse
import asyncio
import contextlib
import json
import os
import time
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.common import SearchAttributeKey
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

QUEUE = "cairn-bench-bare"
STAGE = SearchAttributeKey.for_keyword("CaseStage")
IN_FLIGHT_MAX = 64


@workflow.defn(name="BareCase")
class BareCase:
    """Waits for each signal, runs and upserts its share of empty activities and attributes, cancels its timers."""

    def __init__(self) -> None:
        self.signals = 0

    @workflow.signal
    def heard(self) -> None:
        self.signals += 1

    @workflow.run
    async def run(self, activities: int, signals: int, upserts: int, timers: int, queues: int) -> None:
        deadlines = [asyncio.create_task(workflow.sleep(timedelta(days=1))) for _ in range(timers)]
        for step in range(max(activities, signals, upserts)):
            if step < upserts:
                workflow.upsert_search_attributes([STAGE.value_set(f"bare-{step}")])
            if step < activities:
                await workflow.execute_activity(
                    nothing,
                    step < signals,
                    task_queue=QUEUE if queues == 1 else f"{QUEUE}-{step % queues}",
                    start_to_close_timeout=timedelta(seconds=30),
                )
            if step < signals:
                await workflow.wait_condition(lambda seen=step: self.signals > seen)
        for deadline in deadlines:
            deadline.cancel()


_to_signal: asyncio.Queue[str] = asyncio.Queue()


@activity.defn
async def nothing(then_signal: bool) -> None:
    """No work; afterwards the outside world signals the case, as a college or a bank would."""
    if then_signal:
        _to_signal.put_nowait(activity.info().workflow_id or "")


async def _signal(client: Client) -> None:
    while True:
        await client.get_workflow_handle(await _to_signal.get()).signal(BareCase.heard)


async def measure(
    address: str, namespace: str, cases: int, counts: tuple[int, int, int, int, int], every_seconds: float
) -> float:
    """Seconds for `cases` workflows, at most `IN_FLIGHT_MAX` at once, begun no faster than one `every_seconds`."""
    client = await Client.connect(address, namespace=namespace)
    gate = asyncio.Semaphore(IN_FLIGHT_MAX)
    run = f"bench-bare-{time.time_ns()}"

    async def one(number: int) -> None:
        await asyncio.sleep(number * every_seconds)
        async with gate:
            await client.execute_workflow(BareCase.run, args=list(counts), id=f"{run}/{number}", task_queue=QUEUE)

    async with contextlib.AsyncExitStack() as workers:
        queues = counts[-1]
        await workers.enter_async_context(
            Worker(
                client,
                task_queue=QUEUE,
                workflows=[BareCase],
                activities=[nothing] if queues == 1 else [],
                workflow_runner=UnsandboxedWorkflowRunner(),
            )
        )
        for number in range(queues if queues > 1 else 0):
            another = await Client.connect(address, namespace=namespace)
            await workers.enter_async_context(Worker(another, task_queue=f"{QUEUE}-{number}", activities=[nothing]))
        signaling = [asyncio.create_task(_signal(client)) for _ in range(8)]
        began = time.perf_counter()
        await asyncio.gather(*(one(number) for number in range(cases)))
        seconds = time.perf_counter() - began
        for task in signaling:
            task.cancel()
    return seconds


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--address", required=True)
    parser.add_argument("--namespace", required=True)
    for name in ("cases", "activities", "signals", "upserts", "timers", "queues"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--every", type=float, default=0.0, metavar="SECONDS")
    given = parser.parse_args()
    counts = (given.activities, given.signals, given.upserts, given.timers, given.queues)
    seconds = asyncio.run(measure(given.address, given.namespace, given.cases, counts, given.every))
    print(json.dumps({"seconds": seconds}), flush=True)
    # A process that used temporalio can abort while the interpreter takes itself apart.
    os._exit(0)
