"""One trace through Temporal: client → workflow → activity, in a header of Cairn's own.

The workflow copies the header of its start to every activity, and does nothing else: no clock, no ids, no I/O, so
that a replay sees the same commands.
"""

import json
from collections.abc import Mapping
from typing import Any

import temporalio.activity
import temporalio.workflow
from temporalio.api.common.v1 import Payload
from temporalio.client import (
    Interceptor as ClientInterceptor,
)
from temporalio.client import (
    OutboundInterceptor,
    SignalWorkflowInput,
    StartWorkflowInput,
    StartWorkflowUpdateInput,
    WorkflowHandle,
    WorkflowUpdateHandle,
)
from temporalio.worker import (
    ActivityInboundInterceptor,
    ExecuteActivityInput,
    StartActivityInput,
    StartChildWorkflowInput,
    StartLocalActivityInput,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
)
from temporalio.worker import (
    Interceptor as WorkerInterceptor,
)

from kit.telemetry import TraceContext, continue_trace, current_trace, span

HEADER = "cairn-trace"

Carried = Mapping[str, Payload]


class TraceInterceptor(ClientInterceptor, WorkerInterceptor):
    """For client and workers alike: give it to the client, and its workers have it too."""

    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:
        return _Client(next)

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return _Activity(next)

    def workflow_interceptor_class(
        self, input: WorkflowInterceptorClassInput
    ) -> type[WorkflowInboundInterceptor] | None:
        return _WorkflowInbound


class _Client(OutboundInterceptor):
    async def start_workflow(self, input: StartWorkflowInput) -> WorkflowHandle[Any, Any]:
        with span(f"start {input.workflow}", "client"):
            input.headers = _with_trace(input.headers)
            return await super().start_workflow(input)

    async def signal_workflow(self, input: SignalWorkflowInput) -> None:
        with span(f"signal {input.signal}", "client"):
            input.headers = _with_trace(input.headers)
            await super().signal_workflow(input)

    async def start_workflow_update(self, input: StartWorkflowUpdateInput) -> WorkflowUpdateHandle[Any]:
        input.headers = _with_trace(input.headers)
        return await super().start_workflow_update(input)


class _Activity(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        info = temporalio.activity.info()
        came = _trace_in(input.headers)
        with (
            continue_trace(came.traceparent, came.correlation_id, info.activity_type),
            span(info.activity_type, "consumer", attempt=info.attempt, workflow_id=info.workflow_id or ""),
        ):
            return await super().execute_activity(input)


class _WorkflowInbound(WorkflowInboundInterceptor):
    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        super().init(_WorkflowOutbound(outbound))


class _WorkflowOutbound(WorkflowOutboundInterceptor):
    def start_activity(self, input: StartActivityInput) -> temporalio.workflow.ActivityHandle[Any]:
        input.headers = _onward(input.headers)
        return super().start_activity(input)

    def start_local_activity(self, input: StartLocalActivityInput) -> temporalio.workflow.ActivityHandle[Any]:
        input.headers = _onward(input.headers)
        return super().start_local_activity(input)

    async def start_child_workflow(
        self, input: StartChildWorkflowInput
    ) -> temporalio.workflow.ChildWorkflowHandle[Any, Any]:
        input.headers = _onward(input.headers)
        return await super().start_child_workflow(input)


def _onward(headers: Carried) -> Carried:
    started = temporalio.workflow.info().headers.get(HEADER)
    return headers if started is None else {**headers, HEADER: started}


def _with_trace(headers: Carried) -> Carried:
    trace = current_trace()
    if trace.traceparent is None and trace.correlation_id is None:
        return headers
    data = json.dumps([trace.traceparent, trace.correlation_id]).encode()
    return {**headers, HEADER: Payload(metadata={"encoding": b"json/plain"}, data=data)}


def _trace_in(headers: Carried) -> TraceContext:
    payload = headers.get(HEADER)
    if payload is None:
        return TraceContext()
    traceparent, correlation_id = json.loads(payload.data)
    return TraceContext(traceparent, correlation_id)
