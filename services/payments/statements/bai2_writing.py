"""The bank's side of BAI2: a file with right totals, for a bank that is played."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

RECORD_CHARS_MAX = 80


@dataclass(frozen=True, slots=True)
class WrittenLine:
    """One transaction: the amount without a sign, the type says which way it goes (455 debit, 257 return)."""

    type_code: str
    amount_cents: int
    bank_reference: str = ""
    reference: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class WrittenAccount:
    """One account with its transactions and its opening balance; the closing one follows."""

    number: str
    lines: tuple[WrittenLine, ...]
    opening_cents: int = 0


def write_bai2(bank: str, receiver: str, day: date, accounts: Sequence[WrittenAccount], file_id: str = "1") -> bytes:
    """One group of `day`; texts that do not fit in a record continue in 88 records."""
    records = [f"01,{bank},{receiver},{day:%y%m%d},0600,{file_id},{RECORD_CHARS_MAX},,2/"]
    group = [f"02,{receiver},{bank},1,{day:%y%m%d},,USD,2/"]
    group_total = 0
    for account in accounts:
        lines, total = _account(account)
        group += lines
        group_total += total
    group.append(f"98,{group_total},{len(accounts)},{len(group) + 1}/")
    records += group
    records.append(f"99,{group_total},1,{len(records) + 1}/")
    return "".join(f"{record}\n" for record in records).encode("ascii")


def _account(account: WrittenAccount) -> tuple[list[str], int]:
    moved = sum(line.amount_cents * (1 if line.type_code < "400" else -1) for line in account.lines)
    closing_cents = account.opening_cents + moved
    records = [f"03,{account.number},USD,010,{account.opening_cents},,/", f"88,015,{closing_cents},,/"]
    for line in account.lines:
        records += _transaction(line)
    total = account.opening_cents + closing_cents + sum(line.amount_cents for line in account.lines)
    records.append(f"49,{total},{len(records) + 1}/")
    return records, total


def _transaction(line: WrittenLine) -> list[str]:
    records = [f"16,{line.type_code},{line.amount_cents},Z,{line.bank_reference},{line.reference},/"]
    room = RECORD_CHARS_MAX - len("88,/")
    words, text = line.text.split(), ""
    for word in (*words, ""):
        if text and (not word or len(text) + 1 + len(word) > room):
            records.append(f"88,{text}/")
            text = ""
        text = f"{text} {word}".strip()[:room]
    return records
