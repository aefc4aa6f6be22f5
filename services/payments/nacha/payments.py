# pyright: strict
"""Payments as lines of CSV: every cell is checked, every fault named by line and column, none stops the others."""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from services.payments.line_faults import FAULTS_KEPT_MAX, CsvLines, LineFault
from services.payments.nacha.routing import is_routing_number, names_an_account
from services.payments.nacha.segments import Invoice, SegmentFaulty, invoice_segment
from services.payments.nacha.transactions import EntryClass

COLUMNS = {
    "payee_name": "name on the account: up to 22 characters, 16 for CTX",
    "routing_number": "nine digits, the last a check digit",
    "account_number": "up to 17 characters",
    "account_type": "checking or savings",
    "amount_cents": "whole cents, more than 0; 0 for a prenote",
    "identification": "optional: up to 15 characters by which the payee knows itself",
    "invoices": "optional for CCD and PPD (one), needed for CTX: INV-1, or INV-1:1200;INV-2:800 in cents",
    "kind": "optional: payment (default), prenote or reversal",
}
REQUIRED = ("payee_name", "routing_number", "account_number", "account_type", "amount_cents")
AMOUNT_CENTS_MAX = 9_999_999_999
_PRINTABLE = re.compile(r"[\x20-\x7e]*")


@dataclass(frozen=True, slots=True)
class Payment:
    """One line: what is paid to whom, and for which invoices."""

    payee_name: str
    routing_number: str
    account_number: str
    account_type: str
    amount_cents: int
    identification: str = ""
    invoices: tuple[Invoice, ...] = ()
    kind: str = "payment"


class PaymentLines:
    """Iterate over the payments without a fault, then look at the faults. Nothing is kept but these."""

    def __init__(self, lines: Iterable[str], *, file: str, entry_class: EntryClass) -> None:
        self.faults: list[LineFault] = []
        self.fault_count = 0
        self._lines = lines
        self._file = file
        self._class = entry_class

    def __iter__(self) -> Iterator[Payment]:
        lines = CsvLines(self._lines)
        rows = csv.reader(lines, strict=True)
        names: list[str] | None = None
        payments = 0
        try:
            for cells in rows:
                if not any(cell.strip() for cell in cells):
                    continue
                if names is None:
                    names = [cell.strip().lower() for cell in cells]
                    if not self._names_fit(rows.line_num, names):
                        return
                    continue
                payments += 1
                if (payment := self._payment(rows.line_num, names, cells)) is not None:
                    yield payment
        except csv.Error as error:
            self._fault(rows.line_num, *lines.refused(names or (), error))
            return
        if payments == 0:
            self._fault(max(rows.line_num, 1), "", "the file holds no payments")

    def _names_fit(self, line: int, names: list[str]) -> bool:
        before = self.fault_count
        for name in names:
            if name not in COLUMNS:
                self._fault(line, name, f"is not a column; the columns are {', '.join(COLUMNS)}")
            elif names.count(name) > 1:
                self._fault(line, name, "stands there twice")
        for name in REQUIRED:
            if name not in names:
                self._fault(line, name, "this column is missing")
        return self.fault_count == before

    def _payment(self, line: int, names: list[str], cells: Sequence[str]) -> Payment | None:
        if len(cells) != len(names):
            self._fault(line, "", f"{len(cells)} cells where the header has {len(names)}")
            return None
        before = self.fault_count
        row = dict.fromkeys(COLUMNS, "") | {n: c.strip() for n, c in zip(names, cells, strict=True)}
        kind = row["kind"].lower() or "payment"
        if kind not in {"payment", "prenote", "reversal"}:
            self._fault(line, "kind", f"{row['kind']!r} is neither payment, prenote nor reversal")
        self._text(line, "payee_name", row, 16 if self._class is EntryClass.CTX else 22)
        if not is_routing_number(row["routing_number"]):
            self._fault(line, "routing_number", f"{row['routing_number']!r} is not nine digits with their check digit")
        self._text(line, "account_number", row, 17)
        if row["account_number"] and not names_an_account(row["account_number"]):
            self._fault(line, "account_number", "holds nothing but zeros, blanks or hyphens")
        if (account_type := row["account_type"].lower()) not in {"checking", "savings"}:
            self._fault(line, "account_type", f"{row['account_type']!r} is neither checking nor savings")
        self._text(line, "identification", row, 15, optional=True)
        amount = self._amount(line, row["amount_cents"], kind)
        invoices = self._invoices(line, row["invoices"], kind, amount)
        if self.fault_count > before:
            return None
        return Payment(
            row["payee_name"],
            row["routing_number"],
            row["account_number"],
            account_type,
            amount,
            row["identification"],
            invoices,
            kind,
        )

    def _text(self, line: int, column: str, row: dict[str, str], most: int, *, optional: bool = False) -> None:
        value = row[column]
        if not value and not optional:
            self._fault(line, column, "is empty")
        elif len(value) > most:
            self._fault(line, column, f"{len(value)} characters where {most} fit")
        elif _PRINTABLE.fullmatch(value) is None:
            self._fault(line, column, "holds a character that is not printable ASCII")

    def _amount(self, line: int, text: str, kind: str) -> int:
        if re.fullmatch(r"[0-9]{1,15}", text) is None:
            self._fault(line, "amount_cents", f"{text!r} is not a whole number of cents")
            return 0
        amount = int(text)
        if kind == "prenote" and amount:
            self._fault(line, "amount_cents", "a prenote moves nothing: 0 belongs here")
        elif kind != "prenote" and not 0 < amount <= AMOUNT_CENTS_MAX:
            self._fault(line, "amount_cents", "is not between 1 and 9,999,999,999 ($99,999,999.99)")
        return amount

    def _invoices(self, line: int, text: str, kind: str, amount: int) -> tuple[Invoice, ...]:
        if kind != "payment":
            if text:
                self._fault(line, "invoices", f"a {kind} carries no remittance")
            return ()
        parts = [part for part in text.split(";") if part.strip()]
        found: list[Invoice] = []
        for part in parts:
            number, colon, cents = part.strip().rpartition(":")
            if not colon:
                number, cents = cents, str(amount) if len(parts) == 1 else ""
            if re.fullmatch(r"[0-9]{1,10}", cents) is None:
                self._fault(line, "invoices", f"{part.strip()!r} does not say how many cents are for it")
                continue
            invoice = Invoice(number.strip(), int(cents))
            try:
                invoice_segment(invoice)
            except SegmentFaulty as fault:
                self._fault(line, "invoices", str(fault))
            found.append(invoice)
        if self._class is EntryClass.CTX and not parts:
            self._fault(line, "invoices", "a CTX payment names its invoices")
        elif self._class is not EntryClass.CTX and len(parts) > 1:
            self._fault(line, "invoices", f"{len(parts)} invoices where the one addendum of {self._class} names one")
        elif len(found) == len(parts) and parts and sum(one.amount_cents for one in found) != amount:
            total = sum(one.amount_cents for one in found)
            self._fault(line, "invoices", f"the invoices come to {total} cents, the payment to {amount}")
        return tuple(found)

    def _fault(self, line: int, column: str, reason: str) -> None:
        self.fault_count += 1
        if len(self.faults) < FAULTS_KEPT_MAX:
            self.faults.append(LineFault(self._file, line, column, reason))
