"""Hold a payee's payments for a person: by hand, by a screening list, by a return; two people release."""

import csv
import hashlib
import io
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from contracts.errors import NotFound
from kit.db import Connection, Database
from services.payments.domain import two_people
from services.payments.payees.payees import (
    Hold,
    HoldAlreadyReleased,
    HoldSource,
    ListUnreadable,
    PayeeHoldId,
    ReleaseNotProposed,
    name_key,
)
from services.payments.store import payees as store
from services.payments.store import screening as list_store
from services.payments.store.screening import PaymentAlert, ScreeningEntry

SCREENING = "screening"
LIST_LINES_MAX = 100_000
_REQUIRED = ("reference", "name")


async def hold_payee(tx: Connection, provider_id: str, reason: str, *, by: str, now: datetime) -> Hold:
    """Hold every payment to a payee from the next batch on."""
    if provider_id not in await store.lock(tx, [provider_id]):
        raise NotFound(kind="payee")
    hold_id = PayeeHoldId.new()
    hold = Hold(hold_id, provider_id, HoldSource.MANUAL, hold_id, reason, by, now, None, None, None)
    await store.add_hold(tx, hold)
    return hold


async def place_hold(
    tx: Connection, provider_id: str, source: HoldSource, reference: str, reason: str, *, by: str, now: datetime
) -> bool:
    """Hold a payee for a reason that comes with a reference; False where that reason was placed before."""
    hold = Hold(PayeeHoldId.new(), provider_id, source, reference, reason, by, now, None, None, None)
    return await store.add_hold(tx, hold)


async def propose_release(
    tx: Connection, provider_id: str, hold_id: str, reason: str, *, maker: str, now: datetime
) -> Hold:
    """Say why a hold may go; another person has to agree."""
    hold = await _open_hold(tx, provider_id, hold_id)
    await store.propose_release(tx, hold_id, reason, maker=maker, now=now)
    return replace(hold, release_reason=reason, release_made_by=maker)


async def approve_release(tx: Connection, provider_id: str, hold_id: str, *, checker: str, now: datetime) -> Hold:
    """Release a hold; `MakerIsChecker` where the same person proposed it."""
    hold = await _open_hold(tx, provider_id, hold_id)
    if hold.release_made_by is None:
        raise ReleaseNotProposed
    two_people(checker, hold.release_made_by)
    await store.release(tx, hold_id, checker=checker, now=now)
    return replace(hold, released_by=checker)


async def _open_hold(tx: Connection, provider_id: str, hold_id: str) -> Hold:
    hold = await store.hold(tx, hold_id)
    if hold is None or hold.provider_id != provider_id:
        raise NotFound(kind="payee hold")
    if hold.released_by is not None:
        raise HoldAlreadyReleased
    return hold


async def take_screening_list(
    tx: Connection, content: bytes, list_name: str, *, imported_by: str, now: datetime
) -> tuple[int, list[str]]:
    """Take a list in and hold every payee on it; how many lines, and who is held now. The same list changes nothing."""
    entries = read_screening_list(content)
    await list_store.add_screening(tx, list_name, entries, imported_by=imported_by, now=now)
    return len(entries), await screen(tx, None, now=now)


async def screen(tx: Connection, provider_ids: Sequence[str] | None, *, now: datetime) -> list[str]:
    """Compare payees, or all of them, with the lists: each hit holds the payee until two people said it is another."""
    held: list[str] = []
    for provider_id, supplier_numbers, names in await list_store.names_of_payees(tx, provider_ids):
        keys = sorted({name_key(name) for name in names})
        for list_name, reference, name in await list_store.screening_hits(tx, keys, supplier_numbers):
            placed = await place_hold(
                tx,
                provider_id,
                HoldSource.SCREENING,
                f"{list_name}/{reference}",
                f"resembles {name!r} on {list_name}",
                by=SCREENING,
                now=now,
            )
            if placed and provider_id not in held:
                held.append(provider_id)
                explanation = f"a name or number of the payee is on {list_name}: payments wait for two people"
                await alert(tx, "screening_hit", explanation, provider_id=provider_id, key=reference, now=now)
    return held


def read_screening_list(content: bytes) -> list[ScreeningEntry]:
    """A CSV with `reference`, `name` and, where known, `supplier_number`; `ListUnreadable` names the line."""
    try:
        rows = csv.DictReader(io.StringIO(content.decode("utf-8-sig")), strict=True)
        missing = [name for name in _REQUIRED if name not in (rows.fieldnames or ())]
        if missing:
            raise ListUnreadable(why=f"there is no column {missing[0]}")
        entries = {
            row["reference"].strip(): _entry(number, row) for number, row in enumerate(rows, 2) if any(row.values())
        }
    except (UnicodeDecodeError, csv.Error):
        raise ListUnreadable(why="it is not CSV in UTF-8") from None
    if not 0 < len(entries) <= LIST_LINES_MAX:
        raise ListUnreadable(why=f"{len(entries)} lines; between 1 and {LIST_LINES_MAX} are taken at once")
    return list(entries.values())


def _entry(number: int, row: dict[str, str]) -> ScreeningEntry:
    reference, name = (row.get("reference") or "").strip(), (row.get("name") or "").strip()
    if not reference or not name_key(name):
        raise ListUnreadable(why=f"line {number} has no reference or no name")
    return ScreeningEntry(reference, name, name_key(name), (row.get("supplier_number") or "").strip() or None)


async def alert(
    tx: Connection,
    code: str,
    explanation: str,
    *,
    now: datetime,
    provider_id: str | None = None,
    disbursement_id: str | None = None,
    batch_id: str | None = None,
    key: str = "",
) -> str:
    """Call finance staff, once for the same matter; the alert's id."""
    parts = "\x1f".join((code, provider_id or "", disbursement_id or "", batch_id or "", key))
    alert_id = f"alr_{hashlib.sha256(parts.encode()).hexdigest()[:26]}"
    await list_store.raise_alert(
        tx, PaymentAlert(alert_id, code, provider_id, disbursement_id, batch_id, explanation, now)
    )
    return alert_id


async def open_alerts(*, db: Database) -> list[PaymentAlert]:
    """What finance staff have to look at, the newest first."""
    async with db.connection() as connection:
        return await list_store.alerts(connection)


async def close_alert(alert_id: str, *, by: str, db: Database, now: datetime) -> None:
    """Say that an alert was dealt with."""
    async with db.transaction() as tx:
        if not await list_store.close_alert(tx, alert_id, by=by, now=now):
            raise NotFound(kind="open payment alert")
