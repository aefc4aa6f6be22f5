"""`cairn issuers`: who may attest."""

import asyncio
import json
from pathlib import Path
from typing import Annotated

import typer

from cairn.commands.acting import ActorOption, ReasonOption, acting
from cairn.commands.preparation import settings
from cairn.output import JsonFlag, answer

issuers = typer.Typer(help="Who may attest completion.", no_args_is_help=True)

FILE_BYTES_MAX = 16 * 1024 * 1024


def register(app: typer.Typer) -> None:
    app.add_typer(issuers, name="issuers")


@issuers.command("add-key")
def add_key(
    issuer: Annotated[str, typer.Option(help="The issuer's id in the program pack.")],
    kid: Annotated[str, typer.Option(help="The key's id, as the issuer's signatures name it.")],
    jwk: Annotated[Path, typer.Argument(help="The public key as a JWK file.", exists=True, dir_okay=False)],
    as_json: JsonFlag = False,
) -> None:
    """Register an issuer's public key (Ed25519 or P-256); what it signs counts from now on."""
    from services.applications.main import register_issuer_key
    from services.applications.settings import ApplicationsSettings

    if jwk.stat().st_size > FILE_BYTES_MAX:
        raise typer.BadParameter(f"{jwk.name} is larger than {FILE_BYTES_MAX} bytes")
    try:
        public = json.loads(jwk.read_bytes())
    except ValueError as error:
        raise typer.BadParameter(f"{jwk.name} is not JSON: {error}") from error
    given = ApplicationsSettings.model_validate(settings().model_dump())
    asyncio.run(register_issuer_key(given, issuer, kid, public))
    answer(as_json, {"issuer_id": issuer, "kid": kid}, f"{issuer} may sign with {kid}.")


@issuers.command("end-key")
def end_key(
    issuer: Annotated[str, typer.Option(help="The issuer's id in the program pack.")],
    kid: Annotated[str, typer.Option(help="The key's id, as the issuer's signatures name it.")],
    reason: ReasonOption,
    actor: ActorOption = None,
    as_json: JsonFlag = False,
) -> None:
    """End an issuer's key at once; what it signed and was taken before stays, and who ended it is kept."""
    from services.applications.main import end_issuer_key
    from services.applications.settings import ApplicationsSettings

    given = ApplicationsSettings.model_validate(settings().model_dump())
    by = acting(actor, reason)
    asyncio.run(end_issuer_key(given, issuer, kid, by))
    facts = {"issuer_id": issuer, "kid": kid, "actor": by.actor, "ended_at": by.at}
    answer(as_json, facts, f"What {issuer} signs with {kid} counts no longer.")
