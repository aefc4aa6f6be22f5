"""`cairn bench`: one figure of merit at a time, or all; prints a table and keeps it in `docs/benchmarks.md`."""

import asyncio
import json
from collections.abc import Awaitable
from typing import Annotated

import typer
from rich.console import Console

from cairn.bench.table import Report
from cairn.output import JsonFlag

bench = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None, help=__doc__)

CasesOption = Annotated[int, typer.Option(min=10, max=20_000, help="How many cases.")]
CountOption = Annotated[int, typer.Option(min=100, max=1_000_000, help="How many.")]
WriteFlag = Annotated[bool, typer.Option("--write/--no-write", help="Keep the table in docs/benchmarks.md.")]


@bench.command()
def path(cases: CasesOption = 1000, write: WriteFlag = True, as_json: JsonFlag = False) -> None:
    """Cases a second over the whole path, beside bare workflows of the same shape."""
    from cairn.bench.path import measure

    _run(measure(cases), write=write, as_json=as_json)


@bench.command()
def accept(count: CountOption = 12_000, write: WriteFlag = True, as_json: JsonFlag = False) -> None:
    """Accepted applications a second with all guarantees, beside a raw ASGI app with the same rows."""
    from cairn.bench.accept import measure

    _run(measure(count), write=write, as_json=as_json)


@bench.command()
def relay(count: CountOption = 50_000, write: WriteFlag = True, as_json: JsonFlag = False) -> None:
    """Events a second and lag, beside producing without a database and beside one send an event."""
    from cairn.bench.relay import measure

    _run(measure(count), write=write, as_json=as_json)


@bench.command()
def reconcile(
    lines: Annotated[int, typer.Option(min=1000, max=200_000, help="Lines of the statement.")] = 10_000,
    write: WriteFlag = True,
    as_json: JsonFlag = False,
) -> None:
    """A bank statement with fifty planted faults, read and reconciled, beside a nested loop."""
    from cairn.bench.reconcile import measure

    _run(measure(lines), write=write, as_json=as_json)


@bench.command()
def ach(count: CountOption = 100_000, write: WriteFlag = True, as_json: JsonFlag = False) -> None:
    """ACH entries a second written and read, and the memory of it, beside the records copied unchecked."""
    from cairn.bench.ach import measure

    _run(measure(count), write=write, as_json=as_json)


@bench.command()
def vouchers(
    count: Annotated[int, typer.Option(min=1000, max=200_000, help="How many cases ask for a code.")] = 20_000,
    write: WriteFlag = True,
    as_json: JsonFlag = False,
) -> None:
    """Exam vouchers allocated a second by 64 clients, beside the same with plain row locks."""
    from cairn.bench.vouchers import measure

    _run(measure(count), write=write, as_json=as_json)


@bench.command()
def ledger(
    entries: Annotated[int, typer.Option(min=0, max=10_000_000, help="Past entries of the second run.")] = 1_000_000,
    write: WriteFlag = True,
    as_json: JsonFlag = False,
) -> None:
    """Holds and encumbrances a second on one hot budget, beside row locks and a plain rebuild of pgledger."""
    from cairn.bench.ledger import measure

    _run(measure(entries), write=write, as_json=as_json)


@bench.command(name="all")
def everything(write: WriteFlag = True, as_json: JsonFlag = False) -> None:
    """Every benchmark, one after the other."""
    for each in (accept, relay, ledger, vouchers, reconcile, ach, path):
        each(write=write, as_json=as_json)


def _run(measuring: Awaitable[Report], *, write: bool, as_json: bool) -> None:
    async def run() -> Report:
        return await measuring

    report = asyncio.run(run())
    if as_json:
        print(json.dumps(report.as_json()), flush=True)
    else:
        report.show(Console())
    if write:
        report.write()
