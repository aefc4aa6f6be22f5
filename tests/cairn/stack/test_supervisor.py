"""Start, restart, giving up, stopping, and what is left when the supervisor itself is killed."""

import asyncio
import os
import shutil
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from cairn.exits import Exit
from cairn.stack import layout, unit
from cairn.stack.child import Launch
from cairn.stack.engines import engines_of, postgres_of
from cairn.stack.faults import DiskFull, HomeInUse, PortTaken, UnitFailed
from cairn.stack.layout import Home
from cairn.stack.secrets import make_secrets
from cairn.stack.supervisor import Supervisor
from tests.cairn.stack.waiting import until

SLEEPER = "import signal, sys, time\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(0))\nprint('up', flush=True)\n"
SLEEPER += "while True: time.sleep(1)"


@dataclass(frozen=True)
class Script:
    """A small Python program, ready once `check_file` exists."""

    name: str
    code: str
    port_names: Sequence[str] = ()
    check_file: Path | None = None
    ready_seconds_max: float = 10.0

    async def prepare(self) -> None: ...

    def launch(self) -> Launch:
        return Launch([sys.executable, "-c", self.code], stop_seconds_max=5)

    async def check(self) -> None:
        if self.check_file is not None and not self.check_file.exists():
            raise ConnectionError("not yet")


async def test_units_stop_in_reverse_order_and_state_says_so(home: Home) -> None:
    seen: list[str] = []

    def note(stack: Supervisor) -> None:
        seen.extend(u.name for u in stack.units if u.state == "stopped" and u.name not in seen and u.pid is None)

    async with Supervisor(home, on_change=None) as stack:
        await stack.start([Script("first", SLEEPER)])
        await stack.start([Script("second", SLEEPER)])
        stack.ready()
        assert home.read_state()["status"] == "ready"
        assert home.in_use()
        stack._on_change = note
    assert seen == ["second", "first"]
    assert home.read_state()["status"] == "stopped"
    assert not home.in_use()


async def test_a_unit_that_keeps_ending_is_given_up_visibly(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unit, "BACKOFF_SECONDS_FIRST", 0.001)
    started = home.path / "started"
    # Ready the first time; every later start ends at once.
    code = f"import pathlib, time\nflag = pathlib.Path({str(started)!r})\nif flag.exists(): raise SystemExit(9)\n"
    code += "flag.touch()\ntime.sleep(60)"
    async with Supervisor(home) as stack:
        await stack.start([Script("weak", code, check_file=started)])
        stack.ready()
        [weak] = stack.units
        assert weak.pid is not None
        os.kill(weak.pid, signal.SIGKILL)
        await until(lambda: weak.state == "failed", "the supervisor gives up")
        assert weak.restarts == unit.RESTARTS_MAX
        state = home.read_state()
        assert state["status"] == "failed"
        assert "gave up after 5 restarts" in state["units"]["weak"]["reason"]


async def test_a_failed_start_stops_what_had_started_and_quotes_the_log(home: Home) -> None:
    pids: list[int | None] = []

    async def start_both() -> None:
        async with Supervisor(home) as stack:
            await stack.start([Script("good", SLEEPER)])
            pids.append(stack.units[0].pid)
            broken = "print('no luck today'); raise SystemExit(3)"
            await stack.start([Script("broken", broken, check_file=Path("/nope"))])

    with pytest.raises(UnitFailed, match=r"broken ended with code 3 before it was ready(.|\n)*no luck today"):
        await start_both()
    [pid] = pids
    assert pid is not None
    assert not psutil.pid_exists(pid)
    assert home.read_state()["status"] == "failed"


async def test_a_data_folder_is_held_by_one_stack(home: Home) -> None:
    async with Supervisor(home):
        with pytest.raises(HomeInUse, match=f"in use by process {os.getpid()}") as refused:
            async with Supervisor(home):
                pass
    assert refused.value.exit_code == Exit.ALREADY_RUNNING
    async with Supervisor(home):
        pass


async def test_a_taken_port_is_named(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unit, "PORT_SECONDS_MAX", 0.1)
    async with Supervisor(home) as stack:
        with (
            socket.create_server(("127.0.0.1", stack.ports["mail"])),
            pytest.raises(PortTaken, match=f"Port {stack.ports['mail']}, which this data folder keeps for mail"),
        ):
            await stack.start([engines_of(home, stack.ports)["mail"]])


async def test_a_full_disk_is_told_before_anything_starts(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "FREE_BYTES_MIN", 1 << 60)
    with pytest.raises(DiskFull, match="MiB free"):
        async with Supervisor(home):
            pass
    assert not home.in_use()


async def test_fresh_forgets_the_data_but_another_home_does_not(new_home: Callable[[str], Home]) -> None:
    one, two = new_home("one"), new_home("two")
    for each in (one, two):
        async with Supervisor(each):
            (each.path / "kept").touch()
    async with Supervisor(one, fresh=True):
        assert not (one.path / "kept").exists()
        assert (two.path / "kept").exists()


async def test_a_removed_data_folder_begins_anew(home: Home) -> None:
    for _ in range(2):
        async with Supervisor(home) as stack:
            make_secrets(home)
            await stack.start([postgres_of(home, stack.ports, durable=False)])
        shutil.rmtree(home.path)


async def test_two_copies_run_side_by_side(new_home: Callable[[str], Home]) -> None:
    async with Supervisor(new_home("one")) as one, Supervisor(new_home("two")) as two:
        await asyncio.gather(*(stack.start([engines_of(stack.home, stack.ports)["mail"]]) for stack in (one, two)))
        assert not set(one.ports.values()) & set(two.ports.values())


async def _host(home: Home, engines: str) -> asyncio.subprocess.Process:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "cairn.stack.engines_only",
        "--home",
        str(home.path),
        "--engines",
        engines,
        "--volatile",
        cwd=layout.ROOT,
    )
    await until(lambda: _is_up(home, process), "the host is ready")
    return process


def _is_up(home: Home, host: asyncio.subprocess.Process) -> bool:
    state = home.read_state()
    return host.returncode is not None or (state.get("pid") == host.pid and state["status"] == "ready")


def _pids(home: Home) -> list[int]:
    return [one["pid"] for one in home.read_state()["units"].values() if one["pid"]]


async def test_killing_the_supervisor_leaves_no_orphan_and_no_stale_lock(home: Home) -> None:
    host = await _host(home, "postgres,temporal,mail")
    children = _pids(home)
    backends = [p.pid for pid in children for p in psutil.Process(pid).children(recursive=True)]
    assert len(children) == 3

    host.kill()
    await host.wait()

    await until(lambda: not any(psutil.pid_exists(pid) for pid in children + backends), "no process is left", 20)
    assert not home.in_use()
    again = await _host(home, "postgres,temporal,mail")
    assert again.returncode is None
    again.send_signal(signal.SIGTERM)
    assert await again.wait() == 0


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_a_signal_stops_everything_cleanly(home: Home, sent: signal.Signals) -> None:
    host = await _host(home, "mail")
    children = _pids(home)
    host.send_signal(sent)
    assert await asyncio.wait_for(host.wait(), 30) == 0
    assert not any(psutil.pid_exists(pid) for pid in children)
    assert home.read_state()["status"] == "stopped"


async def test_leftovers_of_an_earlier_stack_are_ended_but_a_reused_pid_is_not(home: Home) -> None:
    home.make()
    left, other = [await asyncio.create_subprocess_exec(sys.executable, "-c", SLEEPER) for _ in range(2)]
    try:
        home.write_state(
            {
                "units": {
                    "left": {"pid": left.pid, "started_at": psutil.Process(left.pid).create_time()},
                    "other": {"pid": other.pid, "started_at": psutil.Process(other.pid).create_time() - 3600},
                }
            }
        )
        async with Supervisor(home):
            assert not psutil.pid_exists(left.pid)
            assert psutil.pid_exists(other.pid)
    finally:
        other.kill()
        await other.wait()
        await left.wait()
