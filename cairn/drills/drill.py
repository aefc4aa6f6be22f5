"""What a drill is: a promise tried out with a seed and a size, answered by checks; and what a planted fault is."""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from cairn.drills.ground import (
    FaultDoesNotFit,
    Ground,
    Plant,
    changes_schema,
    drops_constraint,
    edits_function,
    engine_of_its_own,
    patches,
    together,
)

__all__ = [
    "TO_ITS_END",
    "Check",
    "Drill",
    "Fault",
    "FaultDoesNotFit",
    "Ground",
    "Outcome",
    "Plant",
    "Trial",
    "changes_schema",
    "drops_constraint",
    "edits_function",
    "engine_of_its_own",
    "patches",
    "run_drill",
    "together",
]

TO_ITS_END = "the drill runs to its end"


@dataclass(frozen=True)
class Check:
    """One thing that had to hold."""

    name: str
    expected: str
    seen: str
    ok: bool


@dataclass
class Trial:
    """One run of a drill: its ground, its chance, its size, and the checks it answers with."""

    ground: Ground
    seed: int
    scale: float = 1.0
    """1.0 is the size that is promised; tests run a small share of it."""
    checks: list[Check] = field(default_factory=list[Check])
    chance: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)  # noqa: S311 - repeatable, not secret

    def count(self, promised: int, *, least: int = 1) -> int:
        """`promised` at full size, a share of it at another."""
        return max(least, round(promised * self.scale))

    def equal(self, name: str, expected: Any, seen: Any) -> None:
        """This had to be exactly so."""
        self.checks.append(Check(name, _short(expected), _short(seen), expected == seen))

    def holds(self, name: str, expected: str, ok: bool, seen: Any) -> None:
        """This had to be so, in words."""
        self.checks.append(Check(name, expected, _short(seen), ok))


@dataclass(frozen=True)
class Drill:
    """A promise that can be tried out."""

    name: str
    promise: str
    """One sentence: what holds."""
    run: Callable[[Trial], Awaitable[None]]
    schemas: tuple[str, ...] = ("payments",)
    """The schemas of its database, beside vault and access."""
    seconds_max: float = 600.0
    test_scale: float = 0.02
    """The share of the promised size with which the tests run it."""


@dataclass(frozen=True)
class Fault:
    """A named guard switched off, and the drill that must notice."""

    name: str
    says: str
    """What is wrong with the build, in one sentence."""
    drill: str
    plant: Plant
    check: str
    """The check that must fail."""
    seen: str = ""
    """What that check must show: which error it was, where the drill does not run to its end."""

    def is_caught_by(self, failed: "Sequence[Check]") -> bool:
        """Whether these are the checks that had to fail; another failure may be chance."""
        return any(one.name == self.check and self.seen in one.seen for one in failed)


@dataclass(frozen=True)
class Outcome:
    """What a run came to."""

    drill: str
    seed: int
    planted: str | None
    seconds: float
    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        return bool(self.checks) and all(check.ok for check in self.checks)

    @property
    def failed(self) -> tuple[Check, ...]:
        return tuple(check for check in self.checks if not check.ok)


async def run_drill(
    drill: Drill, *, seed: int, fault: Fault | None = None, scale: float = 1.0, ground: Ground | None = None
) -> Outcome:
    """Run a drill on `ground`, else on an engine of its own; with a fault, on a build that has it.

    Whatever the build throws at the drill is a check that fails; `FaultDoesNotFit` and interruptions are not.
    """
    async with _on(ground, drill.schemas) as given:
        if fault is not None:
            await fault.plant(given)
        trial = Trial(given, seed, scale)
        began = time.monotonic()
        try:
            async with asyncio.timeout(drill.seconds_max):
                await drill.run(trial)
        except TimeoutError:
            trial.holds(TO_ITS_END, f"within {drill.seconds_max:.0f} seconds", False, "still running")
        except Exception as error:
            trial.holds(TO_ITS_END, "no error", False, f"{type(error).__name__}: {error}")
        seconds = time.monotonic() - began
    return Outcome(drill.name, seed, fault.name if fault else None, seconds, tuple(trial.checks))


@asynccontextmanager
async def _on(ground: Ground | None, schemas: tuple[str, ...]) -> AsyncGenerator[Ground, None]:
    if ground is not None:
        async with ground:
            yield ground
        return
    async with engine_of_its_own(schemas) as own:
        yield own


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 300 else f"{text[:297]}..."
