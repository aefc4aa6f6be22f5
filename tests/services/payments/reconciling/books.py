"""A world in which payments, files and the bank agree, and what a test plants in it."""

from dataclasses import dataclass, field, replace
from datetime import date, timedelta

from services.payments.reconciling import FileEntry, Reconciliation, TransitItem, reconcile
from services.payments.statements import Kind, StatementLine, StatementLineId

DAY = date(2026, 3, 10)
COMPANY = "1316402047"


@dataclass
class Books:
    """A world in which everything agrees, until something is planted."""

    items: list[TransitItem] = field(default_factory=list)
    entries: list[FileEntry] = field(default_factory=list)
    lines: list[StatementLine] = field(default_factory=list)
    expected: set[tuple[str, str]] = field(default_factory=set)

    def pay(self, number: int, cents: int, *, day: date = DAY, batch: str = "bat_1", line: bool = True) -> str:
        """An ordered payment, and the bank's debit for it."""
        name = f"dsb_{number}"
        self.items.append(TransitItem(name, cents, day))
        self.entries.append(FileEntry(f"0420003{number:08d}", name, COMPANY, batch, day, cents))
        if line:
            self.add(-cents, reference=name, day=day + timedelta(days=1))
        return name

    def add(self, cents: int, **said: object) -> StatementLine:
        made = line_of(len(self.lines), cents, **said)
        self.lines.append(made)
        return made

    def run(self, as_of: date = DAY + timedelta(days=2)) -> Reconciliation:
        return reconcile(self.items, self.entries, self.lines, as_of=as_of)


def line_of(number: int, cents: int, **said: object) -> StatementLine:
    plain = StatementLine(
        line_id=StatementLineId.derive(number),
        account="*2468",
        day=DAY + timedelta(days=1),
        value_on=None,
        amount_cents=cents,
        bank_reference=f"BR{number}",
        reference="",
        trace="",
        company_id="",
        kind=Kind.PAYMENT if cents < 0 else Kind.RETURN,
        return_code=None,
        description="",
        record=number + 1,
    )
    return replace(plain, **said)


def endings(result: Reconciliation) -> dict[str, str]:
    return {verdict.item.disbursement_id: verdict.reason for verdict in result.items}


def reasons(result: Reconciliation) -> list[str]:
    return [verdict.reason for verdict in result.lines]
