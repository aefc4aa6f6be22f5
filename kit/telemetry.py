"""Logs, traces and metrics of one process: JSON lines without personal values, W3C trace context, Prometheus.

The trace and the correlation id of the work at hand are context variables: they follow `await`, and doors set them.
"""

import json
import logging
import os
import re
import sys
import traceback
from collections.abc import Callable, Generator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TextIO, cast

import structlog
from opentelemetry import context as otel_context
from opentelemetry import trace as otel
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, SpanKind, StatusCode, TraceFlags

from contracts.errors import CairnError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan, TracerProvider

    from kit.settings import ProcessSettings

TRACEPARENT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})")
"""Version 00 of the W3C recommendation; any other version is not continued."""

MASK = "[masked]"
LOG_TEXT_CHARS_MAX = 4096
FRAMES_MAX = 30
_MASKED_WORDS = frozenset({
    "address", "apikey", "authorization", "bank", "birth", "birthdate", "birthday", "cipher", "city", "cookie",
    "credential", "dob", "email", "firstname", "fullname", "givenname", "iban", "lastname", "mail", "passphrase",
    "password", "passwd", "payload", "phone", "plaintext", "postal", "routing", "secret", "signature", "ssn", "street",
    "surname", "taxid", "tin", "token", "zip",
})  # fmt: skip
_MASKED_NAMES = frozenset({
    "account_number", "api_key", "clear_code", "date_of_birth", "display_name", "exam_code", "family_name",
    "first_name", "full_name", "given_name", "last_name", "middle_name", "private_key", "social_security_number",
    "voucher_code",
})  # fmt: skip
_UNMASKED_ENDINGS = ("_id", "_ids", "_cents", "_count", "_bytes", "_ms", "_seconds", "_type", "_name")
_MASKED_VALUES = re.compile(
    r"[\w.+%'-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+"  # e-mail
    r"|(?<!\d)\d{3}[- ]\d{2}[- ]\d{4}(?!\d)|(?<![\w-])\d{9}(?![\w-])"  # social security number
    r"|\bcairn_[0-9a-z]{4,}_[0-9a-z_]{8,}|\bwhs(?:ec|k)_[A-Za-z0-9+/=_-]{8,}"  # API key, webhook secrets
    r"|\beyJ[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"  # token, user in a URL
    r"|(?i:\b(?:bearer|basic)\s+[A-Za-z0-9+/=._~-]{8,})"
)
# Cheap, and true of everything above: most texts are let through by it.
_SUSPECT = re.compile(r"@|\d[\d -]{8}|cairn_|whs|eyJ|(?i:bearer|basic)")

_correlation: ContextVar[str | None] = ContextVar("cairn_correlation_id", default=None)
_causation: ContextVar[str | None] = ContextVar("cairn_causation_id", default=None)


_SPAN_KINDS = {kind.name.lower(): kind for kind in SpanKind}


@dataclass(frozen=True, slots=True)
class TraceContext:
    """Where the work at hand stands: `traceparent` as W3C writes it, and Cairn's own two ids."""

    traceparent: str | None = None
    correlation_id: str | None = None
    causation_id: str | None = None


def current_trace() -> TraceContext:
    """What a fact, a step or a request made now must carry on."""
    found = otel.get_current_span().get_span_context()
    traceparent = None
    if found.is_valid:
        traceparent = f"00-{found.trace_id:032x}-{found.span_id:016x}-{found.trace_flags:02x}"
    return TraceContext(traceparent, _correlation.get(), _causation.get())


@contextmanager
def continue_trace(
    traceparent: str | None, correlation_id: str | None = None, causation_id: str | None = None
) -> Generator[None, None, None]:
    """Take up the trace that came in; without a valid `traceparent` the next span begins a new trace."""
    found = TRACEPARENT.fullmatch(traceparent or "")
    remote = otel.INVALID_SPAN
    if found is not None:
        flags = TraceFlags(int(found[3], 16))
        remote = NonRecordingSpan(SpanContext(int(found[1], 16), int(found[2], 16), is_remote=True, trace_flags=flags))
    token = otel_context.attach(otel.set_span_in_context(remote, otel_context.Context()))
    correlation = _correlation.set(correlation_id)
    causation = _causation.set(causation_id)
    try:
        yield
    finally:
        _causation.reset(causation)
        _correlation.reset(correlation)
        otel_context.detach(token)


@contextmanager
def span(
    name: str,
    kind: Literal["internal", "server", "client", "producer", "consumer"] = "internal",
    **attributes: str | int | float | bool,
) -> Generator[Span, None, None]:
    """A span around the block. An error is recorded by its type alone: its message may quote what came in."""
    current = _tracer().start_span(name, kind=_SPAN_KINDS[kind], attributes=attributes)
    token = otel_context.attach(otel.set_span_in_context(current))
    try:
        yield current
    except Exception as error:
        current.set_status(StatusCode.ERROR, type(error).__name__)
        raise
    finally:
        otel_context.detach(token)
        current.end()


def _tracer() -> otel.Tracer:
    return _tracer_of(otel.get_tracer_provider())


@lru_cache(maxsize=2)
def _tracer_of(provider: otel.TracerProvider) -> otel.Tracer:
    return provider.get_tracer("cairn")


def logger(name: str) -> Any:
    """The structured logger of a module: `log.info("relay.started", shards=8)`."""
    return structlog.get_logger(module=name)


def configure(process: str, settings: "ProcessSettings") -> None:
    """Once at the start of a process: logs to stdout, the tracer, and the export of its spans."""
    own: list[Any] = [describe_error, redact_event, _stamper(process), structlog.processors.add_log_level]
    render = structlog.processors.JSONRenderer(_as_json)
    structlog.configure(
        processors=[*own, render],
        logger_factory=structlog.WriteLoggerFactory(cast("TextIO", _Stdout())),
        wrapper_class=structlog.make_filtering_bound_logger(settings.log_level),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    remove_own = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=[_add_module], processors=[remove_own, *own, render])
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level)
    # These write one line per request or per poll, some with addresses and payloads in it.
    for chatty in ("uvicorn.access", "httpx", "httpcore", "aiokafka", "asyncio", "temporalio.activity"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    _set_tracer(process, settings)


def shutdown() -> None:
    """Export the spans that still wait. The process may be ended by `os._exit` afterwards."""
    flush = getattr(otel.get_tracer_provider(), "shutdown", None)
    if flush is not None:
        flush()
    logging.shutdown()


def metrics_page() -> tuple[bytes, str]:
    """The body and content type of `/metrics`: what was registered with `prometheus_client`'s own registry."""
    from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, REGISTRY, generate_latest

    return generate_latest(REGISTRY), CONTENT_TYPE_PLAIN_0_0_4


def redact(text: str) -> str:
    """`text` without anything that looks like an e-mail address, a social security number or a key."""
    text = text[:LOG_TEXT_CHARS_MAX]
    return _MASKED_VALUES.sub(MASK, text) if _SUSPECT.search(text) else text


def redact_event(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A log event whose personal fields are masked, by name and by what their values look like."""
    return {name: _redacted(name, value) for name, value in event.items()}


def describe_error(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """`exc_info` as type, code and frames. Messages stay out: drivers and validators quote the value they refuse."""
    info: Any = event.pop("exc_info", None)
    if info is True:
        info = sys.exc_info()
    error: Any = cast("tuple[Any, ...]", info)[1] if isinstance(info, tuple) else info
    if not isinstance(error, BaseException):
        return event
    chain: list[str] = []
    cause: BaseException | None = error
    while cause is not None and len(chain) < 5:
        named = f"{type(cause).__module__}.{type(cause).__qualname__}"
        chain.append(f"{named} [{cause.code}] {cause}" if isinstance(cause, CairnError) else named)
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    frames = traceback.extract_tb(error.__traceback__)[-FRAMES_MAX:]
    event["error"] = chain
    event["frames"] = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
    return event


def _redacted(name: str, value: Any) -> Any:
    if _is_personal(name):
        return MASK
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return {str(key): _redacted(str(key), inner) for key, inner in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    if isinstance(value, list | tuple | set | frozenset):
        return [_redacted("", inner) for inner in value]  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    return value


def _type_name(value: object) -> str:
    return type(value).__name__


_encode = json.JSONEncoder(default=_type_name).encode
_encode_span = json.JSONEncoder(separators=(",", ":")).encode


def _as_json(event: object, **_: Any) -> str:
    return _encode(event)


@lru_cache(maxsize=4096)
def _is_personal(name: str) -> bool:
    lowered = name.lower()
    if lowered in _MASKED_NAMES:
        return True
    return not lowered.endswith(_UNMASKED_ENDINGS) and not _MASKED_WORDS.isdisjoint(re.split(r"[^a-z0-9]+", lowered))


class _Stdout:
    """Whoever read the log may be gone: the work that wanted to log goes on."""

    def write(self, line: str) -> None:
        try:
            sys.stdout.write(line)
        except (OSError, ValueError):
            return

    def flush(self) -> None:
        try:
            sys.stdout.flush()
        except (OSError, ValueError):
            return


def _add_module(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    event["module"] = event["_record"].name
    return event


def _stamper(process: str) -> Callable[[Any, str, MutableMapping[str, Any]], MutableMapping[str, Any]]:
    def stamp(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        found = otel.get_current_span().get_span_context()
        event["at"] = datetime.now(UTC).isoformat()
        event["process"] = process
        if found.is_valid:
            event["trace_id"] = f"{found.trace_id:032x}"
        correlation_id = _correlation.get()
        if correlation_id is not None:
            event.setdefault("correlation_id", correlation_id)
        return event

    return stamp


def _set_tracer(process: str, settings: "ProcessSettings") -> None:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(
        resource=Resource({"service.name": f"cairn-{process}", "service.namespace": "cairn"}), shutdown_on_exit=False
    )
    if settings.traces_file is not None:
        provider.add_span_processor(BatchSpanProcessor(_file_exporter(settings.traces_file)))
    if settings.otel_exporter_otlp_endpoint is not None:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        endpoint = settings.otel_exporter_otlp_endpoint.rstrip("/") + "/v1/traces"
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
    _install(provider)


def _install(provider: "TracerProvider") -> None:
    installed = otel.get_tracer_provider()
    if hasattr(installed, "shutdown"):
        raise RuntimeError("telemetry is configured once per process")
    otel.set_tracer_provider(provider)


def _file_exporter(path: Path) -> Any:
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

    class LinesExporter(SpanExporter):
        """One JSON object per span and line, a batch of them in one write: several processes may share the file."""

        def __init__(self) -> None:
            self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

        def export(self, spans: "Sequence[ReadableSpan]") -> SpanExportResult:
            lines = (_encode_span(span_line(one)) + "\n" for one in spans)
            os.write(self._file, "".join(lines).encode())
            return SpanExportResult.SUCCESS

        def shutdown(self) -> None:
            os.close(self._file)

    return LinesExporter()


def span_line(one: "ReadableSpan") -> dict[str, Any]:
    """A finished span as the traces file holds it; times in Unix nanoseconds."""
    context = one.get_span_context()
    return {
        "trace_id": f"{context.trace_id:032x}" if context else None,
        "span_id": f"{context.span_id:016x}" if context else None,
        "parent_id": f"{one.parent.span_id:016x}" if one.parent else None,
        "name": one.name,
        "kind": one.kind.name.lower(),
        "process": one.resource.attributes.get("service.name"),
        "start_ns": one.start_time,
        "end_ns": one.end_time,
        "status": one.status.status_code.name.lower(),
        "error": one.status.description,
        "attributes": {name: redact(str(value)) for name, value in (one.attributes or {}).items()},
    }
