"""The camt.053 reader: statements, balances, booked entries with their transactions (ISO 20022, versions 02 and 08).

A statement is kept where opening balance and booked entries give the closing balance and its own summary agrees;
another is left out, with every fault named by entry number and path.
"""

import re
from dataclasses import dataclass
from datetime import date
from xml.etree import ElementTree as ET

from services.payments.statements.guarded_xml import XmlRefused, parse_guarded
from services.payments.statements.lines import (
    FAULTS_MAX,
    FILE_BYTES_MAX,
    LINES_MAX,
    Kind,
    LineIds,
    StatementAccount,
    StatementFault,
    StatementFile,
    StatementLine,
    batch_in,
    company_in,
    described,
    masked,
    reference,
    return_code_in,
    trace_in,
)

NAMESPACES = frozenset(f"urn:iso:std:iso:20022:tech:xsd:camt.053.001.{version}" for version in ("02", "08"))
OPENING, CLOSING = ("OPBD", "PRCD"), ("CLBD",)
BOOKED = "BOOK"
_NOT_BOOKED = frozenset({"PDNG", "INFO", "FUTR"})
_AMOUNT = re.compile(r"^\d{1,15}(?:\.(\d{0,5}))?$")
_DAY = re.compile(r"^\d{4}-\d{2}-\d{2}(?=$|T|Z|[+-]\d{2}:)")
_RETURN_CODE = re.compile(r"^[A-Z0-9]{2,8}$")
_NO_REFERENCE = frozenset({"NOTPROVIDED", "NOT PROVIDED", "NONREF"})
_ISSUED = frozenset({"ICDT", "IRCT"})
_CHARGES = frozenset({"CHRG", "FEES", "COMM"})
_PAYMENT_RETURN = frozenset({"RRTN", "RPCR"})


class _Faulty(ValueError):
    """A path does not hold what it should."""

    def __init__(self, path: str, reason: str, explanation: str) -> None:
        super().__init__(explanation)
        self.path, self.reason, self.explanation = path, reason, explanation


@dataclass(frozen=True, slots=True)
class _Movement:
    """What identifies a line, before it has its id."""

    amount_cents: int
    bank_reference: str
    reference: str
    trace: str
    kind: Kind
    return_code: str | None
    text: str


def read_camt053(content: bytes) -> StatementFile:
    """Read every statement that proves itself; faults name entry (0: statement or file), path and reason."""
    try:
        namespace, root = parse_guarded(content, FILE_BYTES_MAX)
    except XmlRefused as refused:
        return _nothing(refused.reason, refused.explanation)
    if namespace not in NAMESPACES or root.tag != "Document":
        return _nothing("namespace", f"{namespace[:80]!r} is not camt.053.001.02 or camt.053.001.08")
    statements = root.findall("BkToCstmrStmt/Stmt")
    if not statements:
        return _nothing("statement_missing", "the message holds no statement")
    ids, accounts, faults, before = LineIds(), list[StatementAccount](), list[StatementFault](), 0
    for number, statement in enumerate(statements, 1):
        reading = _Statement(statement, f"Stmt[{number}]", before, ids)
        account = reading.read()
        before += len(statement.findall("Ntry"))
        faults += reading.faults
        if account is not None:
            accounts.append(account)
    return StatementFile("camt053", tuple(accounts), tuple(faults[:FAULTS_MAX]), len(statements) - len(accounts))


def _nothing(reason: str, explanation: str) -> StatementFile:
    return StatementFile("camt053", (), (StatementFault(0, "Document", reason, explanation),), 0)


class _Statement:
    """One `Stmt`."""

    def __init__(self, element: ET.Element, path: str, before: int, ids: LineIds) -> None:
        self.element, self.path, self.before, self.ids = element, path, before, ids
        self.faults: list[StatementFault] = []

    def read(self) -> StatementAccount | None:
        """The account with its lines, or None after noting why not."""
        entries = self.element.findall("Ntry")
        if self.before + len(entries) > LINES_MAX:
            self._note(0, "Ntry", "too_many_lines", f"only {LINES_MAX} entries are read")
            return None
        number = _text(self.element, "Acct/Id/IBAN") or _text(self.element, "Acct/Id/Othr/Id")
        if not number:
            self._note(0, "Acct/Id", "missing", "an account is required")
        servicer = "Acct/Svcr/FinInstnId/"
        bank = next(
            filter(None, (_text(self.element, servicer + at) for at in ("BICFI", "BIC", "ClrSysMmbId/MmbId"))), ""
        )
        opening, closing = self._balance(OPENING), self._balance(CLOSING)
        booked = [found for at, entry in enumerate(entries, 1) if (found := self._entry(at, entry)) is not None]
        if self.faults or opening is None or closing is None:
            return None
        self._prove(entries, opening[0], closing[0], sum(cents for _, cents, _, _ in booked))
        if self.faults:
            return None
        shown = masked(number)
        lines = [
            self._line(reference(bank), shown, record, days, one)
            for record, _, days, movements in booked
            for one in movements
        ]
        return StatementAccount(shown, reference(bank), closing[1], opening[0], closing[0], tuple(lines))

    def _balance(self, codes: tuple[str, ...]) -> tuple[int, date] | None:
        for code in codes:
            for element in self.element.findall("Bal"):
                if _text(element, "Tp/CdOrPrtry/Cd") != code:
                    continue
                try:
                    return _sign(element) * _cents(element, "Amt"), _day(element, "Dt")
                except _Faulty as fault:
                    self._note(0, f"Bal[{code}]/{fault.path}", fault.reason, fault.explanation)
                    return None
        self._note(0, f"Bal[{codes[0]}]", "balance_missing", f"a balance {' or '.join(codes)} is required")
        return None

    def _entry(
        self, at: int, entry: ET.Element
    ) -> tuple[int, int, tuple[date, date | None], tuple[_Movement, ...]] | None:
        """Number, signed cents, days and movements of a booked entry; None where it is not booked or is faulty."""
        try:
            status = _text(entry, "Sts/Cd") or _text(entry, "Sts")
            cents = _sign(entry) * _cents(entry, "Amt")
            if status in _NOT_BOOKED:
                return None
            if status != BOOKED:
                raise _Faulty("Sts", "status", f"{status[:20]!r} instead of BOOK, PDNG, INFO or FUTR")
            value_on = _day(entry, "ValDt") if entry.find("ValDt") is not None else None
            return self.before + at, cents, (_day(entry, "BookgDt"), value_on), _movements(entry, cents)
        except _Faulty as fault:
            self._note(self.before + at, f"Ntry[{at}]/{fault.path}", fault.reason, fault.explanation)
            return None

    def _prove(self, entries: list[ET.Element], opening_cents: int, closing_cents: int, moved_cents: int) -> None:
        if opening_cents + moved_cents != closing_cents:
            explanation = f"opening {opening_cents} and entries {moved_cents} do not give closing {closing_cents}"
            self._note(0, "Bal[CLBD]/Amt", "balances", explanation)
        for name, direction in (("TtlNtries", ""), ("TtlCdtNtries", "CRDT"), ("TtlDbtNtries", "DBIT")):
            summary = self.element.find(f"TxsSummry/{name}")
            if summary is None:
                continue
            found = [entry for entry in entries if direction in {"", _text(entry, "CdtDbtInd")}]
            count, total = _text(summary, "NbOfNtries"), _text(summary, "Sum")
            if count and count.lstrip("0") != str(len(found)).lstrip("0"):
                self._note(
                    0, f"TxsSummry/{name}/NbOfNtries", "entry_count", f"{count[:20]} announced, {len(found)} found"
                )
            try:
                if total and _as_cents("Sum", total) != sum(_cents(entry, "Amt") for entry in found):
                    self._note(0, f"TxsSummry/{name}/Sum", "entry_sum", f"{total[:20]} announced, the entries differ")
            except _Faulty as fault:
                self._note(0, f"TxsSummry/{name}/Sum", fault.reason, fault.explanation)
        self._prove_net(sum(_sign(entry) * _cents(entry, "Amt") for entry in entries))

    def _prove_net(self, found_cents: int) -> None:
        """All entries together; version 02 has the amount beside its sign, version 08 below one element."""
        path = "TxsSummry/TtlNtries"
        summary = self.element.find(path)
        amount = "TtlNetNtryAmt"
        if summary is not None and summary.find("TtlNetNtry") is not None:
            summary, path, amount = summary.find("TtlNetNtry"), f"{path}/TtlNetNtry", "Amt"
        if summary is None or not (announced := _text(summary, amount)):
            return
        try:
            if _sign(summary) * _as_cents(amount, announced) != found_cents:
                self._note(0, f"{path}/{amount}", "entry_sum", f"{announced[:20]} announced, the entries differ")
        except _Faulty as fault:
            self._note(0, f"{path}/{fault.path}", fault.reason, fault.explanation)

    def _line(
        self, bank: str, account: str, record: int, days: tuple[date, date | None], one: _Movement
    ) -> StatementLine:
        said = (bank, account, days[0].isoformat(), one.amount_cents, one.bank_reference, one.reference, one.trace)
        return StatementLine(
            line_id=self.ids.next(*said),
            account=account,
            day=days[0],
            value_on=days[1],
            amount_cents=one.amount_cents,
            bank_reference=one.bank_reference,
            reference=one.reference,
            trace=one.trace,
            company_id=company_in(one.text),
            kind=one.kind,
            return_code=one.return_code,
            description=described(one.text),
            record=record,
            batch_reference=batch_in(one.text),
        )

    def _note(self, record: int, path: str, reason: str, explanation: str) -> None:
        if len(self.faults) < FAULTS_MAX:
            self.faults.append(StatementFault(record, f"{self.path}/{path}", reason, explanation))


def _movements(entry: ET.Element, cents: int) -> tuple[_Movement, ...]:
    """One for each transaction with an amount of its own; one for the whole entry where the bank gives only a total."""
    details = entry.findall("NtryDtls/TxDtls")
    if len(details) <= 1:
        for detail in details:
            _prove_whole(entry, detail, cents)
        return (_movement(entry, details[0] if details else None, cents),)
    parts: list[int] = []
    for at, detail in enumerate(details, 1):
        path = next((path for path in ("Amt", "AmtDtls/TxAmt/Amt") if detail.find(path) is not None), None)
        if path is None:
            return (_movement(entry, None, cents),)
        try:
            parts.append(
                _cents(detail, path) * (_sign(detail) if detail.find("CdtDbtInd") is not None else _sign(entry))
            )
        except _Faulty as fault:
            raise _Faulty(f"NtryDtls/TxDtls[{at}]/{fault.path}", fault.reason, fault.explanation) from fault
    if sum(parts) != cents:
        raise _Faulty("NtryDtls", "details_sum", f"transactions give {sum(parts)}, the entry is {cents}")
    return tuple(_movement(entry, detail, part) for detail, part in zip(details, parts, strict=True))


def _prove_whole(entry: ET.Element, detail: ET.Element, cents: int) -> None:
    """The one transaction of an entry is all of it, unless charges stand between or it was in another currency."""
    path = next((path for path in ("Amt", "AmtDtls/TxAmt/Amt") if detail.find(path) is not None), None)
    charged = any(element.find("Chrgs") is not None for element in (entry, detail))
    if path is None or charged or detail.find(path + "[@Ccy='USD']") is None:
        return
    signed = detail if detail.find("CdtDbtInd") is not None else entry
    if (found := _sign(signed) * _cents(detail, path)) != cents:
        raise _Faulty(f"NtryDtls/TxDtls[1]/{path}", "details_sum", f"the transaction is {found}, the entry {cents}")


def _movement(entry: ET.Element, detail: ET.Element | None, cents: int) -> _Movement:
    end_to_end = trace = bank_reference = ""
    texts = [_text(entry, "AddtlNtryInf")]
    code = returned = None
    if detail is not None:
        end_to_end = _reference(detail, "Refs/EndToEndId")
        trace = _reference(detail, "Refs/TxId") or _reference(detail, "Refs/ClrSysRef")
        bank_reference = _reference(detail, "Refs/AcctSvcrRef")
        texts = [*(found.text or "" for found in detail.findall("RmtInf/Ustrd")), _text(detail, "AddtlTxInf"), *texts]
        returned = detail.find("RtrInf")
    text = " ".join(filter(None, (part.strip() for part in texts)))
    if returned is not None:
        given = _text(returned, "Rsn/Cd") or _text(returned, "Rsn/Prtry")
        code = given if _RETURN_CODE.match(given) else return_code_in(given or text)
    if not end_to_end:
        batch = "NtryDtls/Btch/"
        end_to_end = _reference(entry, batch + "PmtInfId") or _reference(entry, batch + "MsgId")
    return _Movement(
        amount_cents=cents,
        bank_reference=bank_reference or _reference(entry, "AcctSvcrRef"),
        reference=end_to_end,
        trace=trace or trace_in(text),
        kind=_kind(entry, detail, cents, known=bool(end_to_end)),
        return_code=code,
        text=text,
    )


def _kind(entry: ET.Element, detail: ET.Element | None, cents: int, *, known: bool) -> Kind:
    element = detail if detail is not None and detail.find("BkTxCd/Domn/Fmly") is not None else entry
    family, sub_family = (_text(element, f"BkTxCd/Domn/Fmly/{name}") for name in ("Cd", "SubFmlyCd"))
    reversed_ = _text(entry, "RvslInd") in {"true", "1"} or sub_family in _PAYMENT_RETURN
    if cents > 0 and (reversed_ or (detail is not None and detail.find("RtrInf") is not None)):
        return Kind.RETURN
    if cents < 0 and sub_family not in _CHARGES and (known or family in _ISSUED):
        return Kind.PAYMENT
    return Kind.OTHER


def _text(element: ET.Element, path: str) -> str:
    return (element.findtext(path) or "").strip()


def _reference(element: ET.Element, path: str) -> str:
    text = reference(_text(element, path))
    return "" if text.upper() in _NO_REFERENCE else text


def _sign(element: ET.Element) -> int:
    match _text(element, "CdtDbtInd"):
        case "CRDT":
            return 1
        case "DBIT":
            return -1
        case other:
            raise _Faulty("CdtDbtInd", "malformed", f"{other[:20]!r} instead of CRDT or DBIT")


def _cents(element: ET.Element, path: str) -> int:
    found = element.find(path)
    if found is None:
        raise _Faulty(path, "missing", "an amount is required")
    if (currency := found.get("Ccy", "")) != "USD":
        raise _Faulty(f"{path}/@Ccy", "currency", f"{currency[:8]!r} instead of USD")
    return _as_cents(path, (found.text or "").strip())


def _as_cents(path: str, text: str) -> int:
    found = _AMOUNT.match(text)
    if found is None or (found.group(1) or "")[2:].strip("0"):
        raise _Faulty(path, "malformed", f"{text[:40]!r} is no amount in dollars and cents")
    whole, _, fraction = text.partition(".")
    return int(whole) * 100 + int(fraction[:2].ljust(2, "0"))


def _day(element: ET.Element, path: str) -> date:
    text = _text(element, f"{path}/Dt") or _text(element, f"{path}/DtTm")
    found = _DAY.match(text)
    try:
        return date.fromisoformat(found.group() if found else "")
    except ValueError:
        raise _Faulty(path, "not_a_day", f"{text[:40]!r} is no day") from None
