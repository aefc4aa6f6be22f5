"""`cairn reconcile` in the database: the page, and what people decide: explain, match, unmatch, accept, agree."""

import asyncio
import getpass
import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cairn.commands.preparation import settings
from cairn.exits import Exit
from cairn.output import JsonFlag, answer

if TYPE_CHECKING:
    from services.payments.reconciling.decisions import DecisionKind
    from services.payments.settings import PaymentsSettings
    from services.payments.store.reconciliation_acts import Act

LineArgument = Annotated[str, typer.Argument(help="The line's id: stl_...")]
StatementArgument = Annotated[str, typer.Argument(help="The held statement's id: bst_...")]
ActArgument = Annotated[str, typer.Argument(help="The decision's id: rac_...")]
ReasonOption = Annotated[str, typer.Option(help="Why, for whoever reads it later.")]
ByOption = Annotated[str | None, typer.Option(help="Who decides; otherwise your login name.")]


def register(app: typer.Typer) -> None:
    for command in (explain, match, unmatch, accept, dismiss, agree, withdraw):
        app.command()(command)


def payments_settings() -> "PaymentsSettings":
    """The settings of payments, of the Cairn this command speaks to."""
    from services.payments.settings import PaymentsSettings

    return PaymentsSettings.model_validate(settings().model_dump())


def show_page(*, as_json: bool) -> None:
    """Match what is open, then show the page."""
    from cairn.commands.reconcile_page import facts_of, show
    from services.payments.desk.reconciliation import reconciled_page

    page = asyncio.run(reconciled_page(payments_settings()))
    if as_json:
        print(json.dumps(facts_of(page), default=str), flush=True)
    else:
        show(page, sys.stdout)
    if not page.nothing_is_open:
        raise typer.Exit(Exit.FAILED)


def explain(line: LineArgument, reason: ReasonOption, by: ByOption = None, as_json: JsonFlag = False) -> None:
    """Say what a line is that is no payment of the program. A payment or return takes a second person."""
    _decide("explain", line, reason, by, as_json=as_json)


def match(
    line: LineArgument,
    payment: Annotated[str, typer.Argument(help="The payment's id: dsb_...")],
    reason: ReasonOption,
    by: ByOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Say which payment is behind a line of its amount. Where money moves in the ledger, a second person agrees."""
    _decide("match", line, reason, by, payment=payment, as_json=as_json)


def unmatch(line: LineArgument, reason: ReasonOption, by: ByOption = None, as_json: JsonFlag = False) -> None:
    """Open a line again on which no money was moved in the ledger."""
    _decide("unmatch", line, reason, by, as_json=as_json)


def accept(statement: StatementArgument, reason: ReasonOption, by: ByOption = None, as_json: JsonFlag = False) -> None:
    """Take a held statement although it does not continue its account. A second person agrees."""
    _decide("accept", statement, reason, by, as_json=as_json)


def dismiss(statement: StatementArgument, reason: ReasonOption, by: ByOption = None, as_json: JsonFlag = False) -> None:
    """Put a held statement aside: the bank has sent another. Its file is kept."""
    _decide("dismiss", statement, reason, by, as_json=as_json)


def agree(decision: ActArgument, by: ByOption = None, as_json: JsonFlag = False) -> None:
    """Be the second person of a decision; it is done at once."""
    from services.payments.desk import reconciliation as desk

    _tell(asyncio.run(desk.agree(payments_settings(), decision, checker=_name(by))), as_json=as_json)


def withdraw(decision: ActArgument, by: ByOption = None, as_json: JsonFlag = False) -> None:
    """Take back a decision that waits for its second person."""
    from services.payments.desk import reconciliation as desk

    _tell(asyncio.run(desk.withdraw(payments_settings(), decision, by=_name(by))), as_json=as_json)


def _decide(
    kind: "DecisionKind", about: str, reason: str, by: str | None, *, payment: str | None = None, as_json: bool
) -> None:
    from services.payments.desk import reconciliation as desk
    from services.payments.reconciling.decisions import Decision

    decision = Decision(kind, about, _reason(reason), payment)
    _tell(asyncio.run(desk.decide(payments_settings(), decision, maker=_name(by))), as_json=as_json)


def _name(by: str | None) -> str:
    return by or getpass.getuser()


def _reason(text: str) -> str:
    from services.payments.reconciling.decisions import REASON_CHARS_MAX

    if not text.strip() or len(text) > REASON_CHARS_MAX:
        raise typer.BadParameter(f"a reason of 1 to {REASON_CHARS_MAX} characters is needed")
    return text.strip()


def _tell(act: "Act", *, as_json: bool) -> None:
    told: dict[str, Any] = {name: value for name, value in asdict(act).items() if value is not None}
    text = f"{act.kind}: {act.state}."
    if act.state == "waiting":
        text = f"{act.kind}: waits for a second person: cairn reconcile agree {act.act_id}"
    answer(as_json, told, text)
