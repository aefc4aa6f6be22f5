"""Temporal refuses: what somebody can mend is waited for, and only a fact's own fault buries it."""

from types import SimpleNamespace
from typing import Any

import pytest
from google.protobuf.any_pb2 import Any as Detail
from temporalio.api.common.v1 import GrpcStatus
from temporalio.api.errordetails.v1 import NamespaceNotFoundFailure, NotFoundFailure
from temporalio.client import Client
from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes
from temporalio.service import RPCError, RPCStatusCode

from contracts.errors import Unavailable
from contracts.events.applications import ApplicationSubmitted
from kit.clock import SystemClock
from kit.db import Database
from kit.temporal import answers, connect
from tests.workflows.fakes import FakeSteps
from tests.workflows.test_bridge import a_case, handled, late_of, received
from workflows import bridge as bridge_module
from workflows.bridge import Bridge
from workflows.desk import show_case
from workflows.settings import WorkflowsSettings

WAITED_FOR = [
    (status, "no")
    for status in RPCStatusCode
    if status not in {RPCStatusCode.OK, RPCStatusCode.INVALID_ARGUMENT, RPCStatusCode.NOT_FOUND}
]
NO_ATTRIBUTE = "Namespace cairn has no mapping defined for search attribute County"


def refusal(status: RPCStatusCode, message: str, *details: Any) -> RPCError:
    """As the client raises what the server answered."""
    packed = [Detail() for _ in details]
    for each, detail in zip(packed, details, strict=True):
        each.Pack(detail)
    return RPCError(message, status, GrpcStatus(code=status, message=message, details=packed).SerializeToString())


def refusing(error: RPCError) -> Bridge:
    """A bridge whose server answers every request with this refusal."""

    async def refuse(*arguments: Any, **options: Any) -> None:
        raise error

    handle = SimpleNamespace(signal=refuse)
    client: Any = SimpleNamespace(start_workflow=refuse, get_workflow_handle=lambda workflow: handle)
    return Bridge(client, SystemClock())


@pytest.fixture
async def elsewhere(real: WorkflowsSettings) -> Client:
    """A client of a namespace that is not there."""
    return await connect(real.model_copy(update={"temporal_namespace": "nowhere"}))


@pytest.mark.parametrize(
    ("status", "message"),
    [*WAITED_FOR, (RPCStatusCode.INVALID_ARGUMENT, NO_ATTRIBUTE), (RPCStatusCode.NOT_FOUND, "no detail")],
    ids=lambda part: part.name if isinstance(part, RPCStatusCode) else "",
)
async def test_whatever_is_not_the_facts_own_fault_is_waited_for(
    database: Database, steps: FakeSteps, status: RPCStatusCode, message: str
) -> None:
    case = a_case(steps)
    for fact in (case.submitted, case.settled()):
        with pytest.raises(Unavailable):
            await handled(refusing(refusal(status, message)), database, received(fact))
    assert await late_of(database, case.id) == []


async def test_a_fact_that_no_server_could_take_is_buried(database: Database, steps: FakeSteps) -> None:
    case = a_case(steps)
    for fact in (case.submitted, case.settled()):
        with pytest.raises(RPCError):
            await handled(
                refusing(refusal(RPCStatusCode.INVALID_ARGUMENT, "Blob data size exceeds limit.")),
                database,
                received(fact),
            )


async def test_a_missing_namespace_is_no_ended_case(
    elsewhere: Client, client: Client, real: WorkflowsSettings, database: Database, steps: FakeSteps
) -> None:
    case = a_case(steps)
    for fact in (case.submitted, case.settled()):
        with pytest.raises(Unavailable):
            await handled(Bridge(elsewhere, SystemClock()), database, received(fact))
    assert await late_of(database, case.id) == []
    with pytest.raises(Unavailable):
        await answers(elsewhere)()
    await answers(client)()
    with pytest.raises(Unavailable):
        await show_case(real.model_copy(update={"temporal_namespace": "nowhere"}), case.id)


async def test_a_missing_search_attribute_buries_nothing(
    client: Client, database: Database, steps: FakeSteps, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server's own words, so that a release that words it otherwise is noticed."""
    case = a_case(steps)

    def undeclared(submitted: ApplicationSubmitted) -> TypedSearchAttributes:
        return TypedSearchAttributes([SearchAttributePair(SearchAttributeKey.for_keyword("Nobodys"), "x")])

    with monkeypatch.context() as patched:
        patched.setattr(bridge_module, "at_start", undeclared)
        with pytest.raises(Unavailable):
            await handled(Bridge(client, SystemClock()), database, received(case.submitted))
    await handled(Bridge(client, SystemClock()), database, received(case.submitted))


def test_which_detail_says_that_a_case_is_over() -> None:
    over = refusal(RPCStatusCode.NOT_FOUND, "workflow execution already completed", NotFoundFailure())
    gone = refusal(RPCStatusCode.NOT_FOUND, "Namespace is not found", NamespaceNotFoundFailure(namespace="cairn"))
    assert bridge_module.case_is_over(over)
    assert not bridge_module.case_is_over(gone)
