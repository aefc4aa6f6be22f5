"""`cairn ledger`, `cairn issuers`: the books, and who may attest."""

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cairn.commands.preparation import settings
from cairn.exits import Exit
from cairn.output import JsonFlag, answer, columns

if TYPE_CHECKING:
    from services.payments.settings import PaymentsSettings

ledger = typer.Typer(help="The books.", no_args_is_help=True)
issuers = typer.Typer(help="Who may attest completion.", no_args_is_help=True)

FILE_BYTES_MAX = 16 * 1024 * 1024


def register(app: typer.Typer) -> None:
    app.add_typer(ledger, name="ledger")
    app.add_typer(issuers, name="issuers")


def _payments() -> "PaymentsSettings":
    from services.payments.settings import PaymentsSettings

    return PaymentsSettings.model_validate(settings().model_dump())


@ledger.command()
def prove(as_json: JsonFlag = False) -> None:
    """Fold the journal again and compare every balance row; exit code 1 where one differs."""
    from services.payments.main import prove_ledger

    proof: dict[str, Any] = asyncio.run(prove_ledger(_payments()))
    if as_json:
        print(json.dumps(proof, default=str))
    else:
        found = len(proof["differences"])
        print(f"{proof['entries']} entries, {proof['balance_rows']} balance rows, {found} differences.")
        for difference in proof["differences"]:
            print(f"  {difference}")
    if not proof["ok"]:
        raise typer.Exit(Exit.FAILED)


@ledger.command()
def balance(
    program: Annotated[str, typer.Argument(help="The program's id: oh-imap.")], as_json: JsonFlag = False
) -> None:
    """Where every cent of a program is; the stages add up to the appropriation."""
    from contracts.money import dollars
    from services.payments.main import money_by_stage

    money: dict[str, int] = asyncio.run(money_by_stage(_payments(), program))
    rows = [(stage.removesuffix("_cents").replace("_", " "), dollars(cents)) for stage, cents in money.items()]
    answer(as_json, {"program_id": program, **money}, columns(rows))


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
