"""`cairn bench accept`: accepted applications a second, beside a raw ASGI app that inserts the same rows."""

import asyncio
import json
import os
import sys
import time
from itertools import count
from statistics import median, quantiles

from cairn.bench.engines import Bench, bench_stack
from cairn.bench.load import Load, drive, post
from cairn.bench.processor import cpu_seconds, memory_mib
from cairn.bench.table import Report, percentile
from cairn.demo.parties import free_port
from cairn.stack.layout import ROOT
from cairn.stack.parent import tied
from cairn.stack.process import http_get

CALLERS = (16, 64, 256)
"""As many as the ledger's benchmark has: one request at a time each, on a connection and with a key of its own."""
WARM_UP = 200
ROUNDS = 15
"""Short ones, in turn: a machine whose speed wanders is the same for two that follow each other."""
START_SECONDS_MAX = 20.0
_numbers = count()


async def measure(requests: int) -> Report:
    """`requests` applications in `ROUNDS` rounds, the two apps in turn; the medians of rates and of their ratios."""
    report = Report(
        "accept",
        "accepting applications",
        f"{requests} POSTs of a whole application by so many callers at once, one API process: key, scope, rate,"
        " idempotency, validation, listing, duplicate check, vault, row-level security, outbox, trace, log; answered"
        " after the commit, which those that come at once share. Beside it a raw ASGI app on the same server, loop and"
        " driver inserts the same rows into the same tables in one statement and one commit, with values made"
        " beforehand, and checks nothing."
        f" {ROUNDS} rounds in turn, the median of each and of the ratio of two that follow each other; load generator"
        " and database share the machine.",
    )
    async with bench_stack(["api", "applications", "eligibility"]) as bench:
        keys = await _prepare(bench)
        port = free_port()
        raw = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "cairn.bench.raw_asgi", "--port", str(port),
            env={**os.environ, "BENCH_DSN": bench.settings.dsn("cairn_owner")}, cwd=ROOT, preexec_fn=tied(),
        )  # fmt: skip
        try:
            await _until_open(port)
            for callers in CALLERS:
                await _compare(bench, port, raw.pid, keys[:callers], requests, report)
            report.add("memory of api afterwards", f"{memory_mib(bench.pids())['api']:.0f} MiB")
        finally:
            raw.terminate()
            await raw.wait()
    return report


async def _prepare(bench: Bench) -> list[str]:
    """Load the pack into applications' own copy, and a partner key for each caller."""
    from datetime import UTC, datetime, timedelta

    from cairn.commands.keys import issue_for
    from services.eligibility.main import load_program
    from services.eligibility.settings import EligibilitySettings

    fields = bench.settings.model_dump()
    await load_program(EligibilitySettings.model_validate(fields), ROOT / "programs" / "oh-imap")
    until = datetime.now(UTC) + timedelta(days=1)
    scopes = ["applications:write"]
    keys = [await issue_for(bench.settings, "partner", f"bench-{n}", scopes, until) for n in range(max(CALLERS))]
    async with asyncio.timeout(START_SECONDS_MAX):
        while set((await _accept_one(bench, keys[0])).statuses) != {201}:
            await asyncio.sleep(0.1)
    for unit in bench.stack.units:
        if unit.name in {"applications", "eligibility"}:
            await unit.stop()
    return keys


async def _accept_one(bench: Bench, key: str) -> Load:
    """One application, to see whether the pack has arrived."""
    number = next(_numbers)
    headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": f"one-{number}"}
    request = post("/v1/applications", _body(number), headers)
    return await drive(bench.stack.ports["api"], 1, 1, lambda *_: request)


async def _compare(bench: Bench, raw_port: int, raw_pid: int, keys: list[str], requests: int, report: Report) -> None:
    api_port, callers = bench.stack.ports["api"], len(keys)
    run = f"{time.time_ns():x}"

    def whole(connection: int, _: int) -> bytes:
        number = next(_numbers)
        headers = {"Authorization": f"Bearer {keys[connection]}", "Idempotency-Key": f"{run}-{number}"}
        return post("/v1/applications", _body(number), headers)

    def bare(connection: int, _: int) -> bytes:
        return post("/v1/applications", _body(connection), {})

    pids = bench.pids() | {"raw": raw_pid}
    for port, request in ((api_port, whole), (raw_port, bare)):
        _require(await drive(port, WARM_UP, callers, request))
    batches = await _batches(bench)
    ours: list[Load] = []
    theirs: list[Load] = []
    used = {"api": 0.0, "postgres": 0.0}
    used_raw = {"raw": 0.0, "postgres": 0.0}
    for _ in range(ROUNDS):
        for port, request, loads, spent in ((api_port, whole, ours, used), (raw_port, bare, theirs, used_raw)):
            before = cpu_seconds(pids)
            loads.append(_require(await drive(port, requests // ROUNDS, callers, request)))
            after = cpu_seconds(pids)
            for name in spent:
                spent[name] += after[name] - before[name]
    rates, raw_rates = ([len(load.latencies) / load.seconds for load in loads] for loads in (ours, theirs))
    shares = [rate / raw_rate for rate, raw_rate in zip(rates, raw_rates, strict=True)]
    latencies = [latency for load in ours for latency in load.latencies]
    taken, transactions = (now - then for now, then in zip(await _batches(bench), batches, strict=True))
    of = f"{callers} callers"
    report.add(f"applications a second, Cairn, {of}", f"{median(rates):.0f}")
    report.add(f"requests a second, raw app, {of}", f"{median(raw_rates):.0f}")
    report.add(f"share of the raw rate, {of}", f"{median(shares):.0%}", "≥ 50 %")
    report.add(f"that share, lower / upper quartile, {of}", " / ".join(f"{quantiles(shares)[n]:.0%}" for n in (0, 2)))
    p50, p99 = (percentile(latencies, share) * 1000 for share in (0.5, 0.99))
    report.add(f"answer, p50 / p99, {of}", f"{p50:.0f} / {p99:.0f} ms")
    report.add(f"applications a transaction, {of}", f"{taken / transactions:.1f}")
    for who, spent in (("Cairn", used), ("raw app", used_raw)):
        texts = [f"{name} {seconds * 1000 / (requests // ROUNDS * ROUNDS):.2f}" for name, seconds in spent.items()]
        report.add(f"CPU ms a request, {who}, {of}", ", ".join(texts))


async def _batches(bench: Bench) -> tuple[float, float]:
    """How many applications were taken in so far, in how many transactions, by the process's own metrics."""
    _, page = await http_get(bench.stack.ports["health_api"], "/metrics")
    found = dict(line.rsplit(" ", 1) for line in page.splitlines() if line.startswith("cairn_intake_batch_"))
    return float(found["cairn_intake_batch_sum"]), float(found["cairn_intake_batch_count"])


def _body(number: int) -> bytes:
    from examples.portal import application

    body = application(
        given_name="Robin",
        email=f"bench{number}@learners.example",
        ssn=f"{300 + number // 900_000:03d}{10 + number // 9000 % 90:02d}{1000 + number % 9000:04d}",
        program_id="oh-imap",
        round_id="r6",
        provider_id="lorain-ccc",
        credential_id="lorain-soldering",
    )
    return json.dumps(body).encode()


def _require(load: Load) -> Load:
    if set(load.statuses) != {201}:
        raise RuntimeError(f"not every request was accepted: {dict(load.statuses)}")
    return load


async def _until_open(port: int) -> None:
    async with asyncio.timeout(START_SECONDS_MAX):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
                continue
            writer.close()
            return
