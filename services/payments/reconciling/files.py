"""Payments in transit and file entries as CSV, for a reconciliation without a running stack."""

import csv
import io
import re
from collections.abc import Callable
from datetime import date
from typing import TypeVar

from contracts.money import CENTS_MAX
from services.payments.reconciling.items import FileEntry, ItemState, TransitItem

ROWS_MAX = 200_000
_TEXT = re.compile(r"^[\x21-\x7e]{1,64}$")
T = TypeVar("T")


class FileFaulty(ValueError):
    """A table cannot be read: `row` from 1 (the heading), `column`, and why."""

    def __init__(self, row: int, column: str, explanation: str) -> None:
        super().__init__(f"row {row}, {column}: {explanation}")
        self.row, self.column = row, column


def read_transit(text: str) -> list[TransitItem]:
    """Columns `disbursement_id,amount_cents,sent_on`, optional `state` and `evidence` (line ids, spaces between)."""

    def item(row: dict[str, str]) -> TransitItem:
        state = row.get("state") or ItemState.IN_TRANSIT
        if state not in set(ItemState):
            raise _wrong("state", state)
        return TransitItem(
            disbursement_id=_word(row, "disbursement_id"),
            amount_cents=_cents(row, "amount_cents"),
            sent_on=_day(row, "sent_on"),
            state=ItemState(state),
            evidence=tuple(sorted((row.get("evidence") or "").split())),
        )

    return _rows(text, ("disbursement_id", "amount_cents", "sent_on"), item)


def read_entries(text: str) -> list[FileEntry]:
    """Columns `trace,disbursement_id,company_id,effective_on,amount_cents`, optional `batch_id`, `batch_reference`."""

    def entry(row: dict[str, str]) -> FileEntry:
        return FileEntry(
            trace=_word(row, "trace"),
            disbursement_id=_word(row, "disbursement_id"),
            company_id=_word(row, "company_id"),
            batch_id=(row.get("batch_id") or "").strip(),
            batch_reference=(row.get("batch_reference") or "").strip(),
            effective_on=_day(row, "effective_on"),
            amount_cents=_cents(row, "amount_cents"),
        )

    return _rows(text, ("trace", "disbursement_id", "company_id", "effective_on", "amount_cents"), entry)


class _Wrong(ValueError):
    def __init__(self, column: str, explanation: str) -> None:
        super().__init__(explanation)
        self.column = column


def _rows(text: str, columns: tuple[str, ...], make: Callable[[dict[str, str]], T]) -> list[T]:
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")), strict=True)
    found: list[T] = []
    try:
        missing = [column for column in columns if column not in (reader.fieldnames or ())]
        if missing:
            raise FileFaulty(1, missing[0], "the column is missing")
        for number, row in enumerate(reader, 2):
            if number > ROWS_MAX + 1:
                raise FileFaulty(number, "row", f"only {ROWS_MAX} rows are read")
            if None in row:
                raise FileFaulty(number, "row", "more values than columns")
            try:
                found.append(make(row))
            except _Wrong as wrong:
                raise FileFaulty(number, wrong.column, str(wrong)) from wrong
    except csv.Error as error:
        raise FileFaulty(len(found) + 2, "row", str(error)) from error
    return found


def _wrong(column: str, text: str) -> _Wrong:
    return _Wrong(column, f"{text[:40]!r} does not belong here")


def _word(row: dict[str, str], column: str) -> str:
    text = (row.get(column) or "").strip()
    if _TEXT.match(text) is None:
        raise _wrong(column, text)
    return text


def _cents(row: dict[str, str], column: str) -> int:
    text = (row.get(column) or "").strip()
    if re.fullmatch(r"[0-9]{1,10}", text) is None or not 0 < int(text) <= CENTS_MAX:
        raise _wrong(column, text)
    return int(text)


def _day(row: dict[str, str], column: str) -> date:
    text = (row.get(column) or "").strip()
    try:
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text) is None:
            raise _wrong(column, text)
        return date.fromisoformat(text)
    except ValueError:
        raise _wrong(column, text) from None
