"""The BAI2 reader: file, groups, accounts; every control total and record count verified.

An account that is faulty is left out, a group that is faulty is left out with its accounts; the others are kept. A
fault found in an account explains what its group's and the file's totals then miss, so these are not blamed as well.
"""

import re
from dataclasses import dataclass, field
from datetime import date

from services.payments.statements.bai2_records import RECORDS_MAX, FieldFaulty, Fields, Record, records_of
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

_TYPE = re.compile(r"^\d{3}$")
_CURRENCY = re.compile(r"^[A-Z]{3}$")
OPENING_LEDGER, CLOSING_LEDGER, NON_MONETARY = "010", "015", "890"
PAYMENT_TYPES = frozenset(
    {"445", "446", "447", "451", "452", "455", "462", "463", "464", "465", "466", "467", "469", "475", "495"}
)
"""ACH disbursement funding, ACH and corporate trade debits, ACH settlement, check paid, outgoing transfer."""
RETURN_TYPES = frozenset({"168", "252", "256", "257", "258", "266"})
"""ACH return item or adjustment settlement, debit and ACH reversals, total and individual return items, as credits."""
CREDIT_TYPES = frozenset({"142", "166", "169"})
"""ACH credits that some banks give a returned payment back under: a person looks where the amount fits."""
GROUP_UPDATE = "1"
INTERIM = frozenset({"1", "3"})
"""As-of-date modifiers of a report that a final one follows: of the previous day, of the same day."""
TOTALS = {"100": ("total credits", 1), "400": ("total debits", -1)}
"""What an account's summary says of its transactions, with their sign."""


@dataclass(slots=True)
class _Movement:
    """A transaction of an account that has not been proven yet."""

    record: int
    type_code: str
    amount_cents: int
    value_on: date | None
    bank_reference: str
    reference: str
    text: str


@dataclass(slots=True)
class _Account:
    number: str = ""
    faulty: bool = False
    total_cents: int = 0
    announced_cents: int = 0
    physical: int = 0
    opening_cents: int | None = None
    closing_cents: int | None = None
    movements: list[_Movement] = field(default_factory=list[_Movement])
    totals: dict[str, tuple[int | None, str]] = field(default_factory=dict[str, tuple[int | None, str]])
    """Type of a total → cents and number of items, as far as they are given."""

    def prove_totals(self) -> None:
        """Raises `FieldFaulty`. An account that is only summed up, without its transactions, proves nothing here."""
        for type_code, (cents, items) in self.totals.items():
            name, sign = TOTALS[type_code]
            found = [one.amount_cents for one in self.movements if one.amount_cents * sign > 0]
            if self.movements and cents is not None:
                _agree(name, "control_total", abs(cents), abs(sum(found)))
            if self.movements and items:
                _agree(f"{name} item count", "item_count", int(items), len(found))


@dataclass(slots=True)
class _Group:
    faulty: bool = False
    bank: str = ""
    day: date = date.min
    currency: str = ""
    physical: int = 0
    accounts: list[_Account] = field(default_factory=list[_Account])

    @property
    def clean(self) -> bool:
        return not self.faulty and not any(account.faulty for account in self.accounts)


def read_bai2(content: bytes) -> StatementFile:
    """Read everything that can be proven; faults name record, field and reason."""
    if len(content) > FILE_BYTES_MAX:
        return _refused(f"more than {FILE_BYTES_MAX} bytes")
    if content.count(b"\n") > RECORDS_MAX:
        return _refused(f"more than {RECORDS_MAX} records")
    reading = _Reading()
    for record in records_of(content):
        reading.take(record)
    return reading.finish()


def _refused(explanation: str) -> StatementFile:
    return StatementFile("bai2", (), (StatementFault(0, "file", "too_large", explanation),), 0)


class _Reading:
    """Where in the file reading stands."""

    def __init__(self) -> None:
        self.faults: list[StatementFault] = []
        self.groups: list[_Group] = []
        self.group: _Group | None = None
        self.account: _Account | None = None
        self.physical = self.lines = self.record_chars_max = 0
        self.announced_cents: list[int] = []
        self.begun = self.ended = False

    def take(self, record: Record) -> None:
        """One record; a fault in it is charged to what is open: account, group or file."""
        self.physical += record.physical
        if not self.begun and record.code != "01":
            self._fault(record, "record code", "header_missing", "the file does not begin with a 01 record")
            self.begun = True
        if self.ended:
            self._fault(record, "record code", "after_trailer", "a record after the file's trailer")
            return
        try:
            match record.code:
                case "01":
                    self._header(record)
                case "02":
                    self._open_group(record)
                case "03":
                    self._open_account(record)
                case "16":
                    self._transaction(record)
                case "49":
                    self._close_account(record)
                case "98":
                    self._close_group(record)
                case "99":
                    self._close_file(record)
                case _:
                    self._count(record)
                    reason = "nothing_to_continue" if record.code == "88" else "unknown"
                    raise FieldFaulty("record code", reason, "01, 02, 03, 16, 49, 98 or 99 expected here")
        except FieldFaulty as fault:
            self._fault(record, fault.field, fault.reason, fault.explanation)
        if self.record_chars_max and record.longest > self.record_chars_max:
            explanation = f"{record.longest} characters, the header announces {self.record_chars_max}"
            self._note(record.number, "record", "record_length", explanation)

    def finish(self) -> StatementFile:
        if not self.ended:
            self._abandon_group(0, "the file ends without its 98 record")
            self._note(0, "file", "cut_off", "the file has no trailer: it may be cut off")
        ids = LineIds()
        kept: list[StatementAccount] = []
        for group in self.groups:
            if not group.faulty:
                kept.extend(_proven(group, account, ids) for account in group.accounts if not account.faulty)
        left_out = sum(len(group.accounts) for group in self.groups) - len(kept)
        faults = sorted(self.faults, key=lambda fault: (fault.record == 0, fault.record))
        return StatementFile("bai2", tuple(kept), tuple(faults[:FAULTS_MAX]), left_out)

    def _header(self, record: Record) -> None:
        if self.begun:
            raise FieldFaulty("record code", "out_of_place", "a second file header")
        self.begun = True
        fields = Fields(record)
        fields.required("sender")
        fields.required("receiver")
        fields.day("creation day")
        fields.time("creation time")
        fields.required("file id")
        self.record_chars_max = int(fields.optional("record length", re.compile(r"^\d{1,5}$")) or 0)
        fields.optional("block size", re.compile(r"^\d{1,6}$"))
        if (version := fields.required("version")) != "2":
            raise FieldFaulty("version", "version", f"version {version[:8]!r} instead of 2")

    def _open_group(self, record: Record) -> None:
        self._abandon_group(record.number, "the next group begins before its 98 record")
        self.group = group = _Group()
        self.groups.append(group)
        self._count(record)
        fields = Fields(record)
        fields.optional("receiver")
        group.bank = reference(fields.required("originator"))
        status = fields.required("group status")
        group.day = fields.day("as-of day")
        fields.time("as-of time")
        group.currency = fields.optional("currency", _CURRENCY)
        modifier = fields.optional("as-of-date modifier", re.compile(r"^[1-4]$"))
        if status != GROUP_UPDATE:
            raise FieldFaulty(
                "group status", "not_an_update", f"status {status[:4]}: a deletion, correction or test is for people"
            )
        if modifier in INTERIM:
            raise FieldFaulty("as-of-date modifier", "interim", f"modifier {modifier}: the final report follows")

    def _open_account(self, record: Record) -> None:
        self._abandon_account(record.number, "the next account begins before its 49 record")
        account = self._begin_account(record)
        fields = Fields(record)
        account.number = fields.required("account")
        group = self.group
        currency = fields.optional("currency", _CURRENCY) or (group.currency if group else "") or "USD"
        if currency != "USD":
            raise FieldFaulty("currency", "currency", f"{currency} instead of USD")
        while fields.more:
            type_code = fields.optional("type code", _TYPE)
            cents = fields.optional_cents("amount", signed=True)
            items = fields.optional("item count", re.compile(r"^\d{1,9}$"))
            fields.funds(cents)
            account.total_cents += cents or 0
            if type_code in TOTALS:
                account.totals[type_code] = (cents, items)
            elif type_code == OPENING_LEDGER:
                account.opening_cents = cents
            elif type_code == CLOSING_LEDGER:
                account.closing_cents = cents
            elif not type_code and cents is not None:
                raise FieldFaulty("type code", "missing", "an amount without a type")

    def _transaction(self, record: Record) -> None:
        account = self._begun_account(record)
        self.lines += 1
        if self.lines > LINES_MAX:
            raise FieldFaulty("record", "too_many_lines", f"only {LINES_MAX} transactions are read")
        fields = Fields(record)
        type_code = fields.required("type code", _TYPE)
        cents = fields.optional_cents("amount", signed=False)
        if cents is None and type_code != NON_MONETARY:
            raise FieldFaulty("amount", "missing", "a value is required")
        account.total_cents += cents or 0
        value_on = fields.funds(cents)
        bank_reference = reference(fields.optional("bank reference"))
        customer_reference = reference(fields.optional("customer reference"))
        sign = _sign(type_code)
        if type_code != NON_MONETARY:
            found = (sign * (cents or 0), value_on, bank_reference, customer_reference, fields.rest())
            account.movements.append(_Movement(record.number, type_code, *found))

    def _close_account(self, record: Record) -> None:
        account = self._begun_account(record)
        try:
            fields = Fields(record)
            account.announced_cents = fields.cents("account control total", signed=True)
            counted = fields.count("records")
            if not account.faulty:
                _agree("account control total", "control_total", account.announced_cents, account.total_cents)
                _agree("records", "record_count", counted, account.physical)
                account.prove_totals()
        except FieldFaulty as fault:
            self._fault(record, fault.field, fault.reason, fault.explanation)
        finally:
            self.account = None

    def _close_group(self, record: Record) -> None:
        self._abandon_account(record.number, "the group ends before its 49 record")
        if self.group is None:
            raise FieldFaulty("record code", "out_of_place", "a group's trailer without a group")
        group = self.group
        group.physical += record.physical
        fields = Fields(record)
        try:
            total = fields.cents("group control total", signed=True)
            accounts, counted = fields.count("accounts"), fields.count("records")
            self.announced_cents.append(total)
            _agree("accounts", "account_count", accounts, len(group.accounts))
            if group.clean:
                _agree("group control total", "control_total", total, sum(a.announced_cents for a in group.accounts))
                _agree("records", "record_count", counted, group.physical)
        except FieldFaulty:
            group.faulty = True
            raise
        finally:
            self.group = None

    def _close_file(self, record: Record) -> None:
        self._abandon_group(record.number, "the file ends before its 98 record")
        self.ended = True
        fields = Fields(record)
        total = fields.cents("file control total", signed=True)
        groups, counted = fields.count("groups"), fields.count("records")
        _agree("groups", "group_count", groups, len(self.groups))
        if all(group.clean for group in self.groups):
            _agree("file control total", "control_total", total, sum(self.announced_cents))
            _agree("records", "record_count", counted, self.physical)

    def _begun_account(self, record: Record) -> _Account:
        """The open account; a transaction or trailer outside of one speaks of an account whose header is lost."""
        if self.account is not None:
            self._count(record)
            return self.account
        account = self._begin_account(record)
        account.faulty = True
        self._note(record.number, "record code", "account_header_missing", "no 03 record opened this account")
        return account

    def _begin_account(self, record: Record) -> _Account:
        if self.group is None:
            self.group = _Group(faulty=True)
            self.groups.append(self.group)
            self._note(record.number, "record code", "group_header_missing", "no 02 record opened this group")
        self.account = account = _Account()
        self.group.accounts.append(account)
        self._count(record)
        return account

    def _abandon_account(self, number: int, explanation: str) -> None:
        if self.account is not None:
            self.account.faulty = True
            self.account = None
            self._note(number, "record code", "account_trailer_missing", explanation)

    def _abandon_group(self, number: int, explanation: str) -> None:
        self._abandon_account(number, explanation)
        if self.group is not None:
            self.group.faulty = True
            self.group = None
            self._note(number, "record code", "group_trailer_missing", explanation)

    def _count(self, record: Record) -> None:
        if self.group is not None:
            self.group.physical += record.physical
        if self.account is not None:
            self.account.physical += record.physical

    def _fault(self, record: Record, name: str, reason: str, explanation: str) -> None:
        if self.account is not None:
            self.account.faulty = True
        elif self.group is not None:
            self.group.faulty = True
        self._note(record.number, name, reason, explanation)

    def _note(self, number: int, name: str, reason: str, explanation: str) -> None:
        if len(self.faults) < FAULTS_MAX:
            self.faults.append(StatementFault(number, name, reason, explanation))


def _agree(name: str, reason: str, announced: int, found: int) -> None:
    if announced != found:
        raise FieldFaulty(name, reason, f"{announced} announced, {found} found")


def _sign(type_code: str) -> int:
    """1 for credits, -1 for debits (standard ranges, and the ranges left to banks)."""
    number = int(type_code)
    if 100 <= number <= 399 or 920 <= number <= 959:
        return 1
    if 400 <= number <= 699 or 960 <= number <= 999:
        return -1
    if type_code == NON_MONETARY:
        return 0
    raise FieldFaulty("type code", "not_a_transaction", f"{type_code} is neither a credit nor a debit")


def _proven(group: _Group, account: _Account, ids: LineIds) -> StatementAccount:
    shown = masked(account.number)
    lines: list[StatementLine] = []
    for one in account.movements:
        trace = trace_in(one.text)
        kind = Kind.OTHER
        if one.type_code in PAYMENT_TYPES:
            kind = Kind.PAYMENT
        elif one.type_code in RETURN_TYPES:
            kind = Kind.RETURN
        said = (group.bank, shown, group.day.isoformat(), one.type_code, one.amount_cents)
        lines.append(
            StatementLine(
                line_id=ids.next(*said, one.bank_reference, one.reference, trace),
                account=shown,
                day=group.day,
                value_on=one.value_on,
                amount_cents=one.amount_cents,
                bank_reference=one.bank_reference,
                reference=one.reference,
                trace=trace,
                company_id=company_in(one.text),
                kind=kind,
                return_code=return_code_in(one.text) if one.type_code in RETURN_TYPES | CREDIT_TYPES else None,
                description=described(one.text),
                record=one.record,
                batch_reference=batch_in(one.text),
            )
        )
    return StatementAccount(shown, group.bank, group.day, account.opening_cents, account.closing_cents, tuple(lines))
