"""Every drill holds, at a small size, on the build as it is."""

import random

import pytest

from cairn.drills.drill import run_drill
from cairn.drills.registry import drills


@pytest.mark.parametrize("name", sorted(drills()))
async def test_the_drill_holds(name, ground_for):
    drill = drills()[name]
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    outcome = await run_drill(drill, seed=seed, scale=drill.test_scale, ground=await ground_for(drill))
    assert outcome.checks
    assert outcome.failed == ()
