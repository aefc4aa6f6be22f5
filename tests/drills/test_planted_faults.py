"""Every planted fault is noticed by the drill it names: a guard that nothing misses guards nothing."""

import random

import pytest

from cairn.drills.drill import run_drill
from cairn.drills.registry import drill_of, faults

RUNS_MAX = 5
"""At the small size of the tests a run's chance may pass a fault by: races above all. Seeds differ from run to run."""


@pytest.mark.parametrize("name", sorted(faults()))
async def test_the_fault_is_caught(name, ground_for):
    fault = faults()[name]
    drill = drill_of(fault.drill)
    for _ in range(RUNS_MAX):
        seed = random.randrange(2**32)
        print(f"seed {seed}")
        outcome = await run_drill(drill, seed=seed, fault=fault, scale=drill.test_scale, ground=await ground_for(drill))
        print(*outcome.failed, sep="\n")
        if fault.is_caught_by(outcome.failed):
            return
    raise AssertionError(f"the drill {drill.name} passed with {name} in {RUNS_MAX} runs")
