"""`cairn demo`, `cairn bench`, `cairn drill`: commands with a folder of their own, imported only when called."""

import importlib
from typing import Any

import typer

FORWARDED = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}


def register(app: typer.Typer) -> None:
    app.command(context_settings=FORWARDED, add_help_option=False)(demo)
    app.command(context_settings=FORWARDED, add_help_option=False)(bench)
    app.command(context_settings=FORWARDED, add_help_option=False)(drill)


def demo(context: typer.Context) -> None:
    """Run the whole path on real engines: twelve and more cases, and what became of them."""
    _forward("cairn.demo.command", "demo", context)


def bench(context: typer.Context) -> None:
    """Measure the path, the intake and the relay, each beside its bare counterpart."""
    _forward("cairn.bench.command", "bench", context)


def drill(context: typer.Context) -> None:
    """Try a promise out on throw-away engines: `list` names them; with a planted fault it must fail."""
    _forward("cairn.drills.command", "drill", context)


def _forward(module: str, name: str, context: typer.Context) -> None:
    target: Any = getattr(importlib.import_module(module), name)
    if not isinstance(target, typer.Typer):
        wrapped = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
        wrapped.command(name)(target)
        target = wrapped
    target(args=context.args, prog_name=f"cairn {name}", standalone_mode=True)
