"""The process of `killed-close` on a build with a planted fault: `python -m … FAULT CONFIG.json`."""

import json
import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from cairn.drills.drill import Fault, patches
from cairn.drills.killed_close_child import APPLICATION, main
from contracts.envelope import Fact
from kit import outbox
from kit.db import Connection, Database
from services.payments.books.ledger import Phase, Posted, Transfer
from services.payments.store import ledger as store


def _entries_first(_: dict[str, Any]) -> None:
    right = store.post

    async def post(tx: Connection, transfers: Sequence[Transfer]) -> list[Posted]:
        posted = await right(tx, transfers)
        await tx.execute("COMMIT; BEGIN")
        return posted

    store.post = post


def _shut_first(_: dict[str, Any]) -> None:
    right = store.close_line

    async def close_line(tx: Connection, line: str, phase: Phase) -> str:
        answer = await right(tx, line, phase)
        await tx.execute("COMMIT; BEGIN")
        return answer

    store.close_line = close_line


def _told_at_once(config: dict[str, Any]) -> None:
    right = outbox.append_all

    async def append_all(_: Connection, facts: Sequence[Fact], *, now: datetime) -> Any:
        own = await Database.connect(config["dsn"], schema="payments", application_name=APPLICATION, connections_max=1)
        async with own.transaction() as tx:
            appended = await right(tx, facts, now=now)
        await own.close()
        return appended

    outbox.append_all = append_all


BUILDS: dict[str, Callable[[dict[str, Any]], None]] = {
    "close-posts-before-it-notes": _entries_first,
    "close-shuts-before-it-reports": _shut_first,
    "close-tells-before-it-is-so": _told_at_once,
}
SAYS = {
    "close-posts-before-it-notes": "A close commits the entries of a batch before its cases, facts and lines.",
    "close-shuts-before-it-reports": "A close shuts the books in one transaction and keeps its report in the next.",
    "close-tells-before-it-is-so": "A close tells cases that their money lapsed before that is committed.",
}
FAULTS = tuple(
    Fault(
        name,
        says,
        "killed-close",
        patches("cairn.drills.killed_close:CHILD", ("-m", "cairn.drills.killed_close_faults", name)),
        check="what deaths left half done",
    )
    for name, says in SAYS.items()
)

if __name__ == "__main__":
    BUILDS[sys.argv[1]](json.loads(Path(sys.argv[2]).read_text(encoding="utf-8")))
    main(sys.argv[2])
