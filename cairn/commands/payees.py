"""`cairn payees`: who is paid, by which rail, to which account; changes by call-back and two people; holds."""

import asyncio
import getpass
import json
import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from cairn.commands.preparation import settings
from cairn.output import JsonFlag, answer, columns

if TYPE_CHECKING:
    from services.payments.settings import PaymentsSettings
    from services.payments.views.payees import ChangeShown, HoldShown, PayeeShown

LIST_BYTES_MAX = 64 * 1024 * 1024
Provider = Annotated[str, typer.Argument(help="The provider's id: lorain-ccc.")]
ChangeArgument = Annotated[str, typer.Argument(help="The change's id: pch_...")]
ByOption = Annotated[str | None, typer.Option(help="Who does it; otherwise your login name.")]
CalledPerson = Annotated[str | None, typer.Option(help="Who was called back.")]
CalledNumber = Annotated[str | None, typer.Option(help="On which number that was on file before.")]
CalledAt = Annotated[datetime | None, typer.Option(help="When, in UTC.")]

payees = typer.Typer(help="Who is paid, and to which account.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(payees, name="payees")


def _payments() -> "PaymentsSettings":
    from services.payments.settings import PaymentsSettings

    return PaymentsSettings.model_validate(settings().model_dump())


@payees.command("list")
def list_payees(as_json: JsonFlag = False) -> None:
    """Every payee, and by which rail a payment made now would leave, or why none does."""
    from services.payments.desk.payees import list_payees as listed

    found = asyncio.run(listed(_payments()))
    rows = [("provider", "supplier", "name", "rail", "pays")]
    rows += [(p.provider_id, p.supplier_number, p.name, p.rail.value, p.pays.value) for p in found.payees]
    answer(as_json, found.model_dump(mode="json"), columns(rows))


@payees.command()
def show(provider: Provider, as_json: JsonFlag = False) -> None:
    """One payee: accounts by their last four characters, changes with their evidence, holds."""
    from services.payments.desk.payees import show_payee

    found = asyncio.run(show_payee(_payments(), provider))
    answer(as_json, found.model_dump(mode="json"), _told(found))


@payees.command()
def propose(
    provider: Provider,
    called: CalledPerson = None,
    number_on_file: CalledNumber = None,
    called_at: CalledAt = None,
    tax_class: Annotated[str | None, typer.Option(help="government, nonprofit, corporation, ...")] = None,
    location: Annotated[str | None, typer.Option(help="The supplier's location in the finance system.")] = None,
    rail: Annotated[Literal["payment_voucher", "ach"] | None, typer.Option(help="How it is to be paid.")] = None,
    entry_class: Annotated[Literal["CCD", "CTX", "PPD"] | None, typer.Option(help="The ACH entry class.")] = None,
    routing: Annotated[
        str | None,
        typer.Option(help="A new account's routing number; its account number is asked, or read from stdin."),
    ] = None,
    holder: Annotated[str | None, typer.Option(help="The name on the new account.")] = None,
    account_type: Annotated[Literal["checking", "savings"], typer.Option(help="The new account's type.")] = "checking",
    supplier: Annotated[
        str | None, typer.Option(help="The payee's new number in the finance system, ten digits: 0000012345.")
    ] = None,
    old_stays: Annotated[bool, typer.Option(help="The old way pays until the new one can be used.")] = True,
    by: ByOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Propose a change on the evidence of a call-back; somebody else approves it."""
    from services.payments.desk.payees import propose_change
    from services.payments.payees.payees import CallBack, Rail, TaxClass
    from services.payments.usecases.payees import NewAccount, Proposal

    if not (called and number_on_file and called_at):
        raise typer.BadParameter("a change needs its call-back: --called, --number-on-file, --called-at")
    if tax_class is not None and tax_class not in set(TaxClass):
        raise typer.BadParameter(f"--tax-class is one of {', '.join(TaxClass)}")
    if (routing is None) != (holder is None):
        raise typer.BadParameter("a new account has --routing and --holder")
    if supplier is not None and re.fullmatch(r"[0-9]{10}", supplier) is None:
        raise typer.BadParameter("--supplier has ten digits")
    account = None
    if routing is not None and holder is not None:
        # Never an argument: other users of the machine can read those.
        account = NewAccount(holder, routing, _account_number(), account_type)
    proposal = Proposal(
        None if tax_class is None else TaxClass(tax_class),
        location,
        None if rail is None else Rail(rail),
        entry_class,
        account,
        old_stays,
        CallBack(called, number_on_file, called_at.replace(tzinfo=UTC)),
        supplier,
    )
    _say(as_json, asyncio.run(propose_change(_payments(), provider, proposal, maker=by or getpass.getuser())))


@payees.command("call-back")
def call_back(
    provider: Provider,
    change: ChangeArgument,
    called: Annotated[str, typer.Option(help="Who was called back.")],
    number_on_file: Annotated[str, typer.Option(help="On which number that was on file before.")],
    called_at: Annotated[datetime, typer.Option(help="When, in UTC.")],
    by: ByOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Add the call-back to a change that a bank notified; somebody else approves it."""
    from services.payments.desk.payees import call_back as add
    from services.payments.payees.payees import CallBack

    evidence = CallBack(called, number_on_file, called_at.replace(tzinfo=UTC))
    _say(as_json, asyncio.run(add(_payments(), provider, change, evidence, by=by or getpass.getuser())))


@payees.command()
def approve(provider: Provider, change: ChangeArgument, by: ByOption = None, as_json: JsonFlag = False) -> None:
    """Make a change good that somebody else proposed; a new account is used after the cooling-off period."""
    from services.payments.desk.payees import approve_change

    _say(as_json, asyncio.run(approve_change(_payments(), provider, change, checker=by or getpass.getuser())))


@payees.command()
def withdraw(provider: Provider, change: ChangeArgument, by: ByOption = None, as_json: JsonFlag = False) -> None:
    """Give up a change that was not approved; its account is never used."""
    from services.payments.desk.payees import withdraw_change

    _say(as_json, asyncio.run(withdraw_change(_payments(), provider, change, by=by or getpass.getuser())))


@payees.command()
def hold(
    provider: Provider,
    reason: Annotated[str, typer.Option(help="Why, for whoever reads it later.")],
    by: ByOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Hold every payment to a payee from the next batch on, until two people release it."""
    from services.payments.desk.payees import hold_payee

    _say(as_json, asyncio.run(hold_payee(_payments(), provider, reason, by=by or getpass.getuser())))


@payees.command()
def release(
    provider: Provider,
    hold: Annotated[str, typer.Argument(help="The hold's id: phd_...")],
    reason: Annotated[
        str | None, typer.Option(help="Propose the release, and why; without it: approve what another proposed.")
    ] = None,
    by: ByOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Release a hold: one person proposes it with a reason, another approves it."""
    from services.payments.desk.payees import release_payee

    _say(as_json, asyncio.run(release_payee(_payments(), provider, hold, reason, by=by or getpass.getuser())))


@payees.command()
def screen(
    file: Annotated[Path, typer.Argument(help="CSV: reference, name, supplier_number.", exists=True, dir_okay=False)],
    name: Annotated[str, typer.Option(help="The list's name, as it is called each time.")],
    by: ByOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Take a screening list in: every payee on it is held until two people say that it is another."""
    from services.payments.desk.payees import screen_payees

    if file.stat().st_size > LIST_BYTES_MAX:
        raise typer.BadParameter(f"{file.name} is larger than {LIST_BYTES_MAX} bytes")
    who = by or getpass.getuser()
    lines, held = asyncio.run(screen_payees(_payments(), name, file.read_bytes(), by=who))
    answer(as_json, {"lines": lines, "held": held}, f"{lines} lines. Held now: {', '.join(held) or 'nobody'}.")


@payees.command()
def alerts(as_json: JsonFlag = False) -> None:
    """What the rails could not do by themselves, the newest first."""
    from services.payments.desk.payees import payment_alerts

    found = asyncio.run(payment_alerts(_payments()))
    rows = [("raised", "alert", "code", "payee", "")]
    rows += [
        (f"{a.raised_at:%Y-%m-%d %H:%M}", a.alert_id, a.code, a.provider_id or "", a.explanation) for a in found.alerts
    ]
    answer(as_json, found.model_dump(mode="json"), columns(rows) if found.alerts else "Nothing to look at.")


@payees.command("close-alert")
def close_alert(
    alert: Annotated[str, typer.Argument(help="The alert's id: alr_...")],
    by: ByOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Say that an alert was dealt with."""
    from services.payments.desk.payees import close_alert as close

    asyncio.run(close(_payments(), alert, by=by or getpass.getuser()))
    answer(as_json, {"closed": alert}, f"{alert} is closed.")


def _account_number() -> str:
    return (getpass.getpass("Account number: ") if sys.stdin.isatty() else sys.stdin.readline()).strip()


def _say(as_json: bool, found: "ChangeShown | HoldShown") -> None:
    facts = found.model_dump(mode="json")
    said = "\n".join(f"{name}: {value}" for name, value in facts.items() if value not in (None, ""))
    answer(as_json, facts, said)


def _told(found: "PayeeShown") -> str:
    facts: dict[str, Any] = json.loads(found.model_dump_json(exclude={"accounts", "changes", "holds"}))
    parts = [columns([(name, str(value)) for name, value in facts.items()])]
    if found.accounts:
        rows = [("account", "number", "routing", "holder", "state", "usable from", "prenote", "correct by")]
        rows += [
            (a.account_id, a.account, a.routing_number, a.holder_name, a.state.value, str(a.usable_at or ""),
             str(a.prenote_on or ""), str(a.correct_by or ""))
            for a in found.accounts
        ]  # fmt: skip
        parts.append(columns(rows))
    if found.changes:
        rows = [("change", "state", "made by", "called", "checked by")]
        rows += [(c.change_id, c.state, c.made_by, c.called_person or "", c.checked_by or "") for c in found.changes]
        parts.append(columns(rows))
    if found.holds:
        rows = [("hold", "reason", "placed by", "release by", "released by")]
        rows += [(h.hold_id, h.reason, h.placed_by, h.release_made_by or "", h.released_by or "") for h in found.holds]
        parts.append(columns(rows))
    return "\n\n".join(parts)
