"""Engines and chosen processes of a fresh stack, for benchmarks that must not share the machine with the rest."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from cairn.bootstrap.everything import bootstrap
from cairn.stack.engines import engines_of, environment, settings_fields
from cairn.stack.layout import ROOT, Home
from cairn.stack.process import processes_of
from cairn.stack.secrets import make_secrets
from cairn.stack.supervisor import Supervisor
from kit.settings import ProcessSettings


@dataclass(frozen=True)
class Bench:
    """A prepared stack: its supervisor and the settings of its processes."""

    stack: Supervisor
    home: Home
    settings: ProcessSettings

    def pids(self) -> dict[str, int]:
        """Process id of every unit that runs."""
        described = ((unit.name, unit.describe()["pid"]) for unit in self.stack.units)
        return {name: int(pid) for name, pid in described if pid}


@asynccontextmanager
async def bench_stack(processes: Sequence[str]) -> AsyncIterator[Bench]:
    """Every engine, migrated and bootstrapped, and only these of Cairn's processes."""
    home = Home(ROOT / ".cairn" / "bench")
    async with Supervisor(home, fresh=True) as stack:
        make_secrets(home)
        await stack.start(list(engines_of(home, stack.ports).values()))
        settings = ProcessSettings.model_validate(settings_fields(environment(home, stack.ports)))
        await bootstrap(settings)
        await stack.start([p for p in processes_of(home, stack.ports) if p.name in processes])
        stack.ready()
        yield Bench(stack, home, settings)
