"""A day of reconciling in a process of its own, which stops at a point and is killed there: `python -m … FILE`."""

import asyncio
import json
import sys
from collections.abc import Collection
from datetime import datetime
from pathlib import Path

from cairn.drills.dying import Point, stop_at
from kit.db import Database
from services.payments.gateways import Exchange, ExchangeFolder
from services.payments.store import disbursements as payment_store
from services.payments.store import reconciliation as store
from services.payments.store import statements as statement_store
from services.payments.usecases.confirmations import read_inbound
from services.payments.usecases.reconciliation import reconcile_open
from services.payments.usecases.statements import read_statements

POINTS = {
    "while the lines of a statement are kept": Point(statement_store, "add_lines", True),
    "between a statement and the matching of its lines": Point(store, "open_lines", False),
    "between settlements by a statement and their evidence": Point(store, "add_evidence", False),
    "while lines are ended": Point(store, "end_lines", True),
    "while a confirmed payment is settled": Point(payment_store, "settled", True),
}
"""Where a day's work dies."""


async def work(*, exchange: Exchange, ours: Collection[str], db: Database, now: datetime) -> None:
    """Read what the finance system and the bank say, match it with what is out, settle."""
    await read_inbound(exchange=exchange, db=db, now=now)
    await read_statements(exchange=exchange, ours=ours, db=db, now=now)
    await reconcile_open(db=db, now=now)


async def main(path: str) -> None:
    """Live as the file at `path` says: point, clock, accounts, folder, database."""
    config = json.loads(Path(path).read_text(encoding="utf-8"))
    stop_at(POINTS[config["point"]])
    db = await Database.connect(config["dsn"], schema="payments", application_name="drill child", connections_max=2)
    exchange, now = ExchangeFolder(Path(config["folder"])), datetime.fromisoformat(config["now"])
    await work(exchange=exchange, ours=config["ours"], db=db, now=now)
    await db.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
