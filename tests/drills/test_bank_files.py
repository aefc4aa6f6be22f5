"""The drill `bank-files` with every point at which the office can die."""

from cairn.drills.bank_files_child import POINTS
from cairn.drills.drill import run_drill
from cairn.drills.registry import drill_of


async def test_wherever_the_office_dies_each_file_goes_out_once(ground_for):
    drill = drill_of("bank-files")
    outcome = await run_drill(drill, seed=7, scale=1.0, ground=await ground_for(drill))
    print(*outcome.failed, sep="\n")
    assert outcome.failed == ()
    [died] = [check for check in outcome.checks if check.name == "processes that died where they should"]
    assert all(point in died.seen for point in POINTS) or died.seen.endswith("...")
