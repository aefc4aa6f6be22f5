"""What the finance office starts from the command line: the close of a fiscal year."""

from pydantic import ValidationError
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.service import RPCError

from contracts.fiscal_year import CLOSE_TYPE, StartClose, close_id
from contracts.steps import Queue
from kit.settings import ProcessSettings
from kit.temporal import TemporalUnavailable, connect
from workflows.desk import ActInvalid


async def begin_close(settings: ProcessSettings, program_id: str, fiscal_year: int) -> str:
    """Start the close of a year, or find the one that runs; the workflow's id. A finished one is run again."""
    try:
        start = StartClose(program_id=program_id, fiscal_year=fiscal_year)
    except ValidationError as error:
        why = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise ActInvalid(why=why) from error
    name = close_id(program_id, fiscal_year)
    client = await connect(settings)
    try:
        await client.start_workflow(
            CLOSE_TYPE,
            start,
            id=name,
            task_queue=Queue.JOURNEY.value,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            static_summary=f"close of {program_id} {fiscal_year}",
        )
    except RPCError as error:
        raise TemporalUnavailable from error
    return name
