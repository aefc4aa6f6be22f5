"""`cairn docs`: the documents of the public doors, generated from the code."""

from pathlib import Path
from typing import Annotated

import typer

from cairn.exits import Fault
from cairn.output import JsonFlag, answer


class DocsDrifted(Fault):
    """A committed document is not what the code says."""

    code = "docs_drifted"


def register(app: typer.Typer) -> None:
    app.command()(docs)


def docs(
    folder: Annotated[Path | None, typer.Option(help="Where to write; docs/api of the checkout otherwise.")] = None,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; fail where a file would change.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Write docs/api/openapi.json and docs/api/asyncapi.json."""
    from cairn.documents import documents
    from cairn.stack.layout import ROOT

    target = folder or ROOT / "docs" / "api"
    made = {target / name: text for name, text in documents().items()}
    changed = [path for path, text in made.items() if not path.exists() or path.read_text() != text]
    if check and changed:
        names = ", ".join(path.name for path in changed)
        raise DocsDrifted(f"{names} differ from the code: run `cairn docs` and commit the result.")
    for path in changed:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(made[path])
    names = [path.name for path in changed]
    answer(as_json, {"changed": names}, f"Written: {', '.join(names)}." if names else "Nothing changed.")
