"""A year's close in a process of its own, which stops at a point and is killed there: `python -m … CONFIG.json`.

It begins at the first step, wherever the one before it died, and says its report once the books are shut.
"""

import asyncio
import json
import os
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from cairn.drills import year_books
from cairn.drills.dying import Point, stop_at
from contracts.errors import Unavailable
from kit.db import Database
from services.payments.store import fiscal_year as year_store
from services.payments.store import funding as funding_store
from services.payments.store import ledger as ledger_store
from services.payments.usecases import fiscal_year, year_end

APPLICATION = "cairn drill close"
ATTEMPTS_MAX = 20
POINTS = {
    "while the line is closed softly": Point(ledger_store, "close_line", True),
    "after the line is closed softly": Point(year_store, "open_encumbrances", False),
    "while a page of the list is kept": Point(year_store, "keep_listed", True),
    "after the list is kept": Point(year_store, "forget_resolved", False),
    "while two people's word is kept": Point(year_store, "approve", True),
    "after two people agreed": Point(year_store, "held", False),
    "while holds go back": Point(funding_store, "ended", True),
    "while who waits is refused": Point(funding_store, "turned_down", True),
    "before the entries of a batch": Point(year_store, "to_post", True),
    "between two batches": Point(year_store, "next_to_post", False),
    "between the entries of a batch and its cases": Point(year_store, "carried", False),
    "between the facts of a batch and its lines": Point(year_store, "posted", False),
    "while the lines of a batch are kept": Point(year_store, "posted", True),
    "while what is available lapses": Point(year_store, "result", False),
    # The line is closed softly by then, so that this call is the one that shuts the books.
    "while the books are shut": Point(ledger_store, "close_line", True),
    "while the report is kept": Point(year_store, "report", True),
    "after the books are shut": Point(year_books, "close_year", True),
}
"""Where a close dies, in the order in which it comes there."""


async def work(config: dict[str, Any]) -> None:
    """The whole close, in batches and pages of the drill's size, by this process's own clock."""
    year_end.POSTED_PER_BATCH, fiscal_year.LISTED_PER_TURN = config["posted_per_batch"], config["listed_per_turn"]
    db = await Database.connect(config["dsn"], schema="payments", application_name=APPLICATION, connections_max=2)
    for _ in range(ATTEMPTS_MAX):
        try:
            report = await year_books.close_year(db, now=datetime.fromisoformat(config["now"]))
        except Unavailable:
            # The transaction of the process before may still be ending.
            await asyncio.sleep(0.1)
            continue
        os.write(1, f"{report.model_dump_json()}\n".encode())
        await db.close()
        return
    raise RuntimeError("unavailable for good")


def main(path: str) -> None:
    """Live as the file at `path` says: point and the call of it to stop at, sizes, clock, database."""
    config = json.loads(Path(path).read_text(encoding="utf-8"))
    if config["point"]:
        stop_at(POINTS[config["point"]], times=config["times"])
    asyncio.run(work(config))


if __name__ == "__main__":
    main(sys.argv[1])
