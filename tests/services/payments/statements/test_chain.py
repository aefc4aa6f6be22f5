"""Which statements continue their account: balances that go on, lines once, the right account, the same format."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from services.payments.statements import Kind, StatementAccount, StatementLine, StatementLineId
from services.payments.statements.chain import Judgment, Link, continues

DAY = date(2026, 3, 10)
OURS = frozenset({"042000314/*2468"})
LAST = Link(DAY, 1_000, "bai2")


def line(name: str, cents: int) -> StatementLine:
    said = ("BR", name, "", "")
    return StatementLine(
        StatementLineId.derive(name), "*2468", DAY, None, cents, *said, Kind.PAYMENT, None, "", 1
    )  # fmt: skip


def account(*lines: StatementLine, opening: int | None = 1_000, day: date = DAY) -> StatementAccount:
    closing = None if opening is None else opening + sum(one.amount_cents for one in lines)
    return StatementAccount("*2468", "042000314", day, opening, closing, lines)


A, B = line("a", -100), line("b", -30)


def judged(one: StatementAccount, *, known: tuple[StatementLine, ...] = (), last: Link | None = LAST) -> Judgment:
    return continues(one, "bai2", last=last, known={each.line_id for each in known}, ours=OURS)


def test_the_first_statement_begins_the_chain_and_the_next_one_continues_it():
    assert judged(account(A, opening=5), last=None).new_lines == (A,)
    assert judged(account(A, B)).new_lines == (A, B)
    assert judged(account(A, day=DAY + timedelta(days=1))).reason == ""


def test_lines_known_from_the_statement_before_count_once():
    again = judged(account(A, B, opening=1_100), known=(A,))
    assert (again.reason, again.new_lines) == ("", (B,))
    assert judged(account(A, opening=1_100), known=(A,)).new_lines == ()


@pytest.mark.parametrize(
    ("statement", "known", "reason"),
    [
        (account(A, opening=900), (), "opening_balance"),
        (account(A, B, opening=1_200), (A,), "overlap"),
        (account(A, day=DAY - timedelta(days=1)), (), "behind"),
        (account(A, opening=None), (), "balance_missing"),
        (replace(account(A), closing_cents=1), (), "balances_disagree"),
        (replace(account(A), bank="999"), (), "foreign_account"),
        (replace(account(A), account="*1111"), (), "foreign_account"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_does_not_continue_is_held(statement, known, reason):
    found = judged(statement, known=known)
    assert (found.held, found.reason) == (True, reason)
    assert found.explanation


def test_another_format_is_held_and_two_people_may_trust_what_is_held():
    given = {"last": Link(DAY, 1_000, "camt053"), "known": set(), "ours": OURS}
    assert continues(account(A), "bai2", **given).reason == "format_changed"
    assert not continues(account(A, opening=7), "bai2", **given, trusted=True).held
    assert continues(replace(account(A), bank="999"), "bai2", **given, trusted=True).held


def test_an_older_statement_without_new_lines_is_no_harm():
    assert not judged(account(A, opening=5_000, day=DAY - timedelta(days=3)), known=(A,)).held
