"""The HTTP door that every service shares: who calls, one request id and trace, limits, and problem documents."""

import asyncio
import re
import socket
import time
from collections.abc import Awaitable, Callable, Collection, Coroutine, Sequence
from contextlib import contextmanager
from inspect import signature
from typing import Annotated, Any, Literal

import uvicorn
from fastapi import APIRouter, FastAPI, Header, Request, Response
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts
from fastapi.security import HTTPBearer
from fastapi.security.base import SecurityBase
from prometheus_client import Histogram
from pydantic import BaseModel, ConfigDict
from starlette.datastructures import Headers
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from contracts.errors import Forbidden, Refused
from contracts.ids import uuid7
from kit.access import Access, Kind, Principal, Unauthenticated
from kit.idempotency import KEY_FORM, Answer, Once, once_of
from kit.problems import MEDIA_TYPE, describe_problems, handle_problems, plain_problem
from kit.rates import RateLimit, Rates
from kit.telemetry import continue_trace, logger, redact, span

BODY_BYTES_MAX = 64 * 1024
BODY_SECONDS_MAX = 20.0
STOP_SECONDS_MAX = 10
JSON = "application/json"
_REQUEST_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{7,99}")
_SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
_HSTS = "max-age=63072000; includeSubDomains"
_log = logger(__name__)
_seconds = Histogram("cairn_http_request_seconds", "Time to answer", ["method", "route", "status"])


class RequestBody(BaseModel):
    """What a caller may send: unknown fields are refused, not ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class QueryUnknown(Refused):
    """This address does not know that query parameter."""

    code = "query_parameter_unknown"


class ScopeMissing(Forbidden):
    """This API key does not allow {scope}."""

    code = "scope_missing"


def create_app(
    title: str,
    version: str,
    routers: Sequence[APIRouter],
    *,
    description: str = "",
    body_bytes_max: int = BODY_BYTES_MAX,
    content_types: Collection[str] = (JSON,),
    rate_limit: RateLimit | None = None,
    https: bool = False,
) -> FastAPI:
    """An application of these routers. `https`: callers reach it over TLS only, and browsers shall remember that."""
    app = FastAPI(
        title=title,
        version=version,
        description=description,
        openapi_url="/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        # Its own spans would hold path and query as they were sent.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.rates = Rates(rate_limit or RateLimit())
    for router in routers:
        app.include_router(router)
    # In one list: a router in a router in a router looks for the route at each of its levels anew.
    app.router.routes[:] = [_door_of(found, app) for found in iter_route_contexts(app.router.routes)]
    handle_problems(app)
    app.add_middleware(_Chassis, body_bytes_max=body_bytes_max, content_types=frozenset(content_types), https=https)

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = describe_problems(
                get_openapi(
                    title=app.title,
                    version=app.version,
                    openapi_version="3.1.0",
                    description=app.description,
                    routes=app.routes,
                    webhooks=app.webhooks.routes,
                )
            )
        return app.openapi_schema

    setattr(app, "openapi", openapi)  # noqa: B010
    return app


class _Door(APIRoute):
    """One operation. It refuses a query parameter it does not know: a misspelled filter must not answer everything."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        self._begins = path.partition("{")[0]

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if not scope["path"].startswith(self._begins) and not scope.get("root_path"):
            return Match.NONE, {}
        return super().matches(scope)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle, known = super().get_route_handler(), _query_of(self.dependant)

        async def handle_known(request: Request) -> Response:
            if request.scope["query_string"]:
                for name in request.query_params:
                    if name not in known:
                        shown = name if name.isidentifier() and redact(name) == name else "_"
                        raise QueryUnknown(pointer=f"/query/{shown}")
            return await handle(request)

        return handle_known


_OPTIONS = frozenset(signature(APIRoute).parameters) - {"path", "endpoint", "form_limits"}


def _door_of(found: RouteContext, app: FastAPI) -> BaseRoute:
    """The operation as its routers made it together, with the whole path."""
    if not isinstance(found.original_route, APIRoute):
        return found.route
    options = {name: getattr(found, name) for name in _OPTIONS} | {"dependency_overrides_provider": app}
    assert found.path is not None
    assert found.endpoint is not None
    return _Door(found.path, found.endpoint, **options)


def _query_of(dependant: Any) -> set[str]:
    """The query parameters of an operation and of everything it depends on."""
    return {field.alias for field in dependant.query_params}.union(*map(_query_of, dependant.dependencies))


class Caller(HTTPBearer):
    """Lets callers of some kinds with a scope in, within their rate; asked twice in a request, it answers the same."""

    def __init__(self, access: Access, kinds: frozenset[str], scope: str) -> None:
        super().__init__(
            scheme_name="ApiKey",
            bearerFormat="cairn_<prefix>_<secret>_<checksum>",
            description="An API key issued by the program's staff.",
            auto_error=False,
        )
        self._access, self.kinds, self.scope = access, kinds, scope

    async def __call__(self, request: Request) -> Principal:  # pyright: ignore[reportIncompatibleMethodOverride]
        state: dict[str, Any] = request.scope["state"]
        by, found = state.get("let_in", (None, None))
        if by is self:
            return found
        rates: Rates = request.app.state.rates
        address = f"address/{request.client.host if request.client else ''}"
        try:
            # An address that sent too many keys nobody has may not have the database asked about another; who is known
            # from there goes on.
            found = await self._access.principal_for(
                request.headers.get("authorization"), before_asking=lambda: rates.look(address)
            )
        except Unauthenticated:
            rates.take(address)
            raise
        state["principal"] = found.name
        state["allowance"] = rates.take(found.name)
        if found.kind not in self.kinds or self.scope not in found.scopes:
            raise ScopeMissing(scope=self.scope)
        state["let_in"] = self, found
        return found


def require(access: Access, kind: Kind | Collection[Kind], scope: str) -> Caller:
    """A dependency that lets callers of this kind with this scope in, within their rate: `Depends(require(…))`."""
    return Caller(access, frozenset((kind,) if isinstance(kind, str) else kind), scope)


class _OnceOf(SecurityBase):
    """Asks the caller itself and is described as one: a dependency below another would cost every request."""

    def __init__(self, required: Caller) -> None:
        self.required, self.model, self.scheme_name = required, required.model, required.scheme_name

    async def __call__(
        self,
        request: Request,
        key: Annotated[
            str,
            Header(
                alias="Idempotency-Key",
                pattern=KEY_FORM,
                description="1 to 128 visible ASCII characters, new for each new request; the same for its repeats.",
            ),
        ],
    ) -> Once:
        principal = await self.required(request)
        body = await request.body()
        return once_of(principal=principal.name, key=key, method=request.method, path=request.scope["path"], body=body)


def once_from(required: Caller) -> Callable[[Request, str], Awaitable[Once]]:
    """A dependency that reads the Idempotency-Key of a caller let in by `required`: `Depends(once_from(writer))`."""
    return _OnceOf(required)


def answer_of(model: BaseModel, status: int = 201) -> Answer:
    """An answer to keep and give."""
    return Answer(status, model.model_dump_json().encode())


def respond(answer: Answer) -> Response:
    """An answer as it goes out, the first time and every time after."""
    return Response(answer.body, answer.status, media_type=JSON if answer.status < 400 else MEDIA_TYPE)


async def serve(app: ASGIApp, *, host: str, port: int, bound: Callable[[int], None] | None = None) -> None:
    """Serve until cancelled, then finish the open requests within a bound. `bound` is told the port (0: any free)."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        if bound is not None:
            bound(listening.getsockname()[1])
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            lifespan="off",
            ws="none",
            timeout_graceful_shutdown=STOP_SECONDS_MAX,
        )
        server = _Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            await asyncio.shield(serving)
        except asyncio.CancelledError:
            server.should_exit = True
            await serving
            raise


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Any:
        """Signals are the process's, not the server's."""
        yield


class _Refusal(Exception):
    def __init__(self, status: int) -> None:
        self.status = status


class _Chassis:
    """Around every request: id and trace, the body within its limits, security headers, one log line, no stray 500."""

    def __init__(self, app: ASGIApp, *, body_bytes_max: int, content_types: frozenset[str], https: bool) -> None:
        self._app = app
        self._body_bytes_max = body_bytes_max
        self._content_types = content_types
        headers = _SECURITY_HEADERS | ({"Strict-Transport-Security": _HSTS} if https else {})
        self._headers = [_raw(name, value) for name, value in headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        request_id = _request_id(headers.get("x-request-id"))
        scope.setdefault("state", {})["request_id"] = request_id
        method, began, sent = scope["method"], time.perf_counter(), [0]

        async def send_on(message: Message) -> None:
            if message["type"] == "http.response.start":
                sent[0] = message["status"]
                self._add_headers(scope, message, request_id)
            await send(message)

        with (
            continue_trace(headers.get("traceparent"), request_id, request_id),
            span(method, "server", request_id=request_id) as current,
        ):
            try:
                body = await self._body(scope, headers, receive)
                await self._app(scope, _replay(body, receive), send_on)
            except _Refusal as refusal:
                await plain_problem(refusal.status, request_id=request_id)(scope, receive, send_on)
            except Exception:
                _log.exception("http.failed", route=_route(scope))
                if sent[0]:
                    raise
                await plain_problem(500, request_id=request_id)(scope, receive, send_on)
            finally:
                seconds = time.perf_counter() - began
                current.update_name(f"{method} {_route(scope)}")
                current.set_attribute("http.response.status_code", sent[0])
                self._record(scope, sent[0], seconds)

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        route, state = _route(scope), scope["state"]
        _seconds.labels(_method(scope["method"]), route, status).observe(seconds)
        _log.info(
            "http.answered",
            method=_method(scope["method"]),
            route=route,
            status=status,
            took_ms=round(seconds * 1000, 1),
            principal=state.get("principal"),
        )

    def _add_headers(self, scope: Scope, message: Message, request_id: str) -> None:
        headers: list[tuple[bytes, bytes]] = message.setdefault("headers", [])
        present = {name for name, _ in headers}
        headers.append(_raw("X-Request-Id", request_id))
        headers.extend(header for header in self._headers if header[0] not in present)
        allowance = scope["state"].get("allowance")
        if allowance is not None:
            headers.extend(_raw(name, value) for name, value in allowance.headers().items())

    async def _body(self, scope: Scope, headers: Headers, receive: Receive) -> bytes:
        """The whole body, however it was framed, before anything looks at it."""
        if "\x00" in scope["path"] or b"%00" in scope.get("query_string", b""):
            raise _Refusal(400)
        declared = headers.get("content-length", "0")
        if not declared.isdecimal() or len(declared) > 15 or int(declared) > self._body_bytes_max:
            raise _Refusal(413)
        body = bytearray()
        try:
            async with asyncio.timeout(BODY_SECONDS_MAX):
                while (message := await receive())["type"] == "http.request":
                    body += message.get("body", b"")
                    if len(body) > self._body_bytes_max:
                        raise _Refusal(413)
                    if not message.get("more_body", False):
                        break
        except TimeoutError:
            raise _Refusal(408) from None
        if body and headers.get("content-type", "").partition(";")[0].strip().lower() not in self._content_types:
            raise _Refusal(415)
        # JSON can spell a NUL that PostgreSQL's text cannot hold.
        if rb"\u0000" in body:
            raise _Refusal(422)
        return bytes(body)


def _raw(name: str, value: str) -> tuple[bytes, bytes]:
    return name.lower().encode("latin-1"), value.encode("latin-1")


def _replay(body: bytes, receive: Receive) -> Receive:
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def _request_id(given: str | None) -> str:
    # An id goes into logs and events: one that looks like a personal value is not taken over.
    if given and _REQUEST_ID.fullmatch(given) and redact(given) == given:
        return given
    return f"req_{uuid7().hex}"


def _route(scope: Scope) -> str:
    """The template, never the path: what callers write there would fill metrics and logs."""
    return getattr(scope.get("route"), "path", None) or "unmatched"


def _method(method: str) -> Literal["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "OTHER"]:
    match method:
        case "GET" | "POST" | "PUT" | "PATCH" | "DELETE" | "HEAD" | "OPTIONS":
            return method
        case _:
            return "OTHER"
