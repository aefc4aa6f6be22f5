"""The `api` process: the HTTP routes of every service on one port, each with its own service's role and pool."""

import importlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

from fastapi import APIRouter, FastAPI, Header

from cairn.exits import Exit, Fault
from cairn.version import version
from contracts.webhooks import MESSAGES
from kit.http import create_app, serve
from kit.process import Lifetime
from kit.process import run as run_process
from kit.settings import ProcessSettings

if TYPE_CHECKING:
    from pydantic import BaseModel

SERVICES = ("applications", "eligibility", "payments", "notifications")
TITLE = "Cairn"
DESCRIPTION = (
    "The doors of a public funding-assistance program for micro-credentials: partners enter applications, training "
    "providers answer enrollments, attest and claim. Amounts are integer cents. Every POST takes an Idempotency-Key; "
    "every failure is a problem document (RFC 9457)."
)


class NoRoutes(Fault):
    """The service has no HTTP routes."""

    exit_code = Exit.USAGE
    code = "no_routes"


def run(services: Sequence[str] | None = None) -> NoReturn:
    """Serve the routes of these services, or of all, until a stop signal."""

    async def start(life: Lifetime) -> None:
        routers = [await _open(each, life, own[each], required=services is not None) for each in own]
        app = compose([router for router in routers if router is not None])
        life.task("http", serve(app, host=settings.http_host, port=settings.http_port))

    settings = ProcessSettings()  # type: ignore[call-arg]
    # Before anything is opened: wrong settings end the command with their own exit code.
    own = {each: settings_of(each) for each in services or SERVICES}
    run_process("api", settings, start)


def compose(routers: Sequence[APIRouter]) -> FastAPI:
    """One application of these routes, with the webhooks that Cairn sends described beside them."""
    app = create_app(TITLE, version(), routers, description=DESCRIPTION)
    for message in MESSAGES:
        app.webhooks.add_api_route(
            message.model_fields["type"].default,
            _receiver_of(message),
            methods=["POST"],
            status_code=204,
            summary=(message.model_fields["data"].annotation or message).__doc__,
            tags=["webhooks"],
        )
    return app


async def _open(service: str, life: Lifetime, settings: Any, *, required: bool) -> APIRouter | None:
    main = importlib.import_module(f"services.{service}.main")
    if not hasattr(main, "open_doors"):
        if required:
            raise NoRoutes(f"The service {service} has no HTTP routes.")
        return None
    return await main.open_doors(life, settings)


def settings_of(service: str) -> Any:
    """The settings class of a service, read from the environment: `PaymentsSettings` of `services.payments`."""
    module = importlib.import_module(f"services.{service}.settings")
    return getattr(module, f"{service.capitalize()}Settings")()


def _receiver_of(message: "type[BaseModel]") -> Any:
    """What a receiver of this webhook looks like; only its shape is used, for the description."""

    def receive(
        body: Any,
        webhook_id: Annotated[str, Header(description="The same in every attempt: de-duplicate by it.")],
        webhook_timestamp: Annotated[str, Header(description="Seconds since 1970 of this attempt.")],
        webhook_signature: Annotated[str, Header(description="Standard Webhooks signatures, separated by spaces.")],
    ) -> None:
        """Answer 2xx within 15 seconds; 410 ends deliveries."""

    receive.__annotations__["body"] = message
    return receive
