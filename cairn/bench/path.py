"""`cairn bench path`: cases a second over the whole path, beside bare workflows of the same shape."""

import asyncio
import json
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cairn.bench.processor import cpu_seconds, memory_mib
from cairn.bench.table import Report, percentile
from cairn.stack.engines import environment, settings_fields
from cairn.stack.layout import ROOT, Home
from cairn.stack.local import addresses, local_stack
from cairn.stack.parent import tied

if TYPE_CHECKING:
    from cairn.stack.supervisor import Supervisor

PROGRAM = "oh-imap-bench"
SECONDS_MAX = 3600.0
SUBMIT_AT_ONCE = 8
IN_FLIGHT_MAX = 250
"""Cases under way at once. What a process keeps for each is there before the first half ends."""
WARM_UP_CASES = 20
PACED_CASES = 100
GOAL = 0.6
ENGINES = ("postgres", "kafka", "temporal")
GROWTH_MIB_MAX = 5.0
"""Of one process over the second half of the cases. The first half fills caches and sets the allocator's high mark."""
SHAPES_READ = 50
COUNTED = {
    "EVENT_TYPE_ACTIVITY_TASK_SCHEDULED": "activities",
    "EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED": "signals",
    "EVENT_TYPE_TIMER_STARTED": "timers",
    "EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES": "upserts",
}
PACK = {
    "program.toml": f'extends = "oh-imap"\nid = "{PROGRAM}"\ntitle = "Benchmark program"\n'
    # Nobody of this crowd answers letters.
    "[claim]\ncharge_answer_days = 0\n",
    "rounds.toml": (
        'keep = ["bench"]\n\n[[rounds]]\nid = "bench"\nlike = "r6"\ntitle = "Benchmark round"\n'
        "people_window = { opens = 2026-01-01T00:00:00-05:00 }\n"
        "appropriation_cents = 100_000_000_00\nper_provider_cap_cents = 90_000_000_00\n"
    ),
    "providers.toml": (
        '[[awards]]\nround_id = "bench"\nprovider_id = "lorain-ccc"\nceiling_cents = 90_000_000_00\n'
        "[awards.seats]\nlorain-soldering = 20000\n"
    ),
}


async def measure(cases: int) -> Report:
    """Run `cases` whole cases, then as many bare workflows, on one fresh stack."""
    home = Home(ROOT / ".cairn" / "bench")
    report = Report(
        "path",
        "the whole path",
        f"{cases} cases, at most {IN_FLIGHT_MAX} under way at once, from the portal's POST to the settled payment:"
        " HTTP, outbox, Kafka, journey, signed webhooks, college, claim, payment file. The college and the"
        " finance system run beside it as programs of their own."
        " The bare counterpart: as many Temporal workflows with the same number of activities, timers, signals"
        " and upserts, no work in them, one worker, on the same server, Cairn idle; and the same once more with the"
        " activities on as many task queues as a case's requests go to. The cases come in two halves;"
        f" memory is flat where the second half added no more than {GROWTH_MIB_MAX:.0f} MiB.",
    )
    async with local_stack(home, fresh=True) as stack:
        try:
            await _measure(stack, home, cases, report)
        finally:
            shutil.rmtree(home.path / "parties", ignore_errors=True)
    return report


async def _measure(stack: "Supervisor", home: Home, cases: int, report: Report) -> None:
    from cairn.demo.cast import assemble
    from cairn.demo.parties import outside_parties
    from kit.settings import ProcessSettings

    variables = environment(home, stack.ports)
    settings = ProcessSettings.model_validate(settings_fields(variables))
    cast = await assemble(settings)
    await _load_pack(settings)
    api = addresses(home, stack.ports)["api"]
    college = cast.college(api, {})
    finance: dict[str, Any] = {"exchange": str(home.exchange), "return_once": {}}
    pids = {unit.name: int(unit.describe()["pid"] or 0) for unit in stack.units if unit.describe()["pid"]}
    async with outside_parties(home.path / "parties", college, finance) as parties:
        crowd = Crowd(api, cast)
        try:
            await crowd.serve(WARM_UP_CASES)
            before, around_before = cpu_seconds(pids), _cpu_beside(parties)
            seconds, latencies = await crowd.serve(cases // 2)
            memory_halfway = memory_mib(pids)
            seconds_then, latencies_then = await crowd.serve(cases - cases // 2)
            after, around_after, memory_after = cpu_seconds(pids), _cpu_beside(parties), memory_mib(pids)
        finally:
            await crowd.close()
        seconds, latencies = seconds + seconds_then, latencies + latencies_then
        counts = await shape_of(settings, crowd.application_ids[-cases :: max(1, cases // SHAPES_READ)])
    rate = cases / seconds
    report.add("cases a second, whole path", f"{rate:.2f}")
    await _beside_bare(settings, cases, counts, rate, pids["temporal"], report)
    shape = ", ".join(f"{counts[kind]} {kind}" for kind in ("activities", "signals", "upserts", "timers"))
    report.add("shape of a case, in the mean", shape)
    report.add("whole case, p50 / p99", f"{percentile(latencies, 0.5):.1f} s / {percentile(latencies, 0.99):.1f} s")
    for name in before:
        report.add(f"CPU ms a case, {name}", f"{(after[name] - before[name]) * 1000 / cases:.0f}")
    total = sum(after[name] - before[name] for name in before)
    report.add("CPU ms a case, all", f"{total * 1000 / cases:.0f}")
    beside = ", ".join(
        f"{name} {(around_after[name] - around_before[name]) * 1000 / cases:.0f}" for name in around_after
    )
    report.add("CPU ms a case beside them", beside)
    for name in memory_after:
        if name not in ENGINES:
            grown = memory_after[name] - memory_halfway.get(name, 0.0)
            verdict = "flat" if grown <= GROWTH_MIB_MAX else "grows"
            value = f"{memory_after[name]:.0f} MiB ({grown:+.0f} since {cases // 2}): {verdict}"
            report.add(f"memory of {name} after {cases} cases", value, "flat")


async def _beside_bare(
    settings: Any, cases: int, counts: dict[str, int], rate: float, server: int, report: Report
) -> None:
    """The bare workflows on one queue and on several; then some at the rate of the whole path: a server that is not
    pressed takes more for each."""
    few = min(cases, PACED_CASES)
    bare, bare_cpu = await _bare(settings, cases, counts | {"queues": 1}, server)
    several, several_cpu = await _bare(settings, cases, counts, server)
    _, paced_cpu = await _bare(settings, few, counts, server, every=1 / rate)
    on_several = f"on {counts['queues']} queues"
    report.add("cases a second, bare workflows", f"{cases / bare:.2f}")
    report.add("share of the bare rate", f"{rate / (cases / bare):.0%}", f"≥ {GOAL * 100:.0f} %")
    report.add(f"cases a second, bare workflows {on_several}", f"{cases / several:.2f}")
    report.add("share of that rate", f"{rate / (cases / several):.0%}")
    left = (os.cpu_count() or 1) * 1000 / (GOAL * cases / bare)
    report.add("CPU ms a case that the goal leaves for all", f"{left:.0f}")
    report.add("CPU ms a bare workflow, temporal", f"{bare_cpu * 1000 / cases:.0f}")
    report.add(f"CPU ms a bare workflow {on_several}, temporal", f"{several_cpu * 1000 / cases:.0f}")
    report.add("the same at the rate of the whole path", f"{paced_cpu * 1000 / few:.0f}")


def _cpu_beside(parties: dict[str, int]) -> dict[str, float]:
    """The outside parties and this process, without its children."""
    return {**cpu_seconds(parties), "load generator": time.process_time()}


async def _load_pack(settings: Any) -> None:
    from services.eligibility.main import load_program
    from services.eligibility.settings import EligibilitySettings

    with tempfile.TemporaryDirectory() as folder:
        programs = Path(folder)
        shutil.copytree(ROOT / "programs" / "oh-imap", programs / "oh-imap")
        (programs / PROGRAM).mkdir()
        for name, text in PACK.items():
            (programs / PROGRAM / name).write_text(text)
        await load_program(EligibilitySettings.model_validate(settings.model_dump()), programs / PROGRAM)


class Crowd:
    """People who apply, and the finance office that pays, through public doors."""

    def __init__(self, api: str, cast: Any) -> None:
        from examples.doors import Doors

        self._portal = Doors(api, cast.portal_key)
        self._maker, self._checker = Doors(api, cast.maker_key), Doors(api, cast.checker_key)
        self._run = f"{time.time_ns():x}"
        self._applied = 0
        self._batches = 0
        self.application_ids: list[str] = []

    async def serve(self, cases: int) -> tuple[float, list[float]]:
        """Submit `cases` and return once all are closed: seconds in all, seconds of each."""
        began = time.perf_counter()
        started: dict[str, float] = {}
        gate, under_way = asyncio.Semaphore(SUBMIT_AT_ONCE), asyncio.Semaphore(IN_FLIGHT_MAX)

        async def apply(number: int) -> None:
            await under_way.acquire()
            async with gate:
                at = time.perf_counter()
                started[await self._apply(number)] = at

        paying = asyncio.create_task(self._pay())
        try:
            async with asyncio.timeout(SECONDS_MAX), asyncio.TaskGroup() as applying:
                first = self._applied
                self._applied += cases
                for number in range(first, first + cases):
                    applying.create_task(apply(number))
                latencies = await self._all_closed(cases, started, under_way)
        finally:
            paying.cancel()
            await asyncio.gather(paying, return_exceptions=True)
        return time.perf_counter() - began, latencies

    async def _apply(self, number: int) -> str:
        from examples.portal import application

        body = application(
            given_name="Robin",
            email=f"bench{number}@learners.example",
            ssn=f"{300 + number // 9000:03d}{10 + number % 90:02d}{1000 + number % 9000:04d}",
            program_id=PROGRAM,
            round_id="bench",
            provider_id="lorain-ccc",
            credential_id="lorain-soldering",
        )
        answer = await self._portal.post("/v1/applications", body, key=f"{self._run}-{number}")
        self.application_ids.append(answer["application_id"])
        return answer["application_id"]

    async def _all_closed(self, cases: int, waiting: dict[str, float], under_way: asyncio.Semaphore) -> list[float]:
        """Ask for the oldest open cases until so many have closed."""
        latencies: list[float] = []
        while len(latencies) < cases:
            for application_id in list(waiting)[:50]:
                view = await self._portal.get(f"/v1/applications/{application_id}")
                if view["outcome"] is None:
                    break
                if view["outcome"] != "reimbursed":
                    raise RuntimeError(f"a case ended {view['outcome']}: {view['reasons']}")
                latencies.append(time.perf_counter() - waiting.pop(application_id))
                under_way.release()
            else:
                if waiting:
                    continue
            await asyncio.sleep(0.25)
        return latencies

    async def _pay(self) -> None:
        from examples.doors import Declined

        while True:
            self._batches += 1
            key = f"{self._run}-batch-{self._batches}"
            try:
                batch = await self._maker.post("/v1/payment-batches", key=key)
                await self._checker.post(f"/v1/payment-batches/{batch['batch_id']}/approval", key=f"{key}-approve")
            except Declined as declined:
                if declined.status not in {404, 409, 422}:
                    raise
            await asyncio.sleep(1.0)

    async def close(self) -> None:
        for doors in (self._portal, self._maker, self._checker):
            await doors.close()


async def shape_of(settings: Any, application_ids: Sequence[str]) -> dict[str, int]:
    """How many activities, signals, timers and upserts these cases' histories hold, in the mean.

    A case whose answers come before its timers are started has fewer of them than its neighbour.
    """
    from temporalio.api.enums.v1 import EventType

    from contracts.journey import workflow_id
    from kit.temporal import connect

    client = await connect(settings)
    counted: Counter[str] = Counter()
    queues: set[str] = set()
    for application_id in application_ids:
        history = await client.get_workflow_handle(workflow_id(application_id)).fetch_history()  # type: ignore[arg-type]
        counted.update(EventType.Name(event.event_type) for event in history.events)
        asked = (event.activity_task_scheduled_event_attributes.task_queue.name for event in history.events)
        queues.update(name for name in asked if name)
    means = {name: round(counted[kind] / len(application_ids)) for kind, name in COUNTED.items()}
    return {"queues": len(queues), **means}


async def _bare(
    settings: Any, cases: int, counts: dict[str, int], server: int, *, every: float = 0.0
) -> tuple[float, float]:
    """Seconds that the bare workflows took, and seconds of processor time that their server took."""
    before = cpu_seconds({"": server})
    arguments = [f"--{name}={count}" for name, count in counts.items()]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "cairn.bench.bare",
        "--address", settings.temporal_address, "--namespace", settings.temporal_namespace,
        "--cases", str(cases), "--every", str(every), *arguments,
        stdout=asyncio.subprocess.PIPE, cwd=ROOT, preexec_fn=tied(),
    )  # fmt: skip
    output, _ = await process.communicate()
    used = cpu_seconds({"": server})[""] - before[""]
    return float(json.loads(output.splitlines()[-1])["seconds"]), used
