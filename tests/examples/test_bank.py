"""The bank that is played: its statements prove themselves, its misbehaviors are what their names say."""

import json
from datetime import date
from pathlib import Path

import pytest

from examples.bank import Bank, bank_of
from services.payments.statements import Kind, StatementFile, read_statement

DAY = date(2026, 3, 10)
HEADER, TRAILER = "H".ljust(320), "T".ljust(320)


@pytest.fixture
def exchange(tmp_path: Path) -> Path:
    for name in ("outbound", "inbound"):
        (tmp_path / name).mkdir()
    return tmp_path


def bank_at(exchange: Path, files: tuple[str, ...] = ()) -> Bank:
    behaviors = {"LAT": "late", "DUP": "duplicate", "PAR": "partial", "BAR": "bare", "RET": "return"}
    return Bank(exchange, exchange / "journal", behaviors, list(files), seed=7, day=DAY)


def order(exchange: Path, name: str, *invoices: str) -> None:
    """A payment-voucher file of payments of one thousand dollars."""
    lines = [
        f"{'D':<21} {invoice:<64}{'20260310'}{100_000:010d}".ljust(164) + f"{'dsb_' + invoice:<30}".ljust(156)
        for invoice in invoices
    ]
    (exchange / "outbound" / name).write_text("\n".join((HEADER, *lines, TRAILER)) + "\n")


def statements(exchange: Path) -> dict[str, StatementFile]:
    found = sorted((exchange / "inbound").iterdir())
    return {path.name: read_statement(path.read_bytes()) for path in found}


def test_a_payment_is_one_debit_with_its_reference(exchange: Path):
    order(exchange, "a.pvf", "INV-1")
    bank = bank_at(exchange)
    bank.look()
    bank.look()
    (file,) = statements(exchange).values()
    (line,) = file.lines
    assert (file.ok, line.amount_cents, line.reference, line.kind) == (True, -100_000, "dsb_INV-1", Kind.PAYMENT)
    assert file.accounts[0].balances_agree
    assert bank.quiet


def test_every_statement_of_every_behavior_proves_itself_and_continues_the_one_before(exchange: Path):
    order(exchange, "a.pvf", "LAT-1", "DUP-1", "PAR-1", "BAR-1", "RET-1")
    bank = bank_at(exchange)
    for _ in range(6):
        bank.look()
    closing = {"*2468": 50_000_000, "*8642": 0}
    moved = 0
    for file in statements(exchange).values():
        assert file.ok, file.faults
        (account,) = file.accounts
        assert account.opening_cents == closing[account.account]
        assert account.closing_cents is not None
        closing[account.account] = account.closing_cents
        moved += len(file.lines)
    assert moved == bank.movements == 5 + 1 + 2 + 1
    assert closing["*2468"] + closing["*8642"] - 50_000_000 == bank.moved_cents == -400_000


def test_statements_go_wrong_in_the_order_given(exchange: Path):
    bank = bank_at(exchange, ("wrong_total", "again", "overlap"))
    for number in range(3):
        order(exchange, f"{number}.pvf", f"INV-{number}")
        bank.look()
    found = statements(exchange)
    assert [name for name, file in found.items() if not file.ok] == ["paying-0001.bai2"]
    assert found["paying-0002.bai2"] == found["paying-0002-again.bai2"]
    assert [line.reference for line in found["paying-0003.bai2"].lines] == ["dsb_INV-1", "dsb_INV-2"]
    assert bank.wrong_totals == 1


def test_it_pays_an_invoice_as_told_the_second_time(exchange: Path):
    bank = bank_of({"exchange": str(exchange), "journal": str(exchange / "journal"), "behaviors": {"RET": "return"}})
    order(exchange, "a.pvf", "RET-1")
    for _ in range(3):
        bank.look()
    order(exchange, "b.pvf", "RET-1")
    for _ in range(3):
        bank.look()
    assert bank.moved_cents == -100_000
    told = [json.loads(line) for line in (exchange / "journal").read_text().splitlines()]
    assert [line["behavior"] for line in told if "payment" in line] == ["return", "as told"]
