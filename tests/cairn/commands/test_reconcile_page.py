"""The page of reconciliation: every part is there, sums add up on it, and what is wrong is said in the last line."""

import io
import json
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from rich.console import Console

from cairn.commands.reconcile_page import facts_of, show
from contracts.ids import DisbursementId
from services.payments.reconciling import Ending, ItemState, ItemVerdict, TransitItem
from services.payments.reconciling.decisions import ReconciliationActId
from services.payments.statements import Kind, StatementLine, StatementLineId
from services.payments.statements.chain import BankStatementId
from services.payments.store.reconciliation_acts import Act
from services.payments.store.reconciliation_page import Account, Ended, OpenLine, OpenWord
from services.payments.store.statements import Statement
from services.payments.usecases.reconciliation_page import Aged, InTransit, Page

DAY = date(2026, 3, 10)
NOW = datetime(2026, 3, 12, tzinfo=UTC)
PAYMENT, LINE = DisbursementId.derive("a"), StatementLineId.derive("a")


@pytest.fixture
def page() -> Page:
    """One of everything."""
    said = ("BR1", "", "", "")
    line = StatementLine(LINE, "*2468", DAY, None, -275_000, *said, Kind.PAYMENT, None, "PROVIDER PAYMENT", 4)
    candidate = {"id": PAYMENT, "days": 1, "reason": "amount"}
    item = TransitItem(PAYMENT, 275_000, date(2026, 3, 2))
    total = "7100 announced, 100 found"
    where = (BankStatementId.derive(1), b"", 0, "bai2", "", "", DAY)
    held = Statement(*where, None, None, 0, 0, "held", "control_total", total, (), NOW, "")
    act = Act(ReconciliationActId.derive(1), "match", LINE, None, PAYMENT, "by phone", True, "waiting", "cli/ann", NOW)
    return Page(
        as_of=NOW.date(),
        in_transit=InTransit(1, 275_000, 275_000, 275_000, 0, 0),
        lines=((OpenLine(line, "042000314", "candidates_found", 0, (), [candidate]), 2),),
        payments=(ItemVerdict(item, ItemState.IN_TRANSIT, Ending.OPEN, "overdue", 8),),
        aging=(Aged("0-2 days", 1, 275_000, 0, 0), Aged("6-10 days", 0, 0, 1, 275_000)),
        endings=(Ended("open", "candidates_found", 1, -275_000), Ended("matched", "settles", 3, -900_000)),
        held=(held,),
        waiting=(act,),
        accounts=(Account("042000314", "*2468", "bai2", DAY, 49_950_000),),
        rejected=((OpenWord("alr_1", "bank.ach", 3, "unknown_trace", "no entry was sent", None, NOW), 4),),
    )


def shown(page: Page) -> str:
    to = io.StringIO()
    show(page, to)
    return to.getvalue()


def test_everything_stands_on_the_page(page):
    text = shown(page)
    for words in (
        "expected on a statement   $2,750.00",
        "$499,500.00",
        "-$11,750.00",
        f"? {PAYMENT} the same amount, 1 day apart",
        LINE,
        "sent; the bank's word should have come",
        "control total",
        "7100 announced, 100 found",
        "by phone",
        "Open: 1 line, 1 payment, 1 held statement, 1 decision, 1 rejected line.",
        "unknown trace",
        "alr_1",
    ):
        assert words in text


def test_totals_that_differ_are_said_first(page):
    off = replace(page, in_transit=InTransit(1, 275_000, 275_000, 0, 0, 0))
    assert "≠" in shown(off)
    assert "The three totals differ" in shown(off)


def test_an_empty_page_says_that_nothing_is_open(page):
    nothing = replace(page, lines=(), payments=(), held=(), waiting=(), rejected=())
    assert shown(nothing).endswith("Nothing is open.\n")
    assert nothing.nothing_is_open


def test_ids_stay_whole_on_a_narrow_terminal(page, monkeypatch):
    monkeypatch.setattr("cairn.commands.reconcile_page.Console", lambda **_: Console(file=to, width=80))
    to = io.StringIO()
    show(page, to)
    assert LINE in to.getvalue()
    assert PAYMENT in to.getvalue()


def test_a_program_reads_the_same(page):
    facts = json.loads(json.dumps(facts_of(page), default=str))
    assert facts["ok"] is False
    assert facts["in_transit"]["adds_up"] is True
    assert facts["lines"][0]["candidates"] == [{"id": PAYMENT, "days": 1, "reason": "amount"}]
    assert facts["payments"][0]["age_days"] == 8
