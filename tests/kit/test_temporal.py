import json
import re
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from temporalio import activity
from temporalio.api.common.v1 import Payload
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import ActivityError, ApplicationError
from temporalio.worker import Replayer, Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from contracts.errors import Conflict, Refused, Unavailable
from contracts.steps import Queue, Step
from kit.crypto import Undecipherable
from kit.settings import ProcessSettings
from kit.telemetry import continue_trace, current_trace
from kit.temporal import (
    EncryptingCodec,
    StepsMismatch,
    TemporalUnavailable,
    answers,
    connect,
    converter,
    implements,
    service_worker,
)
from kit.temporal_trace import TraceInterceptor
from tests.kit.parcel_workflow import STAMP, WEIGH, ParcelWorkflow, Weigh, Weighed

SSN = "123-45-6789"
TRACE = "0af7651916cd43dd8448eb211c80319c"
KEY, OLD_KEY = bytes(range(32)), bytes(range(32, 64))


class ParcelTooHeavy(Refused):
    """The parcel weighs {grams} grams, more than anyone may carry."""

    code = "parcel_too_heavy"


class Scales:
    """Activities as a service has them: methods of an object that holds what they need."""

    def __init__(self) -> None:
        self.calls = 0

    @implements(WEIGH)
    async def weigh(self, asked: Weigh) -> Weighed:
        self.calls += 1
        attempt = activity.info().attempt
        match asked.mode:
            case "refuse":
                raise ParcelTooHeavy(grams=90_000)
            case "conflict":
                raise Conflict
            case "away once" if attempt == 1:
                raise Unavailable
            case "fault":
                raise ValueError(f"bad value {SSN}")
            case _:
                trace = current_trace()
                return Weighed(
                    grams=7,
                    traceparent=trace.traceparent,
                    correlation_id=trace.correlation_id,
                    causation_id=trace.causation_id,
                    attempt=attempt,
                )


@pytest.fixture
def settings(temporal_address: str, tmp_path: Path) -> ProcessSettings:
    (tmp_path / "payload.key").write_text(KEY.hex())
    return ProcessSettings(secrets_dir=tmp_path, temporal_address=temporal_address)


@pytest.fixture
async def client(settings: ProcessSettings) -> Client:
    return await connect(settings)


@pytest.fixture
async def scales(client: Client) -> AsyncIterator[Scales]:
    scales = Scales()
    runner = SandboxedWorkflowRunner(restrictions=SandboxRestrictions.default.with_passthrough_modules("contracts"))
    journeys = Worker(client, task_queue="parcels", workflows=[ParcelWorkflow], workflow_runner=runner)
    steps = service_worker(client, queue=Queue.PAYMENTS, steps=[WEIGH], activities=[scales.weigh])
    async with journeys, steps:
        yield scales


async def run(client: Client, *modes: str) -> list[Weighed]:
    handle = await client.start_workflow(
        ParcelWorkflow.run, [*modes, "stop"], id=f"parcel-{uuid.uuid4()}", task_queue="parcels"
    )
    return await handle.result()


@pytest.mark.usefixtures("scales")
async def test_one_trace_reaches_every_step_also_after_a_signal_of_another_trace(client: Client) -> None:
    with continue_trace(f"00-{TRACE}-b7ad6b7169203331-01", "request-1"):
        handle = await client.start_workflow(
            ParcelWorkflow.run, ["plain"], id=f"parcel-{uuid.uuid4()}", task_queue="parcels"
        )
    with continue_trace(f"00-{'1' * 32}-b7ad6b7169203331-01", "request-2"):
        await handle.signal(ParcelWorkflow.add, "away once")
        await handle.signal(ParcelWorkflow.add, "stop")
    first, second = await handle.result()
    for weighed in (first, second):
        assert weighed.traceparent is not None
        assert weighed.traceparent.split("-")[1] == TRACE
        assert weighed.correlation_id == "request-1"
        assert weighed.causation_id == WEIGH.name
    assert second.attempt == 2


@pytest.mark.usefixtures("scales")
async def test_without_a_trace_a_workflow_runs_all_the_same(client: Client) -> None:
    (weighed,) = await run(client, "plain")
    assert weighed.correlation_id is None


@pytest.mark.parametrize(("mode", "kind"), [("refuse", "parcel_too_heavy"), ("conflict", "conflict")])
async def test_refusals_and_conflicts_are_final(client: Client, scales: Scales, mode: str, kind: str) -> None:
    with pytest.raises(WorkflowFailureError) as failure:
        await run(client, mode)
    cause = cause_of(failure.value)
    assert (cause.type, cause.non_retryable) == (kind, True)
    assert scales.calls == 1


async def test_the_unexpected_is_retried_and_its_message_stays_here(client: Client, scales: Scales) -> None:
    with pytest.raises(WorkflowFailureError) as failure:
        await run(client, "fault")
    cause = cause_of(failure.value)
    assert (cause.type, cause.message, cause.non_retryable) == ("unexpected", "ValueError", False)
    assert scales.calls == 3


def cause_of(failure: WorkflowFailureError) -> ApplicationError:
    assert isinstance(failure.cause, ActivityError)
    assert isinstance(failure.cause.cause, ApplicationError)
    return failure.cause.cause


@pytest.mark.usefixtures("scales")
async def test_the_history_holds_no_value_in_the_clear_and_replays(client: Client) -> None:
    marker = f"secret-{uuid.uuid4()}"
    with continue_trace(f"00-{TRACE}-b7ad6b7169203331-01", "request-1"):
        handle = await client.start_workflow(
            ParcelWorkflow.run, ["plain", marker, "refuse"], id=f"parcel-{uuid.uuid4()}", task_queue="parcels"
        )
    with pytest.raises(WorkflowFailureError):
        await handle.result()
    history = await handle.fetch_history()
    text = json.dumps(history.to_json_dict())
    blob = b"".join(event.SerializeToString() for event in history.events)
    for told in (marker, "grams", "more than anyone"):
        assert told not in text
        assert told.encode() not in blob
    assert b"Encoded failure" in blob
    replayer = Replayer(workflows=[ParcelWorkflow], data_converter=converter(KEY), interceptors=[TraceInterceptor()])
    await replayer.replay_workflow(history)


async def test_a_worker_has_exactly_the_declared_steps(client: Client) -> None:
    elsewhere: Step[Any, Any] = Step("eligibility.weigh.v1", Queue.ELIGIBILITY, Weigh, Weighed)

    @implements(STAMP)
    async def stamp(asked: Weigh) -> Weighed:
        return Weighed(grams=0)

    with pytest.raises(StepsMismatch, match=r"payments\.stamp\.v1 has no implementation"):
        service_worker(client, queue=Queue.PAYMENTS, steps=[WEIGH, STAMP], activities=[Scales().weigh])
    with pytest.raises(StepsMismatch, match=r"payments\.stamp\.v1 is not declared"):
        service_worker(client, queue=Queue.PAYMENTS, steps=[WEIGH], activities=[Scales().weigh, stamp])
    with pytest.raises(StepsMismatch, match="belongs to cairn-eligibility"):
        service_worker(client, queue=Queue.PAYMENTS, steps=[elsewhere], activities=[])
    with pytest.raises(StepsMismatch, match="implemented twice"):
        service_worker(client, queue=Queue.PAYMENTS, steps=[STAMP], activities=[stamp, stamp])
    with pytest.raises(StepsMismatch, match="implements no step"):
        service_worker(client, queue=Queue.PAYMENTS, steps=[], activities=[run])


def test_an_implementation_has_the_types_of_its_step() -> None:
    async def wrong(asked: str) -> Weighed:
        return Weighed(grams=0)

    with pytest.raises(TypeError, match="must take one Weigh and return Weighed"):
        implements(WEIGH)(wrong)


async def test_payloads_are_opened_by_their_key_alone_and_clear_ones_pass() -> None:
    plain = Payload(metadata={"encoding": b"json/plain"}, data=b'"hello"')
    (sealed,) = await EncryptingCodec(OLD_KEY).encode([plain])
    assert b"hello" not in sealed.SerializeToString()
    assert await EncryptingCodec(KEY, OLD_KEY).decode([sealed, plain]) == [plain, plain]
    with pytest.raises(Undecipherable):
        await EncryptingCodec(KEY).decode([sealed])


async def test_a_server_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "payload.key").write_text(KEY.hex())
    settings = ProcessSettings(secrets_dir=tmp_path, temporal_address="127.0.0.1:1")
    with pytest.raises(TemporalUnavailable):
        await connect(settings, wait_seconds=0.0)


async def test_a_process_is_ready_only_while_temporal_answers(client: Client) -> None:
    await answers(client)()
    gone = await Client.connect("127.0.0.1:1", lazy=True)
    with pytest.raises(TemporalUnavailable):
        await answers(gone)()


@pytest.mark.parametrize("process", ["services/applications", "services/eligibility", "services/payments", "workflows"])
def test_every_process_with_a_worker_asks_whether_temporal_answers(process: str) -> None:
    wiring = (Path(__file__).parents[2] / process / "main.py").read_text()
    assert re.search(r'life\.ready_when\("temporal", (temporal\.)?answers\(client\)\)', wiring)


def test_one_cache_of_type_adapters_serves_every_workflow() -> None:
    made = [converter(KEY).payload_converter_class() for _ in range(2)]
    (payload,) = made[0].to_payloads([{"a": 1}])
    assert [each.from_payloads([payload], [dict[str, int]]) for each in made] == [[{"a": 1}], [{"a": 1}]]
    adapters: list[Any] = [vars(each)["converters"][b"json/plain"]._type_adapter for each in made]
    assert adapters[0] is adapters[1]
    assert adapters[0].cache_info().hits > 0
