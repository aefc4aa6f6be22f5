"""What staff do to a case from the command line: look at it, act on it."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from pydantic import BaseModel, ValidationError
from temporalio.client import (
    Client,
    WorkflowQueryFailedError,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError

from contracts.errors import NotFound, Refused, Unavailable
from contracts.ids import ApplicationId
from contracts.journey import (
    DETAILS_QUERY,
    UPDATE_ASSIGN,
    UPDATE_CLOSE,
    UPDATE_DECIDE,
    UPDATE_EXTEND,
    UPDATE_HOLD,
    UPDATE_RESUME,
    CaseView,
    StaffAssign,
    StaffClose,
    StaffDecide,
    StaffExtend,
    StaffHold,
    StaffResume,
    workflow_id,
)
from kit.settings import ProcessSettings
from kit.temporal import TemporalUnavailable, connect
from workflows.faults import case_is_over

ANSWER_WITHIN = timedelta(seconds=30)

ACTS: Mapping[str, type[BaseModel]] = {
    UPDATE_HOLD: StaffHold,
    UPDATE_RESUME: StaffResume,
    UPDATE_EXTEND: StaffExtend,
    UPDATE_DECIDE: StaffDecide,
    UPDATE_CLOSE: StaffClose,
    UPDATE_ASSIGN: StaffAssign,
}


class ActInvalid(Refused):
    """The act cannot be read: {why}."""

    code = "act_invalid"


class ActRejected(Refused):
    """{why}"""

    code = "act_rejected"

    def __init__(self, *, reason: str, why: str) -> None:
        super().__init__(why=why)
        self.reason = reason


class CaseNotAnswering(Unavailable):
    """No workflows process answers for this case just now."""

    code = "case_not_answering"


async def show_case(settings: ProcessSettings, application_id: str) -> dict[str, Any]:
    """Where the case stands, as `CaseView`; a closed case answers as long as Temporal keeps it."""
    handle = (await connect(settings)).get_workflow_handle(_workflow(application_id))
    try:
        view = await handle.query(DETAILS_QUERY, result_type=CaseView, rpc_timeout=ANSWER_WITHIN)
    except WorkflowQueryFailedError as error:
        raise CaseNotAnswering from error
    except RPCError as error:
        raise _fault(error) from error
    return view.model_dump(mode="json")


async def apply_update(
    settings: ProcessSettings, application_id: str, update: str, payload: Mapping[str, Any]
) -> dict[str, Any]:
    """Act on a case: the case afterwards. `ActRejected` says why the act is not possible now."""
    try:
        act = ACTS[update].model_validate(payload)
    except ValidationError as error:
        why = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise ActInvalid(why=why) from error
    return await _act(await connect(settings), _workflow(application_id), update, act)


async def _act(client: Client, workflow: str, update: str, act: BaseModel) -> dict[str, Any]:
    try:
        handle: Any = client.get_workflow_handle(workflow)
        view: CaseView = await handle.execute_update(update, act, result_type=CaseView, rpc_timeout=ANSWER_WITHIN)
    except WorkflowUpdateFailedError as error:
        cause = error.cause
        reason = cause.type if isinstance(cause, ApplicationError) and cause.type else "rejected"
        raise ActRejected(reason=reason, why=getattr(cause, "message", str(cause))) from error
    except WorkflowUpdateRPCTimeoutOrCancelledError as error:
        raise CaseNotAnswering from error
    except RPCError as error:
        raise _fault(error) from error
    return view.model_dump(mode="json")


def _workflow(application_id: str) -> str:
    try:
        return workflow_id(ApplicationId.parse(application_id))
    except ValueError as error:
        raise NotFound(kind="case") from error


def _fault(error: RPCError) -> Exception:
    return NotFound(kind="running case") if case_is_over(error) else TemporalUnavailable()
