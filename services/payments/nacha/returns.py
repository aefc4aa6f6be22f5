# pyright: strict
"""Return reason codes of the Nacha Operating Rules: what each says about an entry and what has to happen next."""

from dataclasses import dataclass
from enum import StrEnum


class Requires(StrEnum):
    """What a return asks of whoever sent the entry."""

    RETRY = "retry"
    """The same instructions may be sent again."""
    REPAIR_PAYEE = "repair payee"
    """The payee has to state its account anew, with call-back evidence, before anything is sent again."""
    CORRECT_FILE = "correct file"
    """The record itself was wrong: correct it and send again."""
    STOP = "stop"
    """Nothing is sent to this payee until a person has decided."""
    BANKS = "between banks"
    """The two banks dispute a return; no money of the originator moves until they are done."""


class Deadline(StrEnum):
    """By when the receiving bank has to have sent it."""

    TWO_BANKING_DAYS = "two banking days after settlement"
    SIXTY_DAYS = "sixty calendar days after settlement"
    AS_AGREED = "as the two banks agree"


@dataclass(frozen=True, slots=True)
class ReturnReason:
    """One code of the table. `money_returns`: the amount is owed to the payee again, never available anew."""

    code: str
    title: str
    requires: Requires
    deadline: Deadline = Deadline.TWO_BANKING_DAYS

    @property
    def money_returns(self) -> bool:
        return self.requires is not Requires.BANKS


_TWO, _SIXTY, _AGREED = Deadline.TWO_BANKING_DAYS, Deadline.SIXTY_DAYS, Deadline.AS_AGREED
_RETRY, _REPAIR, _CORRECT = Requires.RETRY, Requires.REPAIR_PAYEE, Requires.CORRECT_FILE
_STOP, _BANKS = Requires.STOP, Requires.BANKS

_TABLE: tuple[ReturnReason, ...] = (
    ReturnReason("R01", "insufficient funds", _RETRY),
    ReturnReason("R02", "account closed", _REPAIR),
    ReturnReason("R03", "no account, or account cannot be located", _REPAIR),
    ReturnReason("R04", "invalid account number structure", _REPAIR),
    ReturnReason("R05", "unauthorized debit to a consumer's account under a corporate class", _STOP, _SIXTY),
    ReturnReason("R06", "returned at the originating bank's request", _STOP, _AGREED),
    ReturnReason("R07", "authorization revoked by the customer", _STOP, _SIXTY),
    ReturnReason("R08", "payment stopped", _STOP),
    ReturnReason("R09", "uncollected funds", _RETRY),
    ReturnReason("R10", "originator not known or not authorized to debit", _STOP, _SIXTY),
    ReturnReason("R11", "entry not in accordance with the authorization", _CORRECT, _SIXTY),
    ReturnReason("R12", "account sold to another bank", _REPAIR),
    ReturnReason("R13", "receiving bank not qualified to take part", _REPAIR),
    ReturnReason("R14", "representative payee deceased or unable to continue", _STOP),
    ReturnReason("R15", "beneficiary or account holder deceased", _STOP),
    ReturnReason("R16", "account frozen, or entry returned on instruction of OFAC", _STOP),
    ReturnReason("R17", "entry fails the bank's edits, or looks questionable", _STOP),
    ReturnReason("R18", "improper effective entry date", _CORRECT),
    ReturnReason("R19", "amount field error", _CORRECT),
    ReturnReason("R20", "account that takes no such transactions", _REPAIR),
    ReturnReason("R21", "invalid company identification", _CORRECT),
    ReturnReason("R22", "invalid individual identification number", _CORRECT),
    ReturnReason("R23", "credit refused by the receiver", _STOP),
    ReturnReason("R24", "duplicate entry", _STOP),
    ReturnReason("R25", "addenda error", _CORRECT),
    ReturnReason("R26", "mandatory field error", _CORRECT),
    ReturnReason("R27", "trace number error", _CORRECT),
    ReturnReason("R28", "routing number or check digit error", _REPAIR),
    ReturnReason("R29", "corporate customer advises not authorized", _STOP),
    ReturnReason("R30", "receiving bank not in the check truncation program", _STOP),
    ReturnReason("R31", "permissible return of a CCD or CTX entry", _STOP, _AGREED),
    ReturnReason("R32", "receiving bank cannot settle", _RETRY),
    ReturnReason("R33", "return of a destroyed-check entry", _STOP, _SIXTY),
    ReturnReason("R34", "receiving bank's participation limited by its supervisor", _REPAIR),
    ReturnReason("R35", "improper debit entry", _STOP),
    ReturnReason("R36", "improper credit entry", _STOP),
    ReturnReason("R37", "source document presented for payment", _STOP, _SIXTY),
    ReturnReason("R38", "stop payment on the source document", _STOP, _SIXTY),
    ReturnReason("R39", "improper source document", _STOP),
    ReturnReason("R40", "enrollment returned by a federal agency", _CORRECT),
    ReturnReason("R41", "invalid transaction code in an enrollment", _CORRECT),
    ReturnReason("R42", "routing number or check digit error in an enrollment", _CORRECT),
    ReturnReason("R43", "invalid account number in an enrollment", _CORRECT),
    ReturnReason("R44", "invalid identification number in an enrollment", _CORRECT),
    ReturnReason("R45", "invalid name in an enrollment", _CORRECT),
    ReturnReason("R46", "invalid representative payee indicator in an enrollment", _CORRECT),
    ReturnReason("R47", "duplicate enrollment", _STOP),
    ReturnReason("R50", "state law affecting re-presented checks", _STOP),
    ReturnReason("R51", "item of a re-presented check entry is ineligible", _STOP, _SIXTY),
    ReturnReason("R52", "stop payment on the item of a re-presented check", _STOP, _SIXTY),
    ReturnReason("R53", "item and entry both presented for payment", _STOP, _SIXTY),
    ReturnReason("R61", "dishonored: misrouted return", _BANKS),
    ReturnReason("R62", "dishonored: return of an erroneous or reversing debit", _BANKS),
    ReturnReason("R67", "dishonored: duplicate return", _BANKS),
    ReturnReason("R68", "dishonored: untimely return", _BANKS),
    ReturnReason("R69", "dishonored: field errors", _BANKS),
    ReturnReason("R70", "dishonored: return was not agreed or requested", _BANKS),
    ReturnReason("R71", "contested: misrouted dishonored return", _BANKS),
    ReturnReason("R72", "contested: untimely dishonored return", _BANKS),
    ReturnReason("R73", "contested: the original return was timely", _BANKS),
    ReturnReason("R74", "contested: corrected return", _BANKS),
    ReturnReason("R75", "contested: return was not a duplicate", _BANKS),
    ReturnReason("R76", "contested: no errors found", _BANKS),
    ReturnReason("R77", "contested: dishonored return R62 is not accepted", _BANKS),
    ReturnReason("R80", "international entry coding error", _CORRECT),
    ReturnReason("R81", "gateway takes no international entries of this sender", _STOP),
    ReturnReason("R82", "invalid foreign receiving bank", _REPAIR),
    ReturnReason("R83", "foreign receiving bank unable to settle", _RETRY),
    ReturnReason("R84", "entry not processed by the gateway", _STOP),
    ReturnReason("R85", "international payment under a domestic class", _STOP),
)

RETURN_REASONS: dict[str, ReturnReason] = {one.code: one for one in _TABLE}
DEATH = frozenset({"R14", "R15"})
"""The codes whose addendum may carry the date of death."""
DISHONORED = frozenset({"R61", "R62", "R67", "R68", "R69", "R70"})
"""The codes by which the originating bank disputes a return."""
CONTESTED = frozenset({"R71", "R72", "R73", "R74", "R75", "R76", "R77"})
"""The codes by which the receiving bank disputes a dishonored return."""
