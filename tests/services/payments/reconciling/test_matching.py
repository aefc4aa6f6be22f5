"""Three-way reconciliation: every fault planted is found and none invented, in any order, and once is enough."""

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.payments.reconciling import (
    MEANINGS,
    Ending,
    FileEntry,
    FileFaulty,
    ItemState,
    Reconciliation,
    TransitItem,
    carry_forward,
    open_lines,
    read_entries,
    read_transit,
    render,
)
from services.payments.statements import Kind
from tests.services.payments.reconciling.books import DAY, Books, endings, line_of, reasons


def test_by_disbursement_id_and_by_trace_in_any_case():
    books = Books()
    books.pay(1, 1000, line=False)
    books.pay(2, 2000, line=False)
    books.add(-1000, reference="DSB_1")
    books.add(-2000, trace="042000300000002")
    result = books.run()
    assert reasons(result) == ["settles", "settles"]
    assert not result.open
    assert "Nothing is open." in render(result)


def test_a_late_return_opens_a_settled_payment_again():
    books = Books()
    books.pay(1, 1000)
    books.items = carry_forward(books.items, books.run())
    assert books.items[0].state is ItemState.SETTLED
    books.add(1000, trace="042000300000001", return_code="R02", day=DAY + timedelta(days=40))
    result = books.run(DAY + timedelta(days=41))
    assert endings(result) == {"dsb_1": "late_return"}
    assert result.items[0].state is ItemState.RETURNED
    assert "came back after it was settled" in render(result)


def test_parts_that_add_up_settle_and_parts_that_do_not_stay_open():
    books = Books()
    books.pay(1, 1000, line=False)
    books.pay(2, 1000, line=False)
    for cents in (400, 600):
        books.add(-cents, reference="dsb_1")
    books.add(-400, reference="dsb_2")
    result = books.run()
    assert endings(result) == {"dsb_1": "settled_in_parts", "dsb_2": "partial_payment"}
    (part,) = [verdict for verdict in result.lines if verdict.ending is Ending.OPEN]
    assert part.difference_cents == -600
    books.items, books.lines = (
        carry_forward(books.items, result),
        [*open_lines(result), line_of(9, -600, trace="DSB_2")],
    )
    assert endings(books.run())["dsb_2"] == "settled_in_parts"


def test_a_second_debit_that_the_bank_gives_back_is_explained():
    books = Books()
    name = books.pay(1, 1000)
    books.add(-1000, reference=name)
    books.add(1000, reference=name, kind=Kind.OTHER)
    result = books.run()
    assert sorted(reasons(result)) == ["duplicate_reversed", "duplicate_reversed", "settles"]
    assert endings(result) == {"dsb_1": "settled"}


def test_candidates_go_to_a_person_and_match_nothing():
    books = Books()
    for number, cents in enumerate((1250, 1250, 7788), 1):
        books.pay(number, cents, line=False, batch="")
    exact, turned = books.add(-1250), books.add(-7878)
    fee, whole = books.add(-99, kind=Kind.OTHER), books.add(-10_288)
    found = {verdict.line.line_id: verdict for verdict in books.run().lines}
    assert [candidate.id for candidate in found[exact.line_id].candidates] == ["dsb_1", "dsb_2"]
    assert found[turned.line_id].reason == "digits_transposed"
    assert found[fee.line_id].ending is Ending.EXPLAINED
    assert [candidate.reason for candidate in found[whole.line_id].candidates] == ["batch_total"]
    assert set(endings(books.run()).values()) == {"awaiting"}


def test_an_other_credit_of_the_amount_of_a_payment_is_not_waved_through():
    books = Books()
    books.pay(1, 2500)
    books.add(2500, kind=Kind.OTHER)
    books.add(777, kind=Kind.OTHER)
    assert reasons(books.run()) == ["candidates_found", "other_activity", "settles"]


def test_an_other_debit_of_the_amount_of_an_open_payment_is_not_waved_through():
    books = Books()
    books.pay(1, 2500, line=False)
    books.add(-2500, kind=Kind.OTHER)
    assert reasons(books.run()) == ["candidates_found"]


def test_a_return_with_its_reason_speaks_of_the_payment_also_when_a_second_debit_is_open():
    books = Books()
    name = books.pay(1, 1000)
    books.add(-1000, reference=name)
    books.add(1000, reference=name, return_code="R02")
    result = books.run()
    assert sorted(reasons(result)) == ["duplicate_debit", "returns", "settles"]
    assert endings(result) == {"dsb_1": "returned"}


def test_a_payment_that_was_paid_is_no_candidate_for_another_debit():
    books = Books()
    books.pay(1, 1250)
    books.add(-1250)
    assert sorted(reasons(books.run())) == ["settles", "unknown_payment"]


Plant = Callable[[Books, int], None]


def _spare_line(books: Books, number: int, cents: int, reason: str, **said: object) -> None:
    books.expected.add((reason, books.add(cents, **said).line_id))


def _lost(books: Books, number: int) -> None:
    name = books.pay(number, 500 + number, day=DAY - timedelta(days=10), line=False)
    books.expected.add(("overdue", name))


def _twice(books: Books, number: int) -> None:
    name = books.pay(number, 500 + number)
    line = books.add(-500 - number, reference=name)
    # Which of two equal debits is the second is decided by their ids alone.
    books.expected.add(("duplicate_debit", max(line.line_id, books.lines[-2].line_id)))


def _short(books: Books, number: int) -> None:
    name = books.pay(number, 5000 + number, line=False)
    _spare_line(books, number, -4000, "partial_payment", reference=name)


def _over(books: Books, number: int) -> None:
    name = books.pay(number, 5000 + number, line=False)
    _spare_line(books, number, -9000, "wrong_amount", reference=name)


def _stranger(books: Books, number: int) -> None:
    _spare_line(books, number, -70_000_000 - number, "unknown_payment")


def _strange_return(books: Books, number: int) -> None:
    _spare_line(books, number, 70_000_000 + number, "unknown_return", return_code="R01")


def _returned(books: Books, number: int) -> None:
    name = books.pay(number, 500 + number)
    books.add(500 + number, reference=name, return_code="R02")
    books.expected.add(("returned", name))


def _late(books: Books, number: int) -> None:
    name = books.pay(number, 500 + number, line=False)
    books.items[-1] = replace(books.items[-1], state=ItemState.SETTLED, sent_on=DAY - timedelta(days=30))
    books.add(500 + number, reference=name, return_code="R02")
    books.expected.add(("late_return", name))


def _returned_twice(books: Books, number: int) -> None:
    _returned(books, number)
    again = books.add(500 + number, reference=f"dsb_{number}", return_code="R02", day=DAY + timedelta(days=2))
    books.expected.add(("duplicate_return", again.line_id))


def _returned_short(books: Books, number: int) -> None:
    name = books.pay(number, 500 + number)
    _spare_line(books, number, 400, "return_amount_differs", reference=name, return_code="R02")


def _debit_after_return(books: Books, number: int) -> None:
    name = books.pay(number, 500 + number, line=False)
    books.items[-1] = replace(books.items[-1], state=ItemState.RETURNED)
    _spare_line(books, number, -500 - number, "debit_after_return", reference=name)


def _wrong_total(books: Books, number: int) -> None:
    company = f"C{number:08d}"
    for part in range(2):
        books.pay(number * 10 + part + 100_000, 1000 + part, line=False)
        books.entries[-1] = replace(books.entries[-1], company_id=company)
    _spare_line(books, number, -2002, "batch_total_differs", company_id=company)


def _batch_twice(books: Books, number: int) -> None:
    company = f"C{number:08d}"
    for part in range(2):
        books.pay(number * 10 + part + 100_000, 1000 + part, line=False)
        books.entries[-1] = replace(books.entries[-1], company_id=company)
    both = [books.add(-2001, company_id=company).line_id for _ in range(2)]
    books.expected.add(("duplicate_batch_debit", max(both)))


def _file_differs(books: Books, number: int) -> None:
    name = books.pay(number, 500 + number)
    books.entries[-1] = replace(books.entries[-1], amount_cents=400)
    books.expected.add(("amounts_disagree", name))


def _not_in_file(books: Books, number: int) -> None:
    name = books.pay(number, 500 + number, line=False)
    del books.entries[-1]
    books.expected.add(("not_in_file", name))


def _not_in_ledger(books: Books, number: int) -> None:
    name = books.pay(number, 500 + number, line=False)
    del books.items[-1]
    books.expected.add(("not_in_ledger", books.entries[-1].trace))
    _spare_line(books, number, -500 - number, "not_in_ledger", reference=name)


def _same_trace(books: Books, number: int) -> None:
    books.pay(number * 10 + 100_000, 1000)
    books.pay(number * 10 + 100_001, 1000)
    trace = books.entries[-2].trace
    books.entries[-1] = replace(books.entries[-1], trace=trace)
    books.expected.add(("duplicate_trace", trace))


def _ambiguous(books: Books, number: int) -> None:
    one, other = (books.pay(number * 10 + 100_000 + part, 1000) for part in range(2))
    _spare_line(books, number, -1000, "reference_ambiguous", reference=one, trace=other)


def _entry_twice(books: Books, number: int) -> None:
    books.pay(number, 500 + number)
    entry = replace(books.entries[-1], trace=f"0990003{number:08d}")
    books.entries.append(entry)
    books.expected |= {("entry_twice", entry.trace), ("entry_twice", books.entries[-2].trace)}


PLANTS: tuple[Plant, ...] = (
    _lost, _twice, _short, _over, _stranger, _strange_return, _returned, _late, _returned_twice, _returned_short,
    _debit_after_return, _wrong_total, _batch_twice, _file_differs, _not_in_file, _not_in_ledger, _same_trace,
    _ambiguous, _entry_twice,
)  # fmt: skip


def found_in(result: Reconciliation) -> set[tuple[str, str]]:
    return {(finding.reason, finding.id) for finding in result.findings}


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.__name__)
def test_a_planted_fault_is_found_and_nothing_else(plant):
    books = Books()
    for number in range(1, 20):
        books.pay(number, 100_000 + number)
    plant(books, 500)
    assert found_in(books.run()) == books.expected


@given(st.lists(st.sampled_from(PLANTS), max_size=12), st.integers(0, 15), st.integers(0, 2**32))
@settings(max_examples=120, deadline=None)
def test_any_mixture_is_found_in_any_order_and_a_second_run_changes_nothing(plants, plain, seed):
    books = Books()
    for number in range(1, plain + 1):
        books.pay(number, 100_000 + number, day=DAY - timedelta(days=number % 3))
    for at, plant in enumerate(plants):
        plant(books, 500 + at)
    result = books.run()
    assert found_in(result) == books.expected

    chance = random.Random(seed)
    for these in (books.items, books.entries, books.lines):
        chance.shuffle(these)
    assert books.run() == result

    assert len(result.lines) == len(books.lines)
    assert len(result.items) == len(books.items)
    assert {one.reason for one in (*result.lines, *result.items)} <= MEANINGS.keys()
    assert all(one.age_days >= 0 for one in result.lines)
    opened = [one for one in result.lines if one.ending is Ending.OPEN]
    assert sum(row[0] for row in result.aging.values()) == len(opened)
    assert sum(row[1] for row in result.aging.values()) == sum(abs(one.line.amount_cents) for one in opened)
    assert render(result).endswith("Something is open." if result.open else "Nothing is open.")

    books.items = carry_forward(books.items, result)
    again = books.run()
    assert carry_forward(books.items, again) == books.items
    assert [one.ending for one in again.lines] == [one.ending for one in result.lines]


def test_the_same_lines_twice_count_once():
    books = Books()
    books.pay(1, 1000)
    books.lines *= 3
    result = books.run()
    assert (len(result.lines), result.repeated) == (1, 2)
    assert not result.open


def test_tables_are_read_and_their_faults_named():
    items = read_transit("disbursement_id,amount_cents,sent_on,state,evidence\ndsb_1,100,2026-03-10,settled,b a\n")
    assert items == [TransitItem("dsb_1", 100, DAY, ItemState.SETTLED, ("a", "b"))]
    heading = "trace,disbursement_id,company_id,effective_on,amount_cents\n"
    assert read_entries(f"{heading}1,dsb_1,C,2026-03-10,100\n") == [FileEntry("1", "dsb_1", "C", "", DAY, 100)]
    for text, row, column in (
        ("trace,x\n", 1, "disbursement_id"),
        (f"{heading}1,dsb_1,C,2026-03-32,100\n", 2, "effective_on"),
        (f"{heading}1,dsb_1,C,2026-03-10,1.00\n", 2, "amount_cents"),
        (f"{heading}1,dsb_1,C,2026-03-10,0\n", 2, "amount_cents"),
        (f"{heading},dsb_1,C,2026-03-10,1\n", 2, "trace"),
        (f"{heading}1,dsb_1,C,2026-03-10,1,2\n", 2, "row"),
        (f'{heading}"1,dsb_1\n', 2, "row"),
    ):
        with pytest.raises(FileFaulty) as fault:
            read_entries(text)
        assert (fault.value.row, fault.value.column) == (row, column)
    with pytest.raises(FileFaulty):
        read_transit("disbursement_id,amount_cents,sent_on,state\ndsb_1,1,2026-03-10,lost\n")
