"""Whether an account's statement continues what was taken before: the right account, balances that go on, lines once.

The bank's own arithmetic is the proof: the last closing balance, plus the lines that are new, gives the new closing
balance. A day that is missing, an altered line, a line counted twice or left out breaks it.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date

from contracts.ids import Id
from services.payments.statements.lines import StatementAccount, StatementLine


class BankStatementId(Id, prefix="bst"):
    """One account's statement in one file; place 0 is what the file could not prove."""


@dataclass(frozen=True, slots=True)
class Link:
    """The last accepted statement of an account."""

    day: date
    closing_cents: int
    form: str


@dataclass(frozen=True, slots=True)
class Judgment:
    """Held for a person where `reason` is not empty; else accepted, with the lines that are new."""

    new_lines: tuple[StatementLine, ...]
    reason: str = ""
    explanation: str = ""

    @property
    def held(self) -> bool:
        return bool(self.reason)


def our_account(account: StatementAccount, ours: Collection[str]) -> bool:
    """Whether `bank/*2468` is among the accounts that the program pays from."""
    return f"{account.bank}/{account.account}" in ours


def continues(
    account: StatementAccount,
    form: str,
    *,
    last: Link | None,
    known: Collection[str],
    ours: Collection[str],
    trusted: bool = False,
) -> Judgment:
    """Judge a statement; `known`: ids of its lines that were taken before; `trusted`: two people have accepted it."""
    new = tuple(line for line in account.lines if line.line_id not in known)

    def held(reason: str, explanation: str) -> Judgment:
        return Judgment(new, reason, explanation)

    if not our_account(account, ours):
        return held("foreign_account", f"{account.bank}/{account.account} is not an account the program pays from")
    if account.opening_cents is None or account.closing_cents is None:
        return held("balance_missing", "opening and closing balance are needed to follow the account")
    if not account.balances_agree:
        return held("balances_disagree", "the opening balance and the lines do not give the closing balance")
    if last is None or trusted:
        return Judgment(new)
    if form != last.form:
        return held("format_changed", f"{form} after {last.form}: the same movement has another id in each")
    if account.day < last.day and new:
        return held("behind", f"new lines for {account.day}, but the account stands at {last.day}")
    expected = last.closing_cents + moved_cents(new)
    if account.day >= last.day and expected != account.closing_cents:
        if len(new) == len(account.lines):
            gap = account.opening_cents - last.closing_cents
            return held("opening_balance", f"opens {gap:+d} cents from where {last.day} closed: a statement is missing")
        return held("overlap", f"with its new lines it closes {account.closing_cents - expected:+d} cents away")
    return Judgment(new)


def moved_cents(lines: Sequence[StatementLine]) -> int:
    """What the lines do to the balance."""
    return sum(line.amount_cents for line in lines)
