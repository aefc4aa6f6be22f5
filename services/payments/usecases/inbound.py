"""Read the files that wait, one after the other: what cannot be read is put aside, and holds up no other file."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Collection
from datetime import datetime

from contracts.errors import Unavailable
from kit.db import Database
from kit.telemetry import logger
from services.payments.gateways import Exchange, FileTooLarge
from services.payments.store import inbound as store
from services.payments.usecases.screening import alert

FILES_PER_TURN_MAX = 50
TRIES_MAX = 3

_log = logger(__name__)


async def read_each(
    suffixes: Collection[str],
    take: Callable[[str, bytes], Awaitable[object]],
    *,
    exchange: Exchange,
    db: Database,
    now: datetime,
) -> int:
    """Give each file of these kinds to `take`, oldest name first; returns how many were read.

    A file that fails is tried again in the next turns, and put aside after three tries with an alert to staff, one that
    is too large at once. What is unavailable is no fault of the file: that ends the turn. The first fault is raised
    once every file was tried.
    """
    names = (await asyncio.to_thread(exchange.waiting, suffixes))[:FILES_PER_TURN_MAX]
    count, first = 0, None
    for name in names:
        try:
            content = await asyncio.to_thread(exchange.read, name)
        except FileTooLarge as error:
            digest = bytes.fromhex(str(error.facts["sha256"]))
            await _failed(name, digest, error, tries_max=1, exchange=exchange, db=db, now=now)
            continue
        if content is None:
            continue
        try:
            await take(name, content)
        except Unavailable:
            raise
        except Exception as error:
            digest = hashlib.sha256(content).digest()
            await _failed(name, digest, error, tries_max=TRIES_MAX, exchange=exchange, db=db, now=now)
            first = first or error
            continue
        # After the commit: a crash in between reads the file again, which changes nothing.
        await asyncio.to_thread(exchange.done, name)
        count += 1
    if first is not None:
        raise first
    return count


async def _failed(
    name: str, digest: bytes, error: Exception, *, tries_max: int, exchange: Exchange, db: Database, now: datetime
) -> None:
    kind = type(error).__name__
    async with db.transaction() as tx:
        tries = await store.failed(tx, name, digest, kind, now=now)
        if tries >= tries_max:
            await store.set_aside(tx, name, digest, now=now)
            explanation = f"{name} could not be read in {tries} tries ({kind}): it is in the folder of failed files"
            await alert(tx, "file_set_aside", explanation, key=digest.hex(), now=now)
    _log.warning("inbound.file_failed", file=name, tries=tries, error=kind)
    if tries >= tries_max:
        await asyncio.to_thread(exchange.set_aside, name)
