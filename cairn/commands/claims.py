"""`cairn claims`: what waits for people, decisions by two of them, what is late, a provider's statement."""

import asyncio
import getpass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cairn.commands.preparation import settings
from cairn.output import JsonFlag, answer, columns

if TYPE_CHECKING:
    from services.payments.settings import PaymentsSettings

QUEUES = "charges, duplicates, payees, large_claims"
SHOWN = ("claim_id", "status", "claimed_cents", "approved_cents", "due_at", "notice_due_at", "notice_sent_at")

ClaimArgument = Annotated[str, typer.Argument(metavar="CLAIM", help="The claim's id: clm_….")]
QueueArgument = Annotated[str | None, typer.Argument(metavar="[QUEUE]", help=f"One of: {QUEUES}; all if left out.")]
Note = Annotated[str, typer.Option(help="Why, in a sentence or two; never a person's data.")]
ActorOption = Annotated[str | None, typer.Option("--actor", help="Who does it; this login's name where left out.")]

claims = typer.Typer(help="Providers' claims: queues, decisions, what is late, statements.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(claims, name="claims")


def _payments() -> "PaymentsSettings":
    from services.payments.settings import PaymentsSettings

    return PaymentsSettings.model_validate(settings().model_dump())


@claims.command()
def queue(name: QueueArgument = None, as_json: JsonFlag = False) -> None:
    """Claims that wait for people, the oldest first."""
    from services.payments.desk.claims import queue as waiting

    found = asyncio.run(waiting(_payments(), name))
    rows = [
        (
            one["queue"],
            one["claim_id"],
            one["provider_id"],
            f"{one['approved']}/{one['approvers_needed']}",
            " ".join(one["reasons"]),
        )
        for one in found
    ]
    answer(as_json, {"claims": found}, columns(rows) if rows else "Nothing waits.")


@claims.command()
def show(claim: ClaimArgument, as_json: JsonFlag = False) -> None:
    """One claim with every check and its reason."""
    from services.payments.desk.claims import claim as read

    found = asyncio.run(read(_payments(), claim))
    head = [(name, str(found[name])) for name in SHOWN]
    checks = [("ok" if one["passed"] else one["reason"], one["check"], one["text"]) for one in found["checks"]]
    answer(as_json, {"claim": found}, f"{columns(head)}\n\n{columns(checks)}")


@claims.command()
def approve(claim: ClaimArgument, note: Note, actor: ActorOption = None, as_json: JsonFlag = False) -> None:
    """Say yes; the claim goes on once as many people have said so as its amount takes."""
    _decide(claim, "approve", note, actor, as_json)


@claims.command()
def refuse(claim: ClaimArgument, note: Note, actor: ActorOption = None, as_json: JsonFlag = False) -> None:
    """Say no; one is enough."""
    _decide(claim, "refuse", note, actor, as_json)


@claims.command()
def notified(
    claim: ClaimArgument,
    on: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="The day on which the letter went.")],
    document: Annotated[str, typer.Option(help="Where the letter is filed.")],
    actor: ActorOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Take down that a provider was told on paper what its claim lacks."""
    from services.payments.desk.claims import notified as keep

    who = actor or getpass.getuser()
    found = asyncio.run(keep(_payments(), claim, told_on=on.date(), document=document, actor=who))
    answer(as_json, {"claim": found}, f"{found['claim_id']}: told at {found['notice_sent_at']}.")


@claims.command()
def late(as_json: JsonFlag = False) -> None:
    """Claims undecided after ten days, returned and not told, past due with interest to date; interest on record."""
    from services.payments.desk.claims import late as overdue

    found = asyncio.run(overdue(_payments()))
    rows = [
        *(("undecided", one["claim_id"], one["provider_id"], one["notice_due_at"]) for one in found["undecided"]),
        *(("untold", one["claim_id"], one["provider_id"], one["notice_due_at"]) for one in found["untold"]),
        *(("unpaid", one["claim_id"], one["provider_id"], one["due_on"]) for one in found["unpaid"]),
        *(("interest", one["claim_id"], one["provider_id"], f"{one['cents']} cents") for one in found["interest"]),
    ]
    if found["interest_count"]:
        rows.append(("in all", "", f"{found['interest_count']} times interest", f"{found['interest_cents']} cents"))
    answer(as_json, found, columns(rows) if rows else "Nothing is late.")


@claims.command()
def statement(
    provider: Annotated[str, typer.Argument(help="The provider's id.")],
    first: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="The first day.")],
    last: Annotated[datetime, typer.Option("--to", formats=["%Y-%m-%d"], help="The last day.")],
    as_json: JsonFlag = False,
) -> None:
    """What a provider was owed, what moved, what it is owed: it adds up to the ledger."""
    from contracts.money import dollars
    from services.payments.desk.claims import statement as read

    found = asyncio.run(read(_payments(), provider, first.date(), last.date()))
    rows = [
        ("opening", dollars(found["opening_cents"])),
        *((heading.replace("_", " "), dollars(cents)) for heading, cents in found["totals"].items()),
        ("closing", dollars(found["closing_cents"])),
        ("interest, beside the ledger", dollars(sum(one["cents"] for one in found["interest"]))),
    ]
    answer(as_json, found, columns(rows))


@claims.command()
def refund(
    program: Annotated[str, typer.Argument(help="The program's id.")],
    round_id: Annotated[str, typer.Argument(metavar="ROUND", help="The round's id.")],
    provider: Annotated[str, typer.Argument(help="The provider's id.")],
    actor: ActorOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Assess what a provider owes back of its advances of a round; another person has to agree."""
    from contracts.money import dollars
    from services.payments.desk.claims import propose

    found = asyncio.run(propose(_payments(), program, round_id, provider, maker=actor or getpass.getuser()))
    share = f"{found['earned']} of {found['decided']} earned the credential"
    answer(as_json, {"refund": found}, f"{found['refund_id']}: {dollars(found['cents'])} are owed back; {share}.")


@claims.command()
def agree(
    refund: Annotated[str, typer.Argument(metavar="REFUND", help="The refund's id: rfd_….")],
    actor: ActorOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Agree to a refund that somebody else assessed; it comes out of the provider's next payments."""
    from services.payments.desk.claims import agree as agree_to

    found = asyncio.run(agree_to(_payments(), refund, checker=actor or getpass.getuser()))
    answer(as_json, {"refund": found}, f"{found['refund_id']} is agreed.")


@claims.command()
def recover(
    refund: Annotated[str, typer.Argument(metavar="REFUND", help="The refund's id: rfd_….")],
    cents: Annotated[int, typer.Option(min=1, help="How much the provider paid back.")],
    line: Annotated[str | None, typer.Option(help="The bank's line that shows it: stl_….")] = None,
    document: Annotated[str | None, typer.Option(help="Or the document that does.")] = None,
    actor: ActorOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Take down what a provider paid back of an agreed refund; another person has to approve."""
    from contracts.money import dollars
    from services.payments.desk.recoveries import propose

    if (line is None) == (document is None):
        raise typer.BadParameter("--line or --document, one of the two")
    who = actor or getpass.getuser()
    found = asyncio.run(propose(_payments(), refund, cents=cents, line_id=line, document=document, maker=who))
    answer(as_json, {"recovery": found}, f"{found['recovery_id']}: {dollars(cents)} wait for a second person.")


@claims.command("approve-recovery")
def approve_recovery(
    refund: Annotated[str, typer.Argument(metavar="REFUND", help="The refund's id: rfd_….")],
    recovery: Annotated[str, typer.Argument(metavar="RECOVERY", help="The recovery's id: rcv_….")],
    actor: ActorOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Post what somebody else took down: the money can be awarded again."""
    from services.payments.desk.recoveries import approve as approve_it

    found = asyncio.run(approve_it(_payments(), refund, recovery, checker=actor or getpass.getuser()))
    answer(as_json, {"recovery": found}, f"{found['recovery_id']} is posted.")


def _decide(claim: str, decision: str, note: str, actor: str | None, as_json: bool) -> None:
    who = actor or getpass.getuser()
    found = asyncio.run(_decided(_payments(), claim, decision, note, who))
    answer(as_json, found, f"{who}: {decision}.")


async def _decided(payments: "PaymentsSettings", claim: str, decision: str, note: str, who: str) -> dict[str, Any]:
    """A claim whose journey waits is decided there; one that was stopped after its approval, in payments."""
    from services.payments.desk.claims import decide_stopped, may_decide
    from workflows.desk import apply_update

    origin, case = await may_decide(payments, claim, who)
    if origin == "charge":
        word = await decide_stopped(payments, claim, approve=decision == "approve", actor=who, note=note)
        return {"review": word}
    act = {"question": "claim_review", "decision": decision, "reason": "looked_at", "note": note, "actor": who}
    return {"case": await apply_update(settings(), case, "decide", act)}
