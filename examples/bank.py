"""The bank: books the payments it finds in the exchange folder and sends statements, not always as it should.

`python -m examples.bank --config FILE`; the file is JSON: `{"exchange", "journal", "seed", "behaviors", "files"}`.
`behaviors` says how payments go whose invoice number (or, in ACH files, identification) begins with a key:
`late` `duplicate` `partial` `bare` `return` `late_return`. `files` says what becomes of the statements, in this order:
`wrong_total` `again` `overlap` `gap`. Debits stand in BAI2 statements of one account, what comes back in camt.053
statements of another. It reads payment-voucher files (`CAIRNPV1`) and ACH files, and knows nothing else of Cairn.
"""

import argparse
import asyncio
import json
import random
import signal
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from examples.bank_statements import Account, Day, Movement, bai2, camt053
from examples.days import today

POLL_SECONDS = 0.2
BANK, PAYING, RETURNING = "042000314", "0975312468", "0975318642"
VOUCHERS, ACH = ".pvf", ".ach"
INVOICE, AMOUNT, PAYMENT = slice(22, 86), slice(94, 104), slice(164, 194)
CREDITS = {"22", "32"}
WITHHELD_LOOKS, WITHHELD_LOOKS_MAX = 3, 15
LATER_LOOKS = 2


@dataclass(frozen=True)
class Order:
    """One payment that the bank was told to make."""

    reference: str
    invoice: str
    amount_cents: int


def orders_in(name: str, content: bytes) -> list[Order]:
    """The payments of a file of either kind."""
    lines = content.decode("ascii").splitlines()
    if name.endswith(VOUCHERS):
        return [Order(one[PAYMENT].strip(), one[INVOICE].strip(), int(one[AMOUNT])) for one in lines[1:-1]]
    entries = [one for one in lines if one[:1] == "6" and one[1:3] in CREDITS and int(one[29:39])]
    return [Order(one[79:94], one[39:54].strip(), int(one[29:39])) for one in entries]


@dataclass
class Bank:
    """Keeps two accounts; what a payment's behavior puts off is booked on the statements after."""

    exchange: Path
    journal: Path
    behaviors: dict[str, str]
    files: list[str]
    seed: int = 0
    settle_looks: int = 0
    """How many looks a payment takes from its file to the account."""
    late_return_looks: int = 4
    """After how many looks a payment that had been made comes back."""
    day: date | None = None
    """The day of every statement; today if left out."""
    paying: Account = field(default_factory=lambda: Account(PAYING, 50_000_000))
    returning: Account = field(default_factory=lambda: Account(RETURNING, 0))
    _told: list[tuple[int, Order]] = field(default_factory=list)
    _seen: set[str] = field(default_factory=set)
    _invoices: set[str] = field(default_factory=set)
    _later: list[tuple[int, Account, Movement]] = field(default_factory=list)
    _before: Day | None = None
    statements: int = 0
    _withheld: tuple[str, bytes] | None = None
    _patience: int = 0
    wrong_totals: int = 0

    def __post_init__(self) -> None:
        self._chance = random.Random(self.seed)

    @property
    def movements(self) -> int:
        return self.paying.movements + self.returning.movements

    @property
    def moved_cents(self) -> int:
        """What all movements have done to both accounts."""
        return self.paying.booked_cents + self.returning.booked_cents

    @property
    def quiet(self) -> bool:
        """Nothing is put off, and nothing moved since the last statements."""
        return not (self._told or self._later or self._withheld or self.paying.new or self.returning.new)

    def look(self) -> None:
        """Book what is new in the folder, then what was put off, and send statements where something moved."""
        put_off, self._later = self._later, []
        for looks, account, movement in put_off:
            if looks > 1:
                self._later.append((looks - 1, account, movement))
            else:
                account.book(movement)
        for path in sorted((self.exchange / "outbound").iterdir()):
            if path.suffix in {VOUCHERS, ACH} and path.name not in self._seen and not path.name.startswith("."):
                self._seen.add(path.name)
                self._told += [(self.settle_looks, order) for order in orders_in(path.name, path.read_bytes())]
        told, self._told = self._told, []
        for looks, order in told:
            if looks > 0:
                self._told.append((looks - 1, order))
            else:
                self._pay(order)
        if self._withheld:
            self._patience -= 1
            if self._patience <= 0:
                name, content = self._withheld
                self._withheld = None
                self._put(name, content)
        if self.paying.new:
            self._send_paying()
        if self.returning.new:
            lines = self.returning.close()
            self.statements += 1
            content = camt053(BANK, self.returning, lines, self._day(), self.statements)
            self._put(f"returns-{self.statements:04d}.camt053", content)

    def _pay(self, order: Order) -> None:
        """Book one payment as its invoice number says; only the first time, if it is paid again."""
        behavior = next((how for start, how in self.behaviors.items() if order.invoice.startswith(start)), "")
        if order.invoice in self._invoices:
            behavior = ""
        self._invoices.add(order.invoice)
        self.write({"payment": order.reference, "amount_cents": order.amount_cents, "behavior": behavior or "as told"})
        debit = self._debit(order.reference, order.amount_cents)
        match behavior:
            case "late":
                self._later.append((LATER_LOOKS, self.paying, debit))
            case "duplicate":
                self.paying.book(debit)
                self.paying.book(self._debit(order.reference, order.amount_cents))
                back = Movement("195", order.amount_cents, self._number(), order.reference, "ENTERED TWICE, REVERSED")
                self._later.append((LATER_LOOKS, self.paying, back))
            case "partial":
                short = self._chance.randrange(1_000, order.amount_cents // 2)
                self.paying.book(self._debit(order.reference, order.amount_cents - short))
                self._later.append((LATER_LOOKS, self.paying, self._debit(order.reference, short)))
            case "bare":
                self.paying.book(self._debit("", order.amount_cents))
            case "return" | "late_return":
                self.paying.book(debit)
                code = "R03" if behavior == "return" else "R02"
                back = Movement("257", order.amount_cents, self._number(), order.reference, f"RETURN {code}", code)
                looks = 1 if behavior == "return" else self.late_return_looks
                self._later.append((looks, self.returning, back))
            case _:
                self.paying.book(debit)

    def _debit(self, reference: str, cents: int) -> Movement:
        return Movement("455", cents, self._number(), reference, "PROVIDER PAYMENT")

    def _number(self) -> str:
        return f"BK{self._chance.randrange(10**9):09d}"

    def _send_paying(self) -> None:
        """The paying account's statement, sent as the next of `files` says."""
        opening_cents, lines = self.paying.balance_cents, self.paying.close()
        self.statements += 1
        name = f"paying-{self.statements:04d}"
        day, before = Day(self._day(), opening_cents, tuple(lines)), self._before
        content = bai2(BANK, self.paying.number, [day], self.statements)
        behavior = self.files.pop(0) if self.files and not self._withheld else ""
        self.write({"statement": name, "lines": len(lines), "behavior": behavior or "as it should be"})
        match behavior:
            case "wrong_total":
                self.wrong_totals += 1
                self._put(f"{name}.bai2", content.replace(b"\n49,", b"\n49,7", 1))
                self._put(f"{name}-corrected.bai2", content)
            case "again":
                self._put(f"{name}.bai2", content)
                self._put(f"{name}-again.bai2", content)
            case "overlap":
                self._put(f"{name}.bai2", self._with_before(before, day))
            case "gap":
                self._withheld, self._patience = (f"{name}.bai2", content), WITHHELD_LOOKS_MAX
            case _:
                self._put(f"{name}.bai2", content)
                # One that stays behind comes when this one has been out for a while.
                self._patience = min(self._patience, WITHHELD_LOOKS)
        self._before = day

    def _with_before(self, before: Day | None, day: Day) -> bytes:
        """A statement that repeats the one before: as a group of its own, or in front of the same day's lines."""
        days = [day]
        if before is not None and before.on != day.on:
            days = [before, day]
        elif before is not None:
            days = [Day(day.on, before.opening_cents, (*before.lines, *day.lines))]
        return bai2(BANK, self.paying.number, days, self.statements)

    def _day(self) -> date:
        return self.day or today()

    def _put(self, name: str, content: bytes) -> None:
        inbound = self.exchange / "inbound"
        staged = inbound / f".{name}"
        staged.write_bytes(content)
        staged.rename(inbound / name)

    def write(self, line: dict[str, Any]) -> None:
        with self.journal.open("a") as file:
            file.write(json.dumps(line) + "\n")


def bank_of(config: dict[str, Any]) -> Bank:
    files: Sequence[str] = config.get("files", ())
    return Bank(
        exchange=Path(config["exchange"]),
        journal=Path(config["journal"]),
        behaviors=config.get("behaviors", {}),
        files=list(files),
        seed=config.get("seed", 0),
        settle_looks=config.get("settle_looks", 0),
        late_return_looks=config.get("late_return_looks", 4),
    )


async def serve(config: dict[str, Any]) -> None:
    """Look at the folder until told to stop."""
    bank = bank_of(config)
    asked = asyncio.Event()
    for sign in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(sign, asked.set)
    print(json.dumps({"ready": True}), flush=True)
    told: dict[str, Any] = {}
    while not asked.is_set():
        bank.look()
        now = {"quiet": bank.quiet, "moved_cents": bank.moved_cents, "statements": bank.statements}
        if now != told:
            told = now
            bank.write(now)
        try:
            await asyncio.wait_for(asked.wait(), config.get("every_seconds", POLL_SECONDS))
        except TimeoutError:
            continue


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--config", type=Path, required=True)
    asyncio.run(serve(json.loads(arguments.parse_args().config.read_text())))
