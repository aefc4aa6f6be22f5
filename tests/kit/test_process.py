"""A process tells the truth about itself and ends within its bound: each case is a real one."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

END_SECONDS_MAX = 20.0

PROGRAM = """
import asyncio, sys, time
from pathlib import Path
from kit import health, process
from kit.settings import ProcessSettings

class Resource:
    async def __aenter__(self): return self
    async def __aexit__(self, *_): print("closed", flush=True)

async def forever():
    try:
        await asyncio.Event().wait()
    finally:
        print("cancelled", flush=True)

async def fails_later():
    await asyncio.sleep(0.2)
    raise LookupError("Ada Lovelace")

async def returns(): pass

async def well(): pass
async def ill(): raise ConnectionError("postgresql://me:pw@db")
async def hangs(): await asyncio.sleep(60)
async def stubborn():
    while True:
        try: await asyncio.Event().wait()
        except asyncio.CancelledError: print("no", flush=True)
async def blocks():
    await asyncio.sleep(0.3)
    time.sleep(60)

health.STUCK_SECONDS = 1.0
health.CHECK_SECONDS_MAX = 0.3
process.STOP_SECONDS_MAX = 1.0
settings = ProcessSettings(secrets_dir=Path("."), health_port=0)

async def start(life):
    await life.enter(Resource())
    BODY

process.run("test", settings, start)
"""


class Running:
    def __init__(self, child: "subprocess.Popen[str]") -> None:
        self.child = child
        self.lines: list[dict[str, Any]] = []
        self.port = 0

    def read_until(self, event: str) -> dict[str, Any]:
        assert self.child.stdout is not None
        for line in self.child.stdout:
            entry = json.loads(line) if line.startswith("{") else {"event": line.strip()}
            self.lines.append(entry)
            self.port = entry.get("health_port", self.port)
            if entry["event"] == event:
                return entry
        raise AssertionError(f"{event} was never said: {self.lines}")

    def ask(self, path: str) -> tuple[int, dict[str, Any]]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as answer:
            with answer:
                return answer.code, json.loads(answer.read())

    def ends_with(self) -> int:
        assert self.child.stdout is not None
        never = threading.Timer(END_SECONDS_MAX, self.child.kill)
        never.start()
        rest = self.child.stdout.read()
        never.cancel()
        self.lines += [json.loads(x) if x.startswith("{") else {"event": x} for x in rest.splitlines()]
        return self.child.wait(timeout=15)

    def said(self) -> list[str]:
        return [line["event"] for line in self.lines]


@pytest.fixture
def start() -> Iterator[Callable[[str], Running]]:
    children: list[subprocess.Popen[str]] = []

    def begin(body: str) -> Running:
        child = subprocess.Popen(
            [sys.executable, "-c", PROGRAM.replace("BODY", body)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        )
        children.append(child)
        return Running(child)

    yield begin
    for child in children:
        child.kill()
        child.wait()
        if child.stdout:
            child.stdout.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_gracefully(start: Callable[[str], Running], number: signal.Signals) -> None:
    process = start("life.task('work', forever()); life.ready_when('db', well)")
    process.read_until("process.started")
    assert process.ask("/livez") == (200, {"ok": True, "faults": {}})
    assert process.ask("/readyz") == (200, {"ok": True, "faults": {}})
    process.child.send_signal(number)
    assert process.ends_with() == 0
    said = process.said()
    assert said.index("process.stopping") < said.index("cancelled") < said.index("closed")
    assert said[-1] == "process.stopped"


def test_readiness_names_each_fault_without_its_message(start: Callable[[str], Running]) -> None:
    process = start("life.ready_when('a', well); life.ready_when('b', ill); life.ready_when('c', hangs)")
    process.read_until("process.started")
    faults = {"b": "ConnectionError", "c": "no answer in time"}
    assert process.ask("/readyz") == (503, {"ok": False, "faults": faults})
    assert process.ask("/livez")[0] == 200
    assert process.ask("/nothing")[0] == 404


def test_it_is_alive_but_not_ready_while_it_starts(start: Callable[[str], Running]) -> None:
    process = start("await asyncio.sleep(30)")
    process.read_until("process.starting")
    assert process.ask("/readyz") == (503, {"ok": False, "faults": {"process": "starting"}})
    assert process.ask("/livez")[0] == 200
    process.child.send_signal(signal.SIGTERM)
    assert process.ends_with() == 0


@pytest.mark.parametrize(("task", "error"), [("fails_later()", "builtins.LookupError"), ("returns()", "TaskEnded")])
def test_a_task_that_ends_ends_the_process(start: Callable[[str], Running], task: str, error: str) -> None:
    process = start(f"life.task('work', {task}); life.task('other', forever())")
    assert process.ends_with() == 1
    [line] = [line for line in process.lines if line["event"] == "process.task_ended"]
    assert error in line["error"][0]
    assert "Lovelace" not in json.dumps(process.lines)
    assert "closed" in process.said()


def test_a_failing_start_is_said_and_closes_what_was_open(start: Callable[[str], Running]) -> None:
    process = start("raise LookupError")
    assert process.ends_with() == 1
    assert {"process.not_started", "closed"} <= set(process.said())


def test_a_stubborn_task_does_not_break_the_bound(start: Callable[[str], Running]) -> None:
    process = start("life.task('work', stubborn())")
    process.read_until("process.started")
    began = time.monotonic()
    process.child.send_signal(signal.SIGTERM)
    assert process.ends_with() == 2
    assert time.monotonic() - began < 5


def test_a_stubborn_start_does_not_break_the_bound(start: Callable[[str], Running]) -> None:
    process = start("print('stubborn', flush=True); await stubborn()")
    process.read_until("stubborn")
    began = time.monotonic()
    process.child.send_signal(signal.SIGTERM)
    assert process.ends_with() == 2
    assert time.monotonic() - began < 5
    assert {"no", "process.stop_too_slow"} <= set(process.said())


def test_a_stuck_event_loop_is_seen(start: Callable[[str], Running]) -> None:
    process = start("life.task('work', blocks())")
    process.read_until("process.started")
    give_up = time.monotonic() + 10
    while process.ask("/livez")[0] == 200:
        assert time.monotonic() < give_up
        time.sleep(0.05)
    assert process.ask("/livez") == (503, {"ok": False, "faults": {"event_loop": "stuck"}})
    assert process.ask("/readyz") == (503, {"ok": False, "faults": {"event_loop": "stuck"}})


def test_metrics_are_served(start: Callable[[str], Running]) -> None:
    process = start("import kit.relay; life.task('work', forever())")
    process.read_until("process.started")
    with urllib.request.urlopen(f"http://127.0.0.1:{process.port}/metrics", timeout=5) as answer:
        assert b"cairn_relay_published" in answer.read()
