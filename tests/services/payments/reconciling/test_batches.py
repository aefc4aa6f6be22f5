"""One debit for a day, a file or a batch: by what it is called, else by its total, and never by guessing."""

from dataclasses import replace
from datetime import timedelta

from services.payments.reconciling import Ending, ItemState, carry_forward
from tests.services.payments.reconciling.books import COMPANY, DAY, Books, endings, reasons


def test_a_batch_in_one_debit_by_company_and_day():
    books = Books()
    for number in range(3):
        books.pay(number, 1000 + number, line=False)
    books.add(-3003, company_id=COMPANY)
    result = books.run()
    assert set(endings(result).values()) == {"settled_in_batch"}
    assert not result.open


def test_a_batch_in_one_debit_by_its_own_id():
    books = Books()
    books.pay(1, 1000, line=False, batch="bat_7")
    books.pay(2, 1000, line=False, batch="bat_8")
    books.add(-1000, reference="BAT_8")
    assert endings(books.run()) == {"dsb_1": "awaiting", "dsb_2": "settled_in_batch"}


def two_files(books: Books, *cents: int) -> None:
    """Two payments a file, all of one company and day."""
    for file, half in enumerate(cents):
        for part in range(2):
            books.pay(10 * file + part, half, line=False, batch=f"bat_{file}")


def test_files_of_one_day_that_are_debited_apart_settle_apart():
    books = Books()
    two_files(books, 1000, 3000, 5000)
    books.add(-6000, company_id=COMPANY)
    assert endings(books.run()) == {
        "dsb_0": "awaiting",
        "dsb_1": "awaiting",
        "dsb_10": "settled_in_batch",
        "dsb_11": "settled_in_batch",
        "dsb_20": "awaiting",
        "dsb_21": "awaiting",
    }
    # What is left of the day is debited together.
    books.add(-12_000, company_id=COMPANY)
    assert set(endings(books.run()).values()) == {"settled_in_batch"}
    assert not books.run().open


def test_batches_of_one_file_that_are_debited_apart_settle_apart():
    books = Books()
    two_files(books, 1000)
    books.pay(2, 500, line=False, batch="bat_0")
    books.entries = [
        replace(entry, batch_reference=f"CRN260310A000000{1 + (entry.amount_cents == 500)}") for entry in books.entries
    ]
    books.add(-500, company_id=COMPANY)
    assert endings(books.run()) == {"dsb_0": "awaiting", "dsb_1": "awaiting", "dsb_2": "settled_in_batch"}
    # The bank names the file's first batch on the debit of them all.
    books.lines = []
    books.add(-2500, batch_reference="CRN260310A0000001")
    assert set(endings(books.run()).values()) == {"settled_in_batch"}


def test_files_of_equal_total_wait_until_each_has_its_debit():
    books = Books()
    two_files(books, 1000, 1000)
    books.add(-2000, company_id=COMPANY)
    (verdict,) = books.run().lines
    assert (verdict.ending, verdict.reason) == (Ending.OPEN, "batch_ambiguous")
    assert [one.id for one in verdict.candidates] == [f"{COMPANY} {DAY} bat_0", f"{COMPANY} {DAY} bat_1"]
    books.add(-2000, company_id=COMPANY, day=DAY + timedelta(days=2))
    assert reasons(books.run()) == ["settles_batch", "settles_batch"]
    assert set(endings(books.run()).values()) == {"settled_in_batch"}
    books.add(-2000, company_id=COMPANY, day=DAY + timedelta(days=3))
    assert reasons(books.run()) == ["settles_batch", "settles_batch", "duplicate_batch_debit"]


def test_a_debit_nearer_to_another_day_does_not_decide_between_files_of_equal_total():
    books = Books()
    two_files(books, 1000, 1000)
    books.pay(50, 2000, line=False, batch="bat_5", day=DAY + timedelta(days=3))
    books.add(-2000, company_id=COMPANY, day=DAY)
    books.add(-2000, company_id=COMPANY, day=DAY + timedelta(days=3))
    assert reasons(books.run()) == ["batch_ambiguous", "settles_batch"]
    assert endings(books.run())["dsb_50"] == "settled_in_batch"


def test_of_files_of_equal_total_the_reference_decides():
    books = Books()
    two_files(books, 1000, 1000)
    books.entries = [replace(one, batch_reference=f"CRN260310{one.batch_id[-1]}0000001") for one in books.entries]
    books.add(-2000, company_id=COMPANY, batch_reference="CRN26031010000001")
    books.add(-999, company_id=COMPANY, batch_reference="CRN26031000000001")
    found = books.run()
    assert reasons(found) == ["settles_batch", "batch_total_differs"] or reasons(found) == [
        "batch_total_differs",
        "settles_batch",
    ]
    assert [name for name, reason in endings(found).items() if reason == "settled_in_batch"] == ["dsb_10", "dsb_11"]


def test_a_total_that_fits_a_file_with_or_without_what_came_back_is_for_a_person():
    """The file without its returned payment is as much as its one batch with it."""
    books = Books()
    for number, (cents, batch) in enumerate(((1000, 1), (500, 1), (500, 2))):
        books.pay(number, cents, line=False)
        books.entries[-1] = replace(books.entries[-1], batch_reference=f"CRN260310A000000{batch}")
    books.items[1] = replace(books.items[1], state=ItemState.RETURNED, debit_due=True)
    books.add(-1500, company_id=COMPANY)
    assert reasons(books.run()) == ["batch_ambiguous"]


def test_the_rest_of_a_batch_when_one_payment_was_debited_on_its_own():
    books = Books()
    books.pay(1, 1000)
    books.pay(2, 2000, line=False)
    books.pay(3, 3000, line=False)
    books.add(-5000, company_id=COMPANY)
    assert endings(books.run()) == {"dsb_1": "settled", "dsb_2": "settled_in_batch", "dsb_3": "settled_in_batch"}


def test_a_return_before_the_batch_debit_is_seen_counts_in_its_total():
    books = Books()
    books.pay(1, 1000, line=False)
    books.pay(2, 2000, line=False)
    books.add(1000, reference="dsb_1", return_code="R03")
    first = books.run()
    assert endings(first) == {"dsb_1": "returned", "dsb_2": "awaiting"}
    books.items = carry_forward(books.items, first)
    books.add(-3000, company_id=COMPANY)
    second = books.run()
    assert sorted(reasons(second)) == ["already_recorded", "settles_batch"]
    assert [verdict.state for verdict in second.items] == [ItemState.RETURNED, ItemState.SETTLED]


def test_a_batch_with_an_entry_the_ledger_lacks_is_paid_once():
    books = Books()
    for number in range(2):
        books.pay(number, 1000, line=False)
    del books.items[0]
    for _ in range(2):
        books.add(-2000, company_id=COMPANY)
    assert sorted(reasons(books.run())) == ["duplicate_batch_debit", "settles_batch"]
