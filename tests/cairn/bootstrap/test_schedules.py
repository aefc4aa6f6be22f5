"""The schedule of a program's fiscal year: at its own midnight, made once, changed with its pack."""

import asyncio
import uuid
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

from cairn.bootstrap.schedules import ensure_schedule, ensure_schedules, schedule_of
from cairn.bootstrap.temporal import ensure_namespace
from contracts.fiscal_year import TURN_TYPE, turn_id
from contracts.program import Program
from services.eligibility.gateways import PackFolders
from services.eligibility.main import load_program
from services.eligibility.packs import load
from services.eligibility.settings import EligibilitySettings

PROGRAMS = Path(__file__).parents[3] / "programs"
COLUMBUS = ZoneInfo("America/New_York")


@pytest.fixture(scope="module")
def program() -> Program:
    return load("oh-imap", PackFolders(PROGRAMS).files).pack.program


@pytest.fixture(scope="module")
def namespace(temporal_address: str) -> str:
    name = f"test-schedules-{uuid.uuid4().hex[:8]}"
    asyncio.run(ensure_namespace(temporal_address, name))
    return name


async def test_a_schedule_is_made_once_and_changed_with_the_pack(temporal_address, namespace, program):
    client = await Client.connect(temporal_address, namespace=namespace, data_converter=pydantic_data_converter)
    assert await ensure_schedule(client, program)
    assert not await ensure_schedule(client, program)
    described = await client.get_schedule_handle(turn_id(program.id)).describe()
    times = [each.astimezone(COLUMBUS) for each in described.info.next_action_times]
    assert {(each.month, each.day, each.hour, each.minute) for each in times} == {(7, 1, 0, 5)}
    assert described.schedule.action.workflow == TURN_TYPE  # type: ignore[union-attr]
    moved = program.model_copy(update={"fiscal_year_start": "10-01", "time_zone": "America/Chicago"})
    assert await ensure_schedule(client, moved)
    described = await client.get_schedule_handle(turn_id(program.id)).describe()
    first = described.info.next_action_times[0].astimezone(ZoneInfo("America/Chicago"))
    assert (first.month, first.day, first.hour) == (10, 1, 0)


async def test_what_was_paused_stays_paused(temporal_address, namespace, program):
    client = await Client.connect(temporal_address, namespace=namespace, data_converter=pydantic_data_converter)
    mine = program.model_copy(update={"id": "paused-program"})
    await ensure_schedule(client, mine)
    handle = client.get_schedule_handle(turn_id(mine.id))
    await handle.pause()
    assert await ensure_schedule(client, mine.model_copy(update={"fiscal_year_start": "01-01"}))
    assert (await handle.describe()).schedule.state.paused


async def test_what_was_published_gets_one_and_a_pack_that_only_lies_there_none(
    temporal_address, namespace, fresh_database
):
    fresh = await fresh_database("eligibility")
    given = EligibilitySettings(
        database_url=fresh.url,
        temporal_address=temporal_address,
        temporal_namespace=namespace,
        secrets_dir=fresh.home.secrets,
        programs_dir=PROGRAMS,
    )
    assert await ensure_schedules(given) == []
    await load_program(given, PROGRAMS / "oh-imap-brisk")
    assert await ensure_schedules(given) == ["fiscal-year-turn/oh-imap-brisk"]
    assert await ensure_schedules(given) == []


def test_a_turn_that_was_missed_is_made_up_for(program):
    assert schedule_of(program).policy.catchup_window == timedelta(days=60)
