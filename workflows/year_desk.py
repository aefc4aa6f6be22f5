"""What the finance office starts from the command line: the close of a fiscal year, and the look at which are over."""

from pydantic import ValidationError
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.service import RPCError

from contracts.fiscal_year import CLOSE_TYPE, TURN_TYPE, StartClose, StartTurn, close_id, turn_id
from contracts.steps import Queue
from kit.settings import ProcessSettings
from kit.temporal import TemporalUnavailable, connect
from workflows.desk import ActInvalid


async def begin_close(settings: ProcessSettings, program_id: str, fiscal_year: int) -> str:
    """Start the close of a year, or find the one that runs; the workflow's id. A finished one is run again."""
    try:
        start = StartClose(program_id=program_id, fiscal_year=fiscal_year)
    except ValidationError as error:
        raise _unreadable(error) from error
    name = close_id(program_id, fiscal_year)
    return await _begin(settings, CLOSE_TYPE, start, name, f"close of {program_id} {fiscal_year}")


async def begin_turn(settings: ProcessSettings, program_id: str) -> str:
    """Look now for years that are over, as the schedule does on a year's first day; the workflow's id.

    May be asked at any time, also after a turn that failed: a close that runs goes on as it is.
    """
    try:
        start = StartTurn(program_id=program_id)
    except ValidationError as error:
        raise _unreadable(error) from error
    return await _begin(settings, TURN_TYPE, start, turn_id(program_id), f"turn of the fiscal year of {program_id}")


async def _begin(settings: ProcessSettings, kind: str, start: StartClose | StartTurn, name: str, summary: str) -> str:
    client = await connect(settings)
    try:
        await client.start_workflow(
            kind,
            start,
            id=name,
            task_queue=Queue.JOURNEY.value,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            static_summary=summary,
        )
    except RPCError as error:
        raise TemporalUnavailable from error
    return name


def _unreadable(error: ValidationError) -> ActInvalid:
    why = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
    return ActInvalid(why=why)
