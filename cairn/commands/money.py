"""`cairn ledger`, `cairn exam-vouchers`, `cairn issuers`: the books, the stock of exam vouchers, who may attest."""

import asyncio
import getpass
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cairn.commands.preparation import settings
from cairn.exits import Exit
from cairn.output import JsonFlag, answer, columns

if TYPE_CHECKING:
    from services.payments.settings import PaymentsSettings

ledger = typer.Typer(help="The books.", no_args_is_help=True)
exam_vouchers = typer.Typer(help="The stock of exam vouchers.", no_args_is_help=True)
issuers = typer.Typer(help="Who may attest completion.", no_args_is_help=True)

FILE_BYTES_MAX = 16 * 1024 * 1024


def register(app: typer.Typer) -> None:
    app.add_typer(ledger, name="ledger")
    app.add_typer(exam_vouchers, name="exam-vouchers")
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


@exam_vouchers.command("import")
def import_lot(
    file: Annotated[Path, typer.Argument(help="CSV with a column `code`.", exists=True, dir_okay=False)],
    exam: Annotated[str, typer.Option(help="The exam's id in the program pack.")],
    vendor: Annotated[str, typer.Option(help="Who sold them.")],
    order: Annotated[str, typer.Option(help="The order's number at the vendor.")],
    unit_cost_cents: Annotated[int, typer.Option(min=0, help="What one cost, in cents.")],
    expires: Annotated[datetime, typer.Option(help="When they expire, in UTC.")],
    zone: Annotated[str, typer.Option(help="The vendor's time zone, as it prints the expiry.")] = "UTC",
    as_json: JsonFlag = False,
) -> None:
    """Take a vendor's order into stock: all codes or none. A code that is in stock already refuses the lot."""
    from services.payments.main import import_exam_voucher_lot

    if file.stat().st_size > FILE_BYTES_MAX:
        raise typer.BadParameter(f"{file.name} is larger than {FILE_BYTES_MAX} bytes")
    count = asyncio.run(
        import_exam_voucher_lot(
            _payments(),
            exam_id=exam,
            codes=file.read_bytes(),
            expires_at=expires.replace(tzinfo=UTC),
            order_reference=order,
            unit_cost_cents=unit_cost_cents,
            vendor=vendor,
            expiry_zone=zone,
            imported_by=getpass.getuser(),
        )
    )
    answer(as_json, {"imported": count, "exam_id": exam}, f"{count} exam vouchers for {exam} are in stock.")


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
