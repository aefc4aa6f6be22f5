"""`cairn bench`: one figure of merit at a time, or all; prints a table and keeps it in `docs/benchmarks.md`."""

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cairn.output import JsonFlag, answer

if TYPE_CHECKING:
    from cairn.bench.table import Report

bench = typer.Typer(no_args_is_help=True, help="Measure one figure of merit, or all, each beside its bare counterpart.")

CASES, REQUESTS, EVENTS, LINES, ENTRIES, CODES, PAST_ENTRIES = 1000, 12_000, 50_000, 10_000, 100_000, 20_000, 1_000_000
"""How much is measured where nothing else is asked for."""

CasesOption = Annotated[int, typer.Option(min=10, max=20_000, help="How many cases.")]
CountOption = Annotated[int, typer.Option(min=100, max=1_000_000, help="How many.")]
WriteFlag = Annotated[bool, typer.Option("--write/--no-write", help="Keep the table in docs/benchmarks.md.")]


@bench.command()
def path(cases: CasesOption = CASES, write: WriteFlag = True, as_json: JsonFlag = False) -> None:
    """Cases a second over the whole path, beside bare workflows of the same shape."""
    from cairn.bench.path import measure

    _run(measure(cases), write=write, as_json=as_json)


@bench.command()
def accept(count: CountOption = REQUESTS, write: WriteFlag = True, as_json: JsonFlag = False) -> None:
    """Accepted applications a second with all guarantees, beside a raw ASGI app with the same rows."""
    from cairn.bench.accept import measure

    _run(measure(count), write=write, as_json=as_json)


@bench.command()
def relay(count: CountOption = EVENTS, write: WriteFlag = True, as_json: JsonFlag = False) -> None:
    """Events a second and lag, beside producing without a database and beside one send an event."""
    from cairn.bench.relay import measure

    _run(measure(count), write=write, as_json=as_json)


@bench.command()
def reconcile(
    lines: Annotated[int, typer.Option(min=1000, max=200_000, help="Lines of the statement.")] = LINES,
    write: WriteFlag = True,
    as_json: JsonFlag = False,
) -> None:
    """A bank statement with fifty planted faults, read and reconciled, beside a nested loop."""
    from cairn.bench.reconcile import measure

    _run(measure(lines), write=write, as_json=as_json)


@bench.command()
def ach(count: CountOption = ENTRIES, write: WriteFlag = True, as_json: JsonFlag = False) -> None:
    """ACH entries a second written and read, and the memory of it, beside the records copied unchecked."""
    from cairn.bench.ach import measure

    _run(measure(count), write=write, as_json=as_json)


@bench.command()
def vouchers(
    count: Annotated[int, typer.Option(min=1000, max=200_000, help="How many cases ask for a code.")] = CODES,
    write: WriteFlag = True,
    as_json: JsonFlag = False,
) -> None:
    """Exam vouchers allocated a second by 64 clients, beside the same with plain row locks."""
    from cairn.bench.vouchers import measure

    _run(measure(count), write=write, as_json=as_json)


@bench.command()
def ledger(
    entries: Annotated[int, typer.Option(min=0, max=10_000_000, help="Past entries of the second run.")] = PAST_ENTRIES,
    write: WriteFlag = True,
    as_json: JsonFlag = False,
) -> None:
    """Holds and encumbrances a second on one hot budget, beside row locks and a plain rebuild of pgledger."""
    from cairn.bench.ledger import measure

    _run(measure(entries), write=write, as_json=as_json)


@bench.command(name="all")
def everything(write: WriteFlag = True, as_json: JsonFlag = False) -> None:
    """Every benchmark, one after the other; with --json one object with a report of each."""
    from cairn.bench import accept, ach, ledger, path, reconcile, relay, vouchers

    sizes = (
        (accept, REQUESTS),
        (relay, EVENTS),
        (ledger, PAST_ENTRIES),
        (vouchers, CODES),
        (reconcile, LINES),
        (ach, ENTRIES),
        (path, CASES),
    )
    measured = [_measured(module.measure(size), write=write, as_json=as_json) for module, size in sizes]
    if as_json:
        answer(True, {"benchmarks": [report.as_json() for report in measured]}, "")


def _run(measuring: "Coroutine[Any, Any, Report]", *, write: bool, as_json: bool) -> None:
    report = _measured(measuring, write=write, as_json=as_json)
    if as_json:
        answer(True, report.as_json(), "")


def _measured(measuring: "Coroutine[Any, Any, Report]", *, write: bool, as_json: bool) -> "Report":
    """Measure, keep the table, and show it where people read."""
    from rich.console import Console

    from cairn.stack.parent import run_until_ended

    report = run_until_ended(measuring)
    if not as_json:
        report.show(Console())
    if write:
        report.write()
    return report
