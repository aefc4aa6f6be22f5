"""The frame itself: errors are checks that fail, what is patched is put back, a fault that fits nothing says so."""

import asyncpg
import pytest

from cairn.drills import registry
from cairn.drills.drill import (
    TO_ITS_END,
    Drill,
    Fault,
    FaultDoesNotFit,
    Trial,
    changes_schema,
    edits_function,
    patches,
    run_drill,
    together,
)
from services.payments.books import ledger


async def _speaks(trial: Trial) -> None:
    database = await trial.ground.open()
    async with database.connection() as connection:
        trial.equal("one", 1, await connection.fetchval("SELECT 1"))
        trial.equal("actor", "line/p/2026", ledger.line_row("p", 2026))


SPEAKS = Drill("speaks", "a database answers", _speaks)


async def test_a_drill_answers_checks(ground_for):
    outcome = await run_drill(SPEAKS, seed=1, ground=await ground_for(SPEAKS))
    assert outcome.ok
    assert [check.name for check in outcome.checks] == ["one", "actor"]


async def test_an_error_is_a_check_that_fails(ground_for):
    async def breaks(trial: Trial) -> None:
        raise ZeroDivisionError("nothing")

    outcome = await run_drill(Drill("breaks", "", breaks), seed=1, ground=await ground_for(SPEAKS))
    assert [check.name for check in outcome.failed] == [TO_ITS_END]
    assert "ZeroDivisionError" in outcome.failed[0].seen


async def test_a_drill_without_checks_holds_nothing(ground_for):
    async def silent(trial: Trial) -> None:
        pass

    assert not (await run_drill(Drill("silent", "", silent), seed=1, ground=await ground_for(SPEAKS))).ok


async def test_a_drill_is_bounded(ground_for):
    async def waits(trial: Trial) -> None:
        database = await trial.ground.open()
        async with database.connection() as connection:
            await connection.execute("SELECT pg_sleep(60)")

    drill = Drill("waits", "", waits, seconds_max=0.2)
    outcome = await run_drill(drill, seed=1, ground=await ground_for(SPEAKS))
    assert outcome.failed[0].expected == "within 0 seconds"


async def test_a_patch_is_put_back(ground_for):
    before = ledger.line_row
    fault = Fault("p", "", "speaks", patches("services.payments.books.ledger:line_row", lambda *_: "elsewhere"), "x")
    outcome = await run_drill(SPEAKS, seed=1, fault=fault, ground=await ground_for(SPEAKS))
    assert [check.name for check in outcome.failed] == ["actor"]
    assert ledger.line_row is before


@pytest.mark.parametrize(
    "plant",
    [
        edits_function("post", "a guard that is not there", ""),
        edits_function("no_such_function", "guard", ""),
        patches("services.payments.books.ledger:no_such_name", None),
    ],
)
async def test_a_fault_that_fits_nothing_says_so(ground_for, plant):
    with pytest.raises(FaultDoesNotFit):
        await run_drill(SPEAKS, seed=1, fault=Fault("f", "", "speaks", plant, "x"), ground=await ground_for(SPEAKS))


async def test_functions_and_schema_can_be_changed(ground_for):
    ground = await ground_for(SPEAKS)
    await together(
        edits_function("refuse_change", "append-only", "mostly append-only"),
        changes_schema("ALTER TABLE transfer DISABLE TRIGGER transfer_never_emptied"),
    )(ground)
    async with ground:
        owner = await ground.owner()
        await owner.execute("TRUNCATE transfer CASCADE")
        assert "mostly" in await owner.fetchval("SELECT prosrc FROM pg_proc WHERE proname = 'refuse_change'")
    with pytest.raises(asyncpg.InterfaceError):
        await owner.fetchval("SELECT 1")


def test_every_fault_names_a_drill_that_exists_and_every_name_is_its_own():
    for fault in registry.faults().values():
        assert registry.fault_of(fault.name, fault.drill) is fault


@pytest.mark.parametrize(
    "ask", [lambda: registry.drill_of("nothing"), lambda: registry.fault_of("nothing", "overspend")]
)
def test_an_unknown_name_is_refused(ask):
    with pytest.raises(registry.UnknownDrill):
        ask()
