"""`cairn run <process>`: one process of Cairn, with settings from its environment."""

import importlib
from enum import StrEnum
from typing import Annotated

import typer


class Process(StrEnum):
    """What can be run."""

    API = "api"
    APPLICATIONS = "applications"
    ELIGIBILITY = "eligibility"
    PAYMENTS = "payments"
    NOTIFICATIONS = "notifications"
    WORKFLOWS = "workflows"


class Service(StrEnum):
    """The owners of HTTP routes."""

    APPLICATIONS = "applications"
    ELIGIBILITY = "eligibility"
    PAYMENTS = "payments"
    NOTIFICATIONS = "notifications"


def register(app: typer.Typer) -> None:
    app.command()(run)


def run(
    process: Annotated[Process, typer.Argument(help="Which process.")],
    service: Annotated[
        list[Service] | None, typer.Option("--service", help="With api: only this service's routes (repeatable).")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Also say why it could not start as a JSON object.")] = False,
) -> None:
    """Run one process in front; outside a configured environment it joins the running local stack."""
    from cairn.joining import join_local_stack

    # What it logs is JSON lines with or without the flag; a complaint before that is told where the command ends.
    del as_json
    if service and process is not Process.API:
        raise typer.BadParameter("--service belongs to `cairn run api`")
    join_local_stack()
    if process is Process.API:
        from cairn.api import run as run_api

        run_api([each.value for each in service] if service else None)
    module = "workflows.main" if process is Process.WORKFLOWS else f"services.{process.value}.main"
    importlib.import_module(module).run()
