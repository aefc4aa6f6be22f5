"""How the bank writes what moved: BAI2 with its control totals, camt.053 with its balances."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from xml.sax.saxutils import escape

NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"
CREDIT_TYPES_BEFORE = "400"


@dataclass(frozen=True)
class Movement:
    """One movement: BAI2 type (below 400 money comes in), cents, the bank's and the payer's reference, text."""

    type_code: str
    amount_cents: int
    bank_reference: str
    reference: str
    text: str
    return_code: str = ""

    @property
    def signed_cents(self) -> int:
        return self.amount_cents if self.type_code < CREDIT_TYPES_BEFORE else -self.amount_cents


@dataclass
class Account:
    """An account: its balance up to the last statement, and what moved since."""

    number: str
    balance_cents: int
    new: list[Movement] = field(default_factory=list)
    movements: int = 0
    booked_cents: int = 0
    """What all movements have done to it."""

    def book(self, movement: Movement) -> None:
        self.new.append(movement)
        self.movements += 1
        self.booked_cents += movement.signed_cents

    def close(self) -> list[Movement]:
        """What moved since the last statement; from here on it belongs to this one."""
        lines, self.new = self.new, []
        self.balance_cents += sum(one.signed_cents for one in lines)
        return lines


@dataclass(frozen=True)
class Day:
    """What stands in a BAI2 group: one account's day."""

    on: date
    opening_cents: int
    lines: tuple[Movement, ...]


def bai2(bank: str, number: str, days: Sequence[Day], file_id: int) -> bytes:
    """A file with a group for each day."""
    groups: list[str] = []
    totals = 0
    for day in days:
        group, total = _group(bank, number, day)
        groups += group
        totals += total
    made_on = days[-1].on
    records = [f"01,{bank},CAIRN,{made_on:%y%m%d},0600,{file_id},80,,2/", *groups]
    records.append(f"99,{totals},{len(days)},{len(records) + 1}/")
    return "".join(f"{record}\n" for record in records).encode("ascii")


def _group(bank: str, number: str, day: Day) -> tuple[list[str], int]:
    closing_cents = day.opening_cents + sum(one.signed_cents for one in day.lines)
    account = [f"03,{number},USD,010,{day.opening_cents},,/", f"88,015,{closing_cents},,/"]
    for one in day.lines:
        account.append(f"16,{one.type_code},{one.amount_cents},Z,{one.bank_reference},{one.reference},/")
        account.append(f"88,{one.text}/")
    total = day.opening_cents + closing_cents + sum(one.amount_cents for one in day.lines)
    account.append(f"49,{total},{len(account) + 1}/")
    group = [f"02,CAIRN,{bank},1,{day.on:%y%m%d},,USD,2/", *account]
    return [*group, f"98,{total},1,{len(group) + 1}/"], total


def camt053(bank: str, account: Account, lines: Sequence[Movement], day: date, file_id: int) -> bytes:
    """One account's statement; `account` has closed with these lines."""
    moved = sum(one.signed_cents for one in lines)
    opening, closing = (
        _balance(code, cents, day)
        for code, cents in (("OPBD", account.balance_cents - moved), ("CLBD", account.balance_cents))
    )
    entries = "".join(_entry(one, day) for one in lines)
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Document xmlns="{NAMESPACE}"><BkToCstmrStmt>'
        f"<GrpHdr><MsgId>{file_id}</MsgId><CreDtTm>{day}T06:00:00</CreDtTm></GrpHdr><Stmt><Id>{file_id}</Id>"
        f"<Acct><Id><Othr><Id>{account.number}</Id></Othr></Id><Ccy>USD</Ccy>"
        f"<Svcr><FinInstnId><ClrSysMmbId><MmbId>{bank}</MmbId></ClrSysMmbId></FinInstnId></Svcr></Acct>"
        f"{opening}{closing}{entries}</Stmt></BkToCstmrStmt></Document>\n"
    ).encode()


def _balance(code: str, cents: int, day: date) -> str:
    return (
        f"<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp>{_amount(cents)}"
        f"<CdtDbtInd>{'CRDT' if cents >= 0 else 'DBIT'}</CdtDbtInd><Dt><Dt>{day}</Dt></Dt></Bal>"
    )


def _amount(cents: int) -> str:
    return f'<Amt Ccy="USD">{abs(cents) // 100}.{abs(cents) % 100:02d}</Amt>'


def _entry(one: Movement, day: date) -> str:
    returned = f"<RtrInf><Rsn><Prtry>{one.return_code}</Prtry></Rsn></RtrInf>" if one.return_code else ""
    return (
        f"<Ntry>{_amount(one.amount_cents)}<CdtDbtInd>{'CRDT' if one.signed_cents > 0 else 'DBIT'}</CdtDbtInd>"
        f"<Sts><Cd>BOOK</Cd></Sts><BookgDt><Dt>{day}</Dt></BookgDt><AcctSvcrRef>{one.bank_reference}</AcctSvcrRef>"
        f"<NtryDtls><TxDtls><Refs><EndToEndId>{escape(one.reference)}</EndToEndId></Refs>"
        f"<RmtInf><Ustrd>{escape(one.text)}</Ustrd></RmtInf>{returned}</TxDtls></NtryDtls></Ntry>"
    )
