"""camt.053: hand-written files of both versions, each fault named, and nothing that expands is read."""

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.payments.statements import FILE_BYTES_MAX, Kind, read_camt053, read_statement

SAMPLES = Path(__file__).parent / "samples"
EIGHT = (SAMPLES / "version_08.xml").read_bytes()
TWO = (SAMPLES / "version_02.xml").read_bytes()


def test_version_8_reads_as_it_says():
    file = read_statement(EIGHT)
    assert file.ok
    (account,) = file.accounts
    assert (account.account, account.bank, account.day) == ("*2468", "OHIOUS33XXX", date(2026, 3, 10))
    assert (account.opening_cents, account.closing_cents, account.balances_agree) == (50_000_000, 49_387_655, True)
    first, second, returned, batch, fee = account.lines
    assert (first.amount_cents, first.kind, first.trace) == (-300_000, Kind.PAYMENT, "042000310000001")
    assert (second.amount_cents, second.reference) == (-312_345, "dsb_00000000000000000000000002")
    assert (returned.amount_cents, returned.kind, returned.return_code) == (150_000, Kind.RETURN, "AC04")
    assert (batch.amount_cents, batch.reference) == (-147_500, "bat_00000000000000000000000004")
    assert (fee.kind, fee.description) == (Kind.OTHER, "MONTHLY FEE ON *2468")
    assert first.value_on == date(2026, 3, 11)


def test_version_2_reads_as_it_says():
    file = read_statement(TWO)
    assert file.ok
    (account,) = file.accounts
    assert (account.account, account.opening_cents, account.closing_cents) == ("*8879", -10_000, 50)
    assert [(line.amount_cents, line.reference, line.trace) for line in account.lines] == [
        (20_050, "", "T1"),
        (-6000, "E1", ""),
        (-4000, "E2", ""),
    ]
    assert account.lines[0].return_code == "R03"


RETURN = b"<Refs><EndToEndId>dsb_00000000000000000000000003</EndToEndId></Refs>"


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (b'<Amt Ccy="USD">1500.00</Amt><CdtDbtInd>CRDT</CdtDbtInd>', None),
        (b'<Amt Ccy="USD">1500</Amt>', None),
        (b'<Amt Ccy="USD">1499.99</Amt>', "details_sum"),
        (b'<Amt Ccy="USD">1500</Amt><CdtDbtInd>DBIT</CdtDbtInd>', "details_sum"),
        (b'<AmtDtls><TxAmt><Amt Ccy="USD">1400</Amt></TxAmt></AmtDtls>', "details_sum"),
        (b'<AmtDtls><TxAmt><Amt Ccy="EUR">1400</Amt></TxAmt></AmtDtls>', None),
        (b'<Amt Ccy="USD">1525</Amt><Chrgs><Rcrd><Amt Ccy="USD">25</Amt></Rcrd></Chrgs>', None),
    ],
)
def test_the_one_transaction_of_an_entry_is_all_of_it(said, reason):
    faults = read_statement(EIGHT.replace(RETURN, RETURN + said)).faults
    assert [fault.reason for fault in faults] == ([reason] if reason else [])


@pytest.mark.parametrize(
    ("content", "net"),
    [
        (EIGHT, b"<TtlNetNtry><Amt>6123.45</Amt><CdtDbtInd>DBIT</CdtDbtInd></TtlNetNtry>"),
        (EIGHT, b"<TtlNetNtryAmt>6123.45</TtlNetNtryAmt><CdtDbtInd>DBIT</CdtDbtInd>"),
    ],
)
def test_the_net_of_all_entries_is_compared_in_both_versions(content, net):
    def faults(said: bytes) -> list[str]:
        return [one.reason for one in read_statement(content.replace(b"</TtlNtries>", said + b"</TtlNtries>")).faults]

    assert faults(net) == []
    assert faults(net.replace(b"6123.45", b"6123.46")) == ["entry_sum"]
    assert faults(net.replace(b"DBIT", b"CRDT")) == ["entry_sum"]
    assert faults(net.replace(b"6123.45", b"x")) == ["malformed"]


@pytest.mark.parametrize(
    ("old", "new", "record", "field", "reason"),
    [
        (b"camt.053.001.08", b"camt.053.001.09", 0, "Document", "namespace"),
        (b"camt.053.001.08", b"camt.054.001.08", 0, "Document", "namespace"),
        (b"<Document", b"<!DOCTYPE Document><Document", 0, "Document", "document_type"),
        (b"</Document>", b"", 0, "Document", "not_well_formed"),
        (b'encoding="UTF-8"', b'encoding="UTF-16"', 0, "Document", "encoding"),
        (b"<Id>0975312468</Id>", b"<Id></Id>", 0, "Stmt[1]/Acct/Id", "missing"),
        (b"<Cd>OPBD</Cd>", b"<Cd>ITBD</Cd>", 0, "Stmt[1]/Bal[OPBD]", "balance_missing"),
        (b"<Cd>CLBD</Cd>", b"<Cd>CLAV</Cd>", 0, "Stmt[1]/Bal[CLBD]", "balance_missing"),
        (b">500000.00<", b">500000.01<", 0, "Stmt[1]/Bal[CLBD]/Amt", "balances"),
        (b">500000.00<", b">-5.00<", 0, "Stmt[1]/Bal[OPBD]/Amt", "malformed"),
        (b">493876.55<", b">493876.555<", 0, "Stmt[1]/Bal[CLBD]/Amt", "malformed"),
        (b"<NbOfNtries>4<", b"<NbOfNtries>5<", 0, "Stmt[1]/TxsSummry/TtlNtries/NbOfNtries", "entry_count"),
        (b"<Sum>9123.45<", b"<Sum>9123.46<", 0, "Stmt[1]/TxsSummry/TtlNtries/Sum", "entry_sum"),
        (b"<Sum>1500<", b"<Sum>x<", 0, "Stmt[1]/TxsSummry/TtlCdtNtries/Sum", "malformed"),
        (b'"USD">1475.00', b'"EUR">1475.00', 3, "Stmt[1]/Ntry[3]/Amt/@Ccy", "currency"),
        (b">1475.00<", b">1,475.00<", 3, "Stmt[1]/Ntry[3]/Amt", "malformed"),
        (
            b">1475.00</Amt><CdtDbtInd>DBIT",
            b">1475.00</Amt><CdtDbtInd>DEBT",
            3,
            "Stmt[1]/Ntry[3]/CdtDbtInd",
            "malformed",
        ),
        (b"<DtTm>2026-03-10T14", b"<DtTm>2026-02-30T14", 2, "Stmt[1]/Ntry[2]/BookgDt", "not_a_day"),
        (b"<ValDt><Dt>2026-03-11", b"<ValDt><Dt>20260311", 1, "Stmt[1]/Ntry[1]/ValDt", "not_a_day"),
        (b">3123.45<", b">3123.46<", 1, "Stmt[1]/Ntry[1]/NtryDtls", "details_sum"),
        (b">3123.45<", b">3123.4x<", 1, "Stmt[1]/Ntry[1]/NtryDtls/TxDtls[2]/Amt", "malformed"),
    ],
)
def test_each_fault_is_named_first(old, new, record, field, reason):
    assert EIGHT.count(old) == 1
    file = read_camt053(EIGHT.replace(old, new))
    first = file.faults[0]
    assert (first.record, first.field, first.reason) == (record, field, reason)
    assert file.lines == ()


def test_an_unknown_status_is_a_fault():
    file = read_camt053(TWO.replace(b"<Sts>PDNG</Sts>", b"<Sts>MAYBE</Sts>"))
    assert [(fault.record, fault.reason) for fault in file.faults] == [(3, "status")]


def test_a_faulty_statement_costs_no_other():
    start, end = EIGHT.index(b"<Stmt>"), EIGHT.index(b"</Stmt>") + len(b"</Stmt>")
    statement = EIGHT[start:end]
    faulty = statement.replace(b">1475.00<", b">1476.00<")
    file = read_camt053(EIGHT[:start] + faulty + statement.replace(b"0975312468", b"1111119999") + EIGHT[end:])
    assert (len(file.accounts), file.accounts_left_out) == (1, 1)
    assert file.accounts[0].account == "*9999"
    assert {fault.reason for fault in file.faults} == {"balances", "entry_sum"}
    assert file.lines[0].record == 5


BOMB = b"""<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaa"><!ENTITY b "&a;&a;">]><Document>&b;</Document>"""


@pytest.mark.parametrize(
    "content",
    [
        BOMB,
        BOMB.decode().encode("utf-16"),
        BOMB.decode().replace("<?xml version", "<?xml encoding='utf-7' version").encode(),
        BOMB.replace(b"<?xml version", b"\xef\xbb\xbf<?xml encoding='UTF-16BE' version"),
        b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><x/>',
        b"<Document xmlns='urn:iso:std:iso:20022:tech:xsd:camt.053.001.08'>" + b"<a>" * 100_000,
        b"<a>" + b" " * FILE_BYTES_MAX,
    ],
)
def test_nothing_that_expands_refers_elsewhere_or_grows_is_read(content):
    file = read_camt053(content)
    assert file.accounts == ()
    assert file.faults[0].reason in {"document_type", "encoding", "too_large"}


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be"])
def test_only_utf_8_is_read(encoding):
    content = TWO.decode().replace('encoding="UTF-8"', "").encode(encoding)
    assert read_camt053(content).faults[0].reason == "encoding"


entries = st.lists(st.tuples(st.integers(0, 10**11), st.booleans()), max_size=8)


def statement(opening_cents: int, moved: list[tuple[int, bool]], closing_cents: int) -> bytes:
    def amount(cents: int) -> str:
        direction = "DBIT" if cents < 0 else "CRDT"
        return f'<Amt Ccy="USD">{abs(cents) // 100}.{abs(cents) % 100:02d}</Amt><CdtDbtInd>{direction}</CdtDbtInd>'

    def balance(code: str, cents: int) -> str:
        return f"<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp>{amount(cents)}<Dt><Dt>2026-03-10</Dt></Dt></Bal>"

    body = "".join(
        f"<Ntry>{amount(-cents if debit else cents)}<Sts><Cd>BOOK</Cd></Sts>"
        "<BookgDt><Dt>2026-03-10</Dt></BookgDt></Ntry>"
        for cents, debit in moved
    )
    return (
        '<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"><BkToCstmrStmt><Stmt>'
        f"<Acct><Id><Othr><Id>123456</Id></Othr></Id></Acct>{balance('OPBD', opening_cents)}"
        f"{balance('CLBD', closing_cents)}{body}</Stmt></BkToCstmrStmt></Document>"
    ).encode()


@given(st.integers(-(10**9), 10**9), entries, st.sampled_from([0, 1, -1, 90]))
@settings(max_examples=80)
def test_a_statement_is_kept_exactly_where_its_balances_agree(opening_cents, moved, error):
    closing_cents = opening_cents + sum(-cents if debit else cents for cents, debit in moved)
    file = read_camt053(statement(opening_cents, moved, closing_cents + error))
    if error:
        assert [fault.reason for fault in file.faults] == ["balances"]
        assert file.accounts == ()
    else:
        assert file.ok
        assert [line.amount_cents for line in file.lines] == [-cents if debit else cents for cents, debit in moved]
        assert len({line.line_id for line in file.lines}) == len(moved)
