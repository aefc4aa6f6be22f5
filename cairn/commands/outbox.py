"""`cairn outbox`: keys whose next fact cannot be published; look at them, and let the relay try again."""

from dataclasses import asdict
from typing import Annotated

import typer

from cairn.commands.acting import ActorOption, Owner, ReasonOption, acting, in_schema
from cairn.output import JsonFlag, answer, columns

ServiceOption = Annotated[Owner, typer.Option("--service", help="Whose outbox.")]

outbox = typer.Typer(help="Facts that wait because they cannot be published.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(outbox, name="outbox")


@outbox.command("list")
def list_all(service: ServiceOption, as_json: JsonFlag = False) -> None:
    """Every key that is parked, with the row that cannot be published and the reason; the longest first."""
    from cairn.parked_keys import list_parked

    found = in_schema(service, list_parked)
    rows = [("topic", "key", "row", "parked", "reason")]
    rows += [(p.topic, p.key, str(p.outbox_id), f"{p.parked_at:%Y-%m-%d %H:%M:%S %Z}", p.reason) for p in found]
    answer(as_json, {"parked": [asdict(one) for one in found]}, columns(rows) if found else "There are none.")


@outbox.command()
def retry(
    topic: Annotated[str, typer.Argument(metavar="TOPIC", help="As `cairn outbox list` shows it.")],
    key: Annotated[str, typer.Argument(metavar="KEY", help="As `cairn outbox list` shows it.")],
    service: ServiceOption,
    reason: ReasonOption,
    actor: ActorOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Let the relay try a parked key again, once the cause is mended; kept with who did it and why."""
    from cairn.parked_keys import unpark

    by = acting(actor, reason)
    in_schema(service, lambda tx: unpark(tx, topic=topic, key=key, by=by))
    facts = {"topic": topic, "key": key, "actor": by.actor, "reason": by.reason}
    answer(as_json, facts, f"The facts of {key} go to {topic} again.")
