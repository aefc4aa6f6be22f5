"""A bank for the tests: one account whose statements continue each other, in either format."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

from services.payments.statements import WrittenAccount, WrittenLine, write_bai2

ROUTING, NUMBER = "042000314", "0975312468"
OURS = frozenset({f"{ROUTING}/*2468"})
DAY = date(2026, 3, 11)


@dataclass
class Bank:
    """Keeps the balance; `statement` gives a file of the movements since the last one."""

    balance_cents: int = 10_000_000
    moved: list[WrittenLine] = field(default_factory=list)
    number: int = 0

    def debit(self, cents: int, reference: str = "", text: str = "PROVIDER PAYMENT", kind: str = "455") -> None:
        self._move(kind, cents, reference, text)

    def credit(self, cents: int, reference: str = "", text: str = "ACH RETURN R02", kind: str = "257") -> None:
        self._move(kind, cents, reference, text)

    def _move(self, kind: str, cents: int, reference: str, text: str) -> None:
        self.number += 1
        self.moved.append(WrittenLine(kind, cents, f"BR{self.number:06d}", reference, text))

    def statement(
        self, day: date = DAY, *, before: Sequence[WrittenLine] = (), opening_cents: int | None = None
    ) -> bytes:
        """The file; with `before` it repeats movements of the file before it."""
        repeated = _sum(before)
        opening = self.balance_cents - repeated if opening_cents is None else opening_cents
        lines = (*before, *self.moved)
        self.balance_cents += _sum(self.moved)
        self.moved = []
        return write_bai2(ROUTING, "CAIRN", day, [WrittenAccount(NUMBER, tuple(lines), opening)])


def _sum(lines: Sequence[WrittenLine]) -> int:
    return sum(line.amount_cents if line.type_code < "400" else -line.amount_cents for line in lines)
