"""Files of the finance system: what is written is read back to the byte; what was changed is found; nothing is lost."""

import random
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.ids import DisbursementId
from services.payments.remittance import (
    Confirmation,
    FileFaulty,
    LineFaulty,
    PaymentVoucher,
    VoucherFile,
    read_confirmations,
    read_vouchers,
    write_confirmations,
    write_vouchers,
)

MADE_AT = datetime(2026, 3, 10, 15, 4, 5, tzinfo=UTC)


def printable(size: int) -> st.SearchStrategy[str]:
    return st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=size).filter(
        lambda text: text == text.strip(" ")
    )


days = st.dates(date(1950, 1, 1), date(2199, 12, 31))
ids = st.integers().map(DisbursementId.derive)
vouchers = st.builds(
    PaymentVoucher,
    supplier_number=st.integers(0, 10**10 - 1).map(lambda n: f"{n:010d}"),
    invoice_number=printable(64),
    invoice_on=days,
    amount_cents=st.integers(1, 9_999_999_999),
    account=printable(30),
    application_id=printable(30),
    disbursement_id=ids,
    message=printable(70),
    due_on=days,
)
files = st.builds(
    VoucherFile,
    batch_id=printable(30),
    made_at=st.just(MADE_AT),
    business_unit=st.just("DEV01"),
    payments=st.lists(
        vouchers,
        min_size=1,
        max_size=20,
        unique_by=(lambda one: one.disbursement_id, lambda one: (one.supplier_number, one.invoice_number)),
    ).map(tuple),
)
confirmations = st.one_of(
    st.builds(
        Confirmation, ids, printable(20), printable(20), days, st.just("PAID"), st.none()
    ),
    st.builds(
        Confirmation, ids, printable(20), printable(20), days, st.just("RETURNED"), st.from_regex(r"\A[A-Z][0-9]{2}\Z")
    ),
)  # fmt: skip


def sample(*amounts: int) -> VoucherFile:
    payments = tuple(
        PaymentVoucher(
            supplier_number=f"{number:010d}",
            invoice_number=f"INV-{number}",
            invoice_on=date(2026, 3, 9),
            amount_cents=amount,
            account="ACCOUNT-1",
            application_id="app_1",
            disbursement_id=DisbursementId.derive(number),
            message="Micro-credential reimbursement",
            due_on=date(2026, 4, 9),
        )
        for number, amount in enumerate(amounts, 1)
    )
    return VoucherFile("bat_1", MADE_AT, "DEV01", payments)


@given(files)
def test_a_voucher_file_reads_back_as_it_was_written(file):
    content = write_vouchers(file)
    assert read_vouchers(content) == file
    assert write_vouchers(read_vouchers(content)) == content
    assert {len(line) for line in content.splitlines()} == {320}


def test_the_columns_are_where_the_layout_says():
    header, detail, trailer = write_vouchers(sample(123_456)).decode("ascii").splitlines()
    assert header.startswith("HCAIRNPV1bat_1" + " " * 25 + "20260310150405DEV01")
    assert detail[:22] == "D000001DEV010000000001"
    assert detail[22:86].rstrip() == "INV-1"
    assert detail[86:104] == "202603090000123456"
    assert detail[104:134].rstrip() == "ACCOUNT-1"
    assert detail[164:194] == DisbursementId.derive(1)
    assert detail[264:272] == "20260409"
    assert trailer[:32] == "T0000010000000001234560000000001"


def test_a_changed_digit_is_found():
    content = bytearray(write_vouchers(sample(100, 200, 300)))
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    choose = random.Random(seed)
    lines = 321
    for columns in (range(12, 22), range(94, 104)):
        line, column = choose.randint(1, 3), choose.choice(columns)
        at = line * lines + column
        changed = content[:]
        changed[at] = ord("0") + (changed[at] - ord("0") + 1) % 10
        with pytest.raises(FileFaulty) as fault:
            read_vouchers(bytes(changed))
        assert fault.value.reason in {"control_totals", "amount"}


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda c: c[:-1], "cut_off"),
        (lambda c: c[: 321 * 2], "too_short"),
        (lambda c: c.replace(b"CAIRNPV1", b"CAIRNPV2"), "layout"),
        (lambda c: c.replace(b"D000002", b"D000009"), "out_of_place"),
        (lambda c: c.replace(b"D000002", b"X000002"), "record_type"),
        (lambda c: c.replace(b"20260309", b"20261309"), "not_a_day"),
        (lambda c: c.replace(b"INV-1 ", b"INV-\xc3\xa9"), "not_printable"),
        (lambda c: c.replace(b"INV-1 ", b"INV-1"), "line_length"),
    ],
)
def test_a_spoiled_voucher_file_is_refused_with_its_reason(spoil, reason):
    with pytest.raises(FileFaulty) as fault:
        read_vouchers(spoil(write_vouchers(sample(100, 200))))
    assert fault.value.reason == reason


@pytest.mark.parametrize(
    "change",
    [
        {"invoice_number": "x" * 65},
        {"invoice_number": "Größe"},
        {"invoice_number": "line\nbreak"},
        {"amount_cents": 0},
        {"amount_cents": 10_000_000_000},
        {"supplier_number": "12345678901"},
    ],
)
def test_what_does_not_fit_the_columns_is_refused(change):
    from dataclasses import replace

    file = sample(100)
    with pytest.raises(LineFaulty):
        write_vouchers(replace(file, payments=(replace(file.payments[0], **change),)))


@given(st.lists(confirmations, max_size=20))
def test_confirmations_read_back_as_they_were_written(words):
    read = read_confirmations(write_confirmations(words, MADE_AT))
    assert [word for _, word in read.confirmations] == words
    assert not read.rejected


@given(st.lists(confirmations, min_size=1, max_size=8), st.data())
def test_a_garbled_line_costs_no_other(words, data):
    lines = write_confirmations(words, MADE_AT).split(b"\n")
    at = data.draw(st.integers(1, len(words)))
    garbage = data.draw(st.binary(max_size=200).filter(lambda b: b"\n" not in b and b[:1] not in b"HDT"))
    lines[at] = garbage
    read = read_confirmations(b"\n".join(lines))
    assert [word for _, word in read.confirmations] == words[: at - 1] + words[at:]
    assert (at + 1, garbage) in [(line.number, line.line) for line in read.rejected]


@given(st.binary(max_size=2_000))
def test_any_bytes_are_read_without_a_fault_and_every_line_is_accounted_for(content):
    read = read_confirmations(content)
    numbers = [n for n, _ in read.confirmations] + [line.number for line in read.rejected]
    frame = sum(line.startswith((b"H", b"T")) for line in read.lines)
    assert len({n for n in numbers if n}) + frame >= len(read.lines)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda c: b"", "empty"),
        (lambda c: c[: 161 * 2], "trailer_missing"),
        (lambda c: c.replace(b"T000001", b"T000002"), "control_totals"),
        (lambda c: c[161:], "header_missing"),
    ],
)
def test_a_fault_of_the_whole_file_is_told(spoil, reason):
    content = write_confirmations([Confirmation(DisbursementId.derive(1), "V", "P", date(2026, 1, 2), "PAID")], MADE_AT)
    assert reason in [line.reason for line in read_confirmations(spoil(content)).rejected if line.number == 0]
