"""`cairn dlq`: records that no consumer could take; look at them, send them again, or skip them with a reason."""

import getpass
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cairn.commands.acting import ActorOption, Owner, in_schema
from cairn.output import JsonFlag, answer, columns

if TYPE_CHECKING:
    from kit.dead_letters import DeadLetter

TEXT_CHARS_MAX = 4000
REDRIVEN_MAX = 1000
"""By one command, which is one transaction."""


ServiceOption = Annotated[Owner, typer.Option("--service", help="Whose dead letters.")]
NUMBER = typer.Argument(metavar="ID", help="The dead letter's number, from `cairn dlq list`.")
Number = Annotated[int, NUMBER]

dlq = typer.Typer(help="Dead letters: records that a consumer could not take.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(dlq, name="dlq")


@dlq.command("list")
def list_all(service: ServiceOption, as_json: JsonFlag = False) -> None:
    """Every dead letter that is still open."""
    from kit.dead_letters import list_dead_letters

    letters = [_row(each) for each in in_schema(service, list_dead_letters)]
    rows = [tuple(letters[0]), *(tuple(map(str, each.values())) for each in letters)] if letters else []
    answer(as_json, {"dead_letters": letters}, columns(rows) or "There are none.")


@dlq.command()
def show(number: Number, service: ServiceOption, as_json: JsonFlag = False) -> None:
    """One dead letter with its headers and reason."""
    from kit.dead_letters import show as read

    letter = _all_of(in_schema(service, lambda tx: read(tx, number)))
    answer(as_json, {"dead_letter": letter}, "\n".join(f"{key}: {value}" for key, value in letter.items()))


@dlq.command()
def redrive(
    service: ServiceOption,
    number: Annotated[int | None, NUMBER] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every open one, or those that the next two name.")] = False,
    consumer: Annotated[str | None, typer.Option(help="With --all: of this consumer only.")] = None,
    reason: Annotated[str | None, typer.Option(help="With --all: dead for this reason only.")] = None,
    at_most: Annotated[int, typer.Option(min=1, max=REDRIVEN_MAX, help="With --all: so many, the oldest first.")] = 100,
    actor: ActorOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Send it to its topic again, or all of them; kept with who did it and when."""
    from kit.dead_letters import redrive as again
    from kit.dead_letters import redrive_all

    if (number is None) != everything or (not everything and (consumer or reason)):
        raise typer.BadParameter("give one ID, or --all and what narrows it")
    who, now = actor or getpass.getuser(), datetime.now(UTC)
    if number is not None:
        in_schema(service, lambda tx: again(tx, number, who, now))
        answer(as_json, {"redriven": number, "actor": who}, f"Dead letter {number} goes to its topic again.")
        return
    letters = in_schema(
        service,
        lambda tx: redrive_all(tx, consumer=consumer, reason=reason, letters_max=at_most, actor=who, now=now),
    )
    numbers = [letter.id for letter in letters]
    text = f"{len(numbers)} dead letters go to their topics again." if numbers else "There are none."
    answer(as_json, {"redriven": numbers, "actor": who}, text)


@dlq.command()
def skip(
    number: Number,
    service: ServiceOption,
    reason: Annotated[str, typer.Option(help="Why it may be left out.")],
    actor: ActorOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Close it without sending it again; kept with who did it and why."""
    from kit.dead_letters import skip as leave

    who, now = actor or getpass.getuser(), datetime.now(UTC)
    in_schema(service, lambda tx: leave(tx, number, who, reason, now))
    answer(as_json, {"skipped": number, "actor": who, "reason": reason}, f"Dead letter {number} is skipped.")


def _row(letter: "DeadLetter") -> dict[str, Any]:
    """What tells one dead letter from the next."""
    return {
        "id": letter.id,
        "state": letter.state,
        "reason": letter.poison.reason,
        "type": letter.poison.type or "-",
        "consumer": letter.consumer,
        "topic": letter.record.topic,
        "partition": letter.record.partition,
        "offset": letter.record.offset,
        "dead_at": letter.dead_at.isoformat(timespec="seconds"),
    }


def _all_of(letter: "DeadLetter") -> dict[str, Any]:
    record = letter.record
    return _row(letter) | {
        "explanation": letter.poison.explanation,
        "event_id": letter.poison.event_id,
        "key": _text(record.key),
        "headers": {name: _text(value) for name, value in record.headers},
        "value": _text(record.value),
        "acts": [asdict(act) for act in letter.acts],
    }


def _text(raw: bytes | None) -> str | None:
    return None if raw is None else raw.decode(errors="backslashreplace")[:TEXT_CHARS_MAX]
