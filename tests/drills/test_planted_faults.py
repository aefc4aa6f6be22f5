"""Every planted fault is noticed by the drill it names: a guard that nothing misses guards nothing."""

import random

import pytest

from cairn.drills.drill import run_drill
from cairn.drills.registry import drill_of, faults


@pytest.mark.parametrize("name", sorted(faults()))
async def test_the_fault_is_caught(name, ground_for):
    fault = faults()[name]
    drill = drill_of(fault.drill)
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    outcome = await run_drill(drill, seed=seed, fault=fault, scale=drill.test_scale, ground=await ground_for(drill))
    print(*outcome.failed, sep="\n")
    assert outcome.failed != ()
    if fault.check:
        assert fault.check in {check.name for check in outcome.failed}
