"""Temporal schedules: on the first day of a program's fiscal year, in its time zone, the years that are over close."""

from datetime import timedelta
from typing import TYPE_CHECKING

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleCalendarSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleRange,
    ScheduleSpec,
    ScheduleUpdate,
    ScheduleUpdateInput,
)

from contracts.fiscal_year import TURN_TYPE, StartTurn, turn_id
from contracts.program import Program
from contracts.steps import Queue

if TYPE_CHECKING:
    from kit.settings import ProcessSettings

MINUTES_AFTER_MIDNIGHT = 5
"""The database's clock decides whether the year is over; a few minutes spare most of the waiting for it."""
CATCH_UP = timedelta(days=60)
"""A turn that was missed while Temporal was away is made up for this long."""


async def ensure_schedules(settings: "ProcessSettings") -> list[str]:
    """A schedule for each program that was published, as its pack says now; the ids of those made or changed.

    A pack that was never loaded has no year to close: its turn would find no calendar, and fail year after year.
    """
    from kit.temporal import connect
    from services.eligibility.main import published_programs

    programs = await published_programs(settings)
    if not programs:
        return []
    client = await connect(settings)
    return [turn_id(one.id) for one in programs if await ensure_schedule(client, one)]


async def ensure_schedule(client: Client, program: Program) -> bool:
    """True where the schedule was made or changed."""
    wanted = schedule_of(program)
    try:
        await client.create_schedule(turn_id(program.id), wanted)
        return True
    except ScheduleAlreadyRunningError:
        handle = client.get_schedule_handle(turn_id(program.id))
    if _moments((await handle.describe()).schedule.spec) == _moments(wanted.spec):
        return False

    def changed(found: ScheduleUpdateInput) -> ScheduleUpdate:
        # What an operator paused stays paused.
        wanted.state = found.description.schedule.state
        return ScheduleUpdate(schedule=wanted)

    await handle.update(changed)
    return True


def _moments(spec: ScheduleSpec) -> tuple[object, ...]:
    """When it fires, without what the server writes out in more words than it was given."""
    parts = [
        tuple((each.start, max(each.start, each.end)) for each in ranges)
        for one in spec.calendars
        for ranges in (one.minute, one.hour, one.day_of_month, one.month)
    ]
    return (spec.time_zone_name, *parts)


def schedule_of(program: Program) -> Schedule:
    """Once a year, minutes after the new fiscal year has begun where the program is."""
    month, day = (int(part) for part in program.fiscal_year_start.split("-"))
    return Schedule(
        action=ScheduleActionStartWorkflow(
            TURN_TYPE,
            StartTurn(program_id=program.id),
            id=turn_id(program.id),
            task_queue=Queue.JOURNEY.value,
        ),
        spec=ScheduleSpec(
            calendars=[
                ScheduleCalendarSpec(
                    minute=[ScheduleRange(MINUTES_AFTER_MIDNIGHT)],
                    month=[ScheduleRange(month)],
                    day_of_month=[ScheduleRange(day)],
                    comment=f"the fiscal year of {program.id} begins",
                )
            ],
            time_zone_name=program.time_zone,
        ),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=CATCH_UP),
    )
