# pyright: strict
"""The rules an entry answers to beyond its columns; the writer refuses what breaks one, the reader reports it."""

from collections.abc import Callable

from services.payments.nacha.changes import CHANGE_REASONS, REFUSALS, CorrectionFaulty, correction
from services.payments.nacha.model import Addendum, BatchHeader, ChangeAddendum, Entry, ReturnAddendum
from services.payments.nacha.records import COUNTED, ENTRIES
from services.payments.nacha.returns import CONTESTED, DEATH, DISHONORED, RETURN_REASONS
from services.payments.nacha.routing import check_digit
from services.payments.nacha.transactions import (
    ACKNOWLEDGMENTS,
    ADDENDA_MAX,
    FORWARD,
    REVERSAL_DESCRIPTION,
    TRANSACTIONS,
    Kind,
    ServiceClass,
    Transaction,
)

Finding = tuple[str, str]
"""The field's name and what is wrong with it."""


def header_findings(header: BatchHeader) -> list[Finding]:
    """What is wrong with a batch header beyond its columns."""
    found: list[Finding] = []
    if header.entry_class not in ENTRIES:
        found.append(("Standard Entry Class Code", f"{header.entry_class} is not among {', '.join(ENTRIES)}"))
    if header.entry_class in FORWARD and header.effective_on is None:
        found.append(("Effective Entry Date", f"a {header.entry_class} batch needs the day it is to settle"))
    description = header.description.strip()
    if description != REVERSAL_DESCRIPTION and description.upper() == REVERSAL_DESCRIPTION:
        found.append(("Company Entry Description", f"{REVERSAL_DESCRIPTION} is written in capitals"))
    return found


def entry_findings(header: BatchHeader, entry: Entry, *, whole: bool = True) -> list[Finding]:
    """What is wrong with an entry: every rule is asked, none stops the others.

    Not `whole`: one of its addenda could not be read, and no rule about its addenda is asked.
    """
    transaction = TRANSACTIONS.get(entry.transaction_code)
    if transaction is None:
        return [("Transaction Code", f"{entry.transaction_code:02d} is no transaction code")]
    rules = [rule for rule in ENTRY_RULES if whole or rule not in _ABOUT_ADDENDA]
    return [finding for rule in rules if (finding := rule(header, entry, transaction)) is not None]


def addendum_findings(addendum: Addendum) -> list[Finding]:
    """What is wrong with an addendum beyond its columns."""
    if isinstance(addendum, ReturnAddendum):
        if addendum.code not in RETURN_REASONS:
            return [("Return Reason Code", f"{addendum.code} is no return reason code")]
        if addendum.died and addendum.code not in DEATH:
            return [("Date of Death", f"{addendum.code} speaks of no death")]
        if (addendum.dispute is not None) is not (addendum.code in DISHONORED | CONTESTED):
            return [("Return Trace Number", f"{addendum.code} and a dispute about a return do not go together")]
        if addendum.dispute is not None and f"R{addendum.dispute.return_code}" not in RETURN_REASONS:
            return [("Return Reason Code", f"{addendum.dispute.return_code} is no return reason")]
    if isinstance(addendum, ChangeAddendum):
        if addendum.code in REFUSALS:
            known = addendum.refused_code in CHANGE_REASONS
            return [] if known else [("Change Code", f"{addendum.refused_code} is no change code")]
        if addendum.code not in CHANGE_REASONS:
            return [("Change Code", f"{addendum.code} is no change code that an originator receives")]
        try:
            correction(addendum.code, addendum.corrected_data)
        except CorrectionFaulty as fault:
            return [("Corrected Data", str(fault))]
    return []


def _check_digit(header: BatchHeader, entry: Entry, transaction: Transaction) -> Finding | None:
    expected = check_digit(entry.routing_number)
    if expected == int(entry.routing_number[8]) and entry.routing_number != "000000000":
        return None
    return "Check Digit", f"{entry.routing_number[8]} where {entry.routing_number[:8]} has {expected}"


def _name(header: BatchHeader, entry: Entry, transaction: Transaction) -> Finding | None:
    name = "Individual Name" if header.entry_class in {"PPD", "COR"} else "Receiving Company Name"
    return None if entry.name.strip() else (name, "a receiver has a name")


def _service_class(header: BatchHeader, entry: Entry, transaction: Transaction) -> Finding | None:
    match header.service_class:
        case ServiceClass.CREDITS if not transaction.is_credit:
            return "Transaction Code", f"{transaction.code} is a debit in a batch of credits only"
        case ServiceClass.DEBITS if transaction.is_credit:
            return "Transaction Code", f"{transaction.code} is a credit in a batch of debits only"
        case _:
            return None


def _entry_class(header: BatchHeader, entry: Entry, transaction: Transaction) -> Finding | None:
    comes_back = entry.returned is not None or header.entry_class == "COR"
    allowed = True
    if comes_back or transaction.kind is Kind.RETURN:
        allowed = comes_back and transaction.kind is Kind.RETURN
    elif header.entry_class in ACKNOWLEDGMENTS:
        allowed = transaction.code in {24, 34}
    elif transaction.kind is Kind.REMITTANCE_ONLY:
        allowed = header.entry_class in {"CCD", "CTX"}
    elif transaction.code == 55:
        allowed = header.description.strip() == REVERSAL_DESCRIPTION
    if allowed:
        return None
    return "Transaction Code", f"{transaction.code} does not belong to this {header.entry_class} entry"


def _amount(header: BatchHeader, entry: Entry, transaction: Transaction) -> Finding | None:
    name = "Total Amount" if header.entry_class in COUNTED else "Amount"
    if header.entry_class == "COR" or transaction.kind in {Kind.PRENOTE, Kind.REMITTANCE_ONLY}:
        return (name, f"zero belongs to transaction code {transaction.code} here") if entry.amount_cents else None
    if transaction.kind is Kind.LIVE and entry.amount_cents == 0:
        return name, f"transaction code {transaction.code} moves more than zero"
    return None


def _addenda(header: BatchHeader, entry: Entry, transaction: Transaction) -> Finding | None:
    count, most = len(entry.addenda), ADDENDA_MAX[header.entry_class]
    returned, change = entry.returned, entry.change
    name = "Number of Addenda Records" if header.entry_class in COUNTED else "Addenda Record Indicator"
    if count > most:
        return name, f"{count} addenda where {header.entry_class} takes {most} at most"
    if header.entry_class == "COR":
        return None if change is not None else (name, "a notification of change has one addenda of type 98")
    if change is not None:
        return name, "addenda of type 98 belong to class COR"
    if returned is not None:
        return None if count == 1 else (name, "a returned entry has its return addenda and no other")
    if transaction.kind is Kind.RETURN:
        return name, "a returned entry has one addenda of type 99"
    if transaction.kind is Kind.REMITTANCE_ONLY and not count and header.entry_class not in ACKNOWLEDGMENTS:
        return name, "a zero-dollar entry with remittance carries the remittance"
    return None


def _trace(header: BatchHeader, entry: Entry, transaction: Transaction) -> Finding | None:
    if not entry.trace or entry.trace[:8] == header.odfi or transaction.kind is Kind.RETURN:
        return None
    return "Trace Number", f"begins with {entry.trace[:8]} where the originating bank is {header.odfi}"


Rule = Callable[[BatchHeader, Entry, Transaction], Finding | None]
_ABOUT_ADDENDA = frozenset({_entry_class, _addenda})
MINOR = frozenset({"Individual Name", "Receiving Company Name"})
"""Fields without which an entry, and what came back, are as plain as with them: trace, bank and amount say it."""
ENTRY_RULES: tuple[Rule, ...] = (_check_digit, _name, _service_class, _entry_class, _amount, _addenda, _trace)
