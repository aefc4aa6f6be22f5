"""A finance office in a process of its own, which stops at a point and is killed there: `python -m … CONFIG.json`.

It does what is left to do, from wherever the one before it died: build, approve, transmit, read the bank's answers.
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from cairn.drills.bank_files_desk import AT, CHECKER, MAKER, rails_of
from cairn.drills.dying import Point, stop_at
from kit.db import Database
from services.payments.domain import NothingToPay
from services.payments.gateways import ExchangeFolder
from services.payments.store import batches as batch_store
from services.payments.store import disbursements as payment_store
from services.payments.usecases import postings
from services.payments.usecases.batches import approve_batch, build_batch, transmit_batches
from services.payments.usecases.confirmations import read_inbound

POINTS = {
    "while a batch is built": Point(batch_store, "add_batch", True),
    "after a batch is built": Point(batch_store, "batches_built", False),
    "while its money is posted": Point(postings.ledger_store, "post", True),
    "while its approval is saved": Point(batch_store, "add_entries", True),
    "before its file is staged": Point(ExchangeFolder, "stage", False),
    "after its file is staged": Point(ExchangeFolder, "stage", True),
    "before its file goes out": Point(ExchangeFolder, "release", False),
    "after its file went out": Point(ExchangeFolder, "release", True),
    "while a settlement is saved": Point(payment_store, "settled", True),
    "after a settlement is saved": Point(ExchangeFolder, "done", False),
}
"""Where the office dies."""


async def work(config: dict[str, Any]) -> None:
    """One turn of the office."""
    rails = rails_of(config["seed"])
    exchange = ExchangeFolder(Path(config["folder"]))
    db = await Database.connect(config["dsn"], schema="payments", application_name="drill child", connections_max=2)
    try:
        try:
            async with db.transaction() as tx:
                await build_batch(tx, maker=MAKER, rails=rails, now=AT)
        except NothingToPay:
            pass
        async with db.transaction() as tx:
            built = await batch_store.batches_built(tx)
        for batch_id in built:
            async with db.transaction() as tx:
                await approve_batch(tx, batch_id, checker=CHECKER, rails=rails, now=AT)
        await transmit_batches(exchange=exchange, db=db, now=AT)
        await read_inbound(exchange=exchange, db=db, now=AT)
    finally:
        await db.close()


def main() -> None:
    config = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    if config["point"]:
        stop_at(POINTS[config["point"]])
    asyncio.run(work(config))


if __name__ == "__main__":
    main()
