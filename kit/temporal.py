"""Temporal: an encrypting client, steps as activities, and the trace from one to the other."""

import asyncio
import functools
import hashlib
import os
import socket
import time
import typing
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import temporalio.activity
from google.protobuf.message import DecodeError
from temporalio.api.common.v1 import Payload
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.contrib.pydantic import PydanticPayloadConverter
from temporalio.converter import (
    CompositePayloadConverter,
    DataConverter,
    DefaultFailureConverterWithEncodedAttributes,
    PayloadCodec,
)
from temporalio.exceptions import ApplicationError
from temporalio.service import GrpcCompression, RPCError
from temporalio.worker import Worker

from contracts.errors import CairnError, Unavailable
from contracts.steps import Queue, Step, StepOutput, StepRequest
from kit.crypto import decrypt, encrypt
from kit.telemetry import logger
from kit.temporal_trace import TraceInterceptor

if TYPE_CHECKING:
    from kit.settings import ProcessSettings

ENCRYPTED = b"binary/encrypted"
KEY_ID = "encryption-key-id"
_CONTEXT = "temporal|payload"
UNEXPECTED = "unexpected"
"""The type of a failure that no named error explains: a fault of ours, worth retrying after a repair."""

STEPS_AT_ONCE_MAX = 20
GRACEFUL_STOP = timedelta(seconds=10)
ANSWER_SECONDS_MAX = timedelta(seconds=2)
_log = logger(__name__)

I = TypeVar("I", bound=StepRequest)  # noqa: E741
O = TypeVar("O", bound=StepOutput)  # noqa: E741


class TemporalUnavailable(Unavailable):
    """Temporal does not answer just now."""

    code = "temporal_unavailable"


class StepsMismatch(RuntimeError):
    """A worker's activities are not exactly the steps its queue declares."""


_PYDANTIC = PydanticPayloadConverter()


class PayloadsOfTheProcess(CompositePayloadConverter):
    """Pydantic in and out, with one cache of type adapters for the whole process.

    Temporal makes a converter for every workflow it runs; adapters kept in each would cost more than the workflow.
    """

    def __init__(self) -> None:
        super().__init__(*_PYDANTIC.converters.values())


class EncryptingCodec(PayloadCodec):
    """Payloads as AES-256-GCM; what arrives in the clear (typed by staff in the UI) is read as it is.

    `keys[0]` encrypts; the others still decrypt what is in running histories.
    """

    def __init__(self, *keys: bytes) -> None:
        self._keys = {_id_of(key): key for key in keys}
        self._current = _id_of(keys[0])

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Each payload, metadata included, inside an encrypted one."""
        key = self._keys[self._current]
        metadata = {"encoding": ENCRYPTED, KEY_ID: self._current}
        return [
            Payload(metadata=metadata, data=encrypt(key, payload.SerializeToString(), context=_CONTEXT))
            for payload in payloads
        ]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """What `encode` made; `Undecipherable` under a key that is not here."""
        return [self._decode(payload) for payload in payloads]

    def _decode(self, payload: Payload) -> Payload:
        if payload.metadata.get("encoding") != ENCRYPTED:
            return payload
        key = self._keys.get(payload.metadata.get(KEY_ID, b""))
        plain = decrypt({1: key} if key else {}, payload.data, context=_CONTEXT)
        try:
            return Payload.FromString(plain)
        except DecodeError as error:
            raise ValueError("a decrypted payload is not a payload") from error


def converter(*keys: bytes) -> DataConverter:
    """Pydantic in and out, encrypted, failures too."""
    return DataConverter(
        payload_converter_class=PayloadsOfTheProcess,
        payload_codec=EncryptingCodec(*keys),
        failure_converter_class=DefaultFailureConverterWithEncodedAttributes,
    )


async def connect(settings: "ProcessSettings", *, wait_seconds: float = 15.0) -> Client:
    """A client that encrypts and carries the trace, waiting at most `wait_seconds` for a server that is coming up."""
    limit = time.monotonic() + wait_seconds
    while True:
        try:
            return await Client.connect(
                settings.temporal_address,
                namespace=settings.temporal_namespace,
                data_converter=converter(settings.secret("payload.key")),
                interceptors=[TraceInterceptor()],
                grpc_compression=GrpcCompression.NONE,
                identity=f"{os.getpid()}@{socket.gethostname()}",
            )
        except (RuntimeError, RPCError) as error:
            if time.monotonic() >= limit:
                raise TemporalUnavailable from error
            await asyncio.sleep(0.2)


def answers(client: Client) -> Callable[[], Awaitable[None]]:
    """A check of readiness: raises `TemporalUnavailable` unless the server answers for the client's own namespace."""
    asked = DescribeNamespaceRequest(namespace=client.namespace)

    async def check() -> None:
        try:
            await client.workflow_service.describe_namespace(asked, timeout=ANSWER_SECONDS_MAX)
        except (RuntimeError, RPCError) as error:
            raise TemporalUnavailable from error

    return check


def implements(step: Step[I, O]) -> Callable[[Callable[..., Awaitable[O]]], Callable[..., Awaitable[O]]]:
    """Make a function or method the implementation of `step`: its name, its types, its errors as failures.

    `Refused` and `Conflict` are final; `Unavailable` and the unexpected are retried as the caller's policy says.
    """

    def decorate(function: Callable[..., Awaitable[O]]) -> Callable[..., Awaitable[O]]:
        _check_types(step, function)

        @functools.wraps(function)
        async def run(*arguments: Any) -> O:
            try:
                return await function(*arguments)
            except CairnError as error:
                final = not isinstance(error, Unavailable)
                raise ApplicationError(str(error), type=error.code, non_retryable=final) from None
            except ApplicationError:
                raise
            except Exception as error:
                _log.exception("step.failed", step=step.name)
                # The message stays out of the history: drivers and validators quote the value they refuse.
                raise ApplicationError(type(error).__name__, type=UNEXPECTED) from None

        return temporalio.activity.defn(name=step.name)(run)

    return decorate


def service_worker(
    client: Client,
    *,
    queue: Queue,
    steps: Sequence[Step[Any, Any]],
    activities: Sequence[Callable[..., Any]],
    at_once_max: int = STEPS_AT_ONCE_MAX,
) -> Worker:
    """A worker for a service's queue; `StepsMismatch` unless `activities` are exactly its declared `steps`."""
    _check_steps(queue, steps, activities)
    return Worker(
        client,
        task_queue=queue.value,
        activities=activities,
        max_concurrent_activities=at_once_max,
        graceful_shutdown_timeout=GRACEFUL_STOP,
    )


def _check_steps(queue: Queue, steps: Iterable[Step[Any, Any]], activities: Iterable[Callable[..., Any]]) -> None:
    declared: Mapping[str, Queue] = {step.name: step.queue for step in steps}
    implemented = [_activity_name(activity) for activity in activities]
    faults = [f"{name} belongs to {other}" for name, other in declared.items() if other is not queue]
    faults += [f"{name} has no implementation" for name in sorted(declared.keys() - set(implemented))]
    faults += [f"{name} is not declared" for name in sorted(set(implemented) - declared.keys())]
    faults += [f"{name} is implemented twice" for name in sorted({n for n in implemented if implemented.count(n) > 1})]
    if faults:
        raise StepsMismatch(f"{queue}: " + "; ".join(faults))


def _activity_name(activity: Callable[..., Any]) -> str:
    # Temporal keeps the definition on the function; a bound method shows its function's attributes.
    definition = getattr(activity, "__temporal_activity_definition", None)
    if definition is None:
        raise StepsMismatch(f"{activity} implements no step")
    return str(definition.name)


def _check_types(step: Step[Any, Any], function: Callable[..., Any]) -> None:
    hints = typing.get_type_hints(function)
    answer = hints.pop("return", None)
    if list(hints.values()) != [step.input] or answer is not step.output:
        takes = f"take one {step.input.__name__} and return {step.output.__name__}"
        raise TypeError(f"{function.__qualname__} implements {step.name}: it must {takes}")


def _id_of(key: bytes) -> bytes:
    return hashlib.sha256(key).hexdigest()[:12].encode()
