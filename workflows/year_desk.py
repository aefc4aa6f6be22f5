"""What the finance office does from the command line: close a fiscal year, look at its close, agree to it, amend it."""

from datetime import timedelta
from typing import Any

from pydantic import BaseModel, ValidationError
from temporalio.client import (
    Client,
    WorkflowHandle,
    WorkflowQueryFailedError,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from contracts.errors import NotFound
from contracts.fiscal_year import (
    CLOSE_TYPE,
    STATUS_QUERY,
    UPDATE_AMEND,
    UPDATE_APPROVE,
    AmendClose,
    ApproveClose,
    CloseView,
    StartClose,
    close_id,
)
from contracts.steps import Queue
from kit.settings import ProcessSettings
from kit.temporal import TemporalUnavailable, connect
from workflows.desk import ActInvalid, ActRejected, CaseNotAnswering

ANSWER_WITHIN = timedelta(seconds=30)


async def begin_close(settings: ProcessSettings, program_id: str, fiscal_year: int) -> str:
    """Start the close of a year, or find the one that runs; the workflow's id. A finished one is run again."""
    start = _read(StartClose, {"program_id": program_id, "fiscal_year": fiscal_year})
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


async def show_close(settings: ProcessSettings, program_id: str, fiscal_year: int) -> dict[str, Any]:
    """Where the close of the year stands, as `CloseView`; `NotFound` where none was started."""
    handle = _close(await connect(settings), program_id, fiscal_year)
    try:
        view = await handle.query(STATUS_QUERY, result_type=CloseView, rpc_timeout=ANSWER_WITHIN)
    except WorkflowQueryFailedError as error:
        raise CaseNotAnswering from error
    except RPCError as error:
        raise _fault(error) from error
    return view.model_dump(mode="json")


async def approve_close(
    settings: ProcessSettings, program_id: str, fiscal_year: int, *, actor: str, digest: str, note: str
) -> dict[str, Any]:
    """Agree to the list with this digest, as one of two people; the close afterwards."""
    act = _read(ApproveClose, {"actor": actor, "digest": digest, "note": note})
    return await _tell(settings, program_id, fiscal_year, UPDATE_APPROVE, act)


async def amend_close(
    settings: ProcessSettings,
    program_id: str,
    fiscal_year: int,
    *,
    actor: str,
    encumbrance: str,
    disposition: str,
    reason: str,
) -> dict[str, Any]:
    """Carry what was to lapse, or the other way round; the close afterwards."""
    values = {"actor": actor, "encumbrance": encumbrance, "disposition": disposition, "reason": reason}
    return await _tell(settings, program_id, fiscal_year, UPDATE_AMEND, _read(AmendClose, values))


async def _tell(
    settings: ProcessSettings, program_id: str, fiscal_year: int, update: str, act: BaseModel
) -> dict[str, Any]:
    handle: Any = _close(await connect(settings), program_id, fiscal_year)
    try:
        view: CloseView = await handle.execute_update(update, act, result_type=CloseView, rpc_timeout=ANSWER_WITHIN)
    except WorkflowUpdateFailedError as error:
        cause = error.cause
        reason = cause.type if isinstance(cause, ApplicationError) and cause.type else "rejected"
        raise ActRejected(reason=reason, why=getattr(cause, "message", str(cause))) from error
    except WorkflowUpdateRPCTimeoutOrCancelledError as error:
        raise CaseNotAnswering from error
    except RPCError as error:
        raise _fault(error) from error
    return view.model_dump(mode="json")


def _close(client: Client, program_id: str, fiscal_year: int) -> WorkflowHandle[Any, Any]:
    return client.get_workflow_handle(close_id(program_id, fiscal_year))


def _read(kind: type[BaseModel], values: dict[str, Any]) -> BaseModel:
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        why = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise ActInvalid(why=why) from error


def _fault(error: RPCError) -> Exception:
    return NotFound(kind="close") if error.status is RPCStatusCode.NOT_FOUND else TemporalUnavailable()
