"""The commands of `cairn`. Everything heavy is imported inside the command that needs it: `--help` stays quick."""

import typer

from cairn import exits
from cairn.bench.command import bench
from cairn.commands import (
    ach,
    budgets,
    cases,
    claims,
    dead_letters,
    exam_vouchers,
    issuers,
    keys,
    ledger,
    outbox,
    payees,
    payment_vouchers,
    preparation,
    processes,
    reconcile,
    stack,
)
from cairn.commands import contracts as contracts_commands
from cairn.demo.command import demo
from cairn.drills.command import drill

app = typer.Typer(
    name="cairn",
    help="Cairn: a public funding-assistance program for micro-credentials, on one machine or many.",
    epilog=exits.table(),
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
stack.register(app)
processes.register(app)
preparation.register(app)
cases.register(app)
ledger.register(app)
keys.register(app)
issuers.register(app)
budgets.register(app)
exam_vouchers.register(app)
claims.register(app)
ach.register(app)
payment_vouchers.register(app)
payees.register(app)
reconcile.register(app)
dead_letters.register(app)
outbox.register(app)
contracts_commands.register(app)
app.command()(demo)
app.command()(drill)
app.add_typer(bench, name="bench")


def _tell_exit_codes(group: typer.Typer) -> None:
    """Every command's `--help` ends with what its exit code says."""
    for command in group.registered_commands:
        command.epilog = exits.table()
    for below in group.registered_groups:
        below.epilog = exits.table()
        if below.typer_instance is not None:
            _tell_exit_codes(below.typer_instance)


_tell_exit_codes(app)
