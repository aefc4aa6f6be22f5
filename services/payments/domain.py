"""Where the money of a case stands, the exam voucher's states, and the errors of payments."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from contracts.errors import Conflict, Forbidden, Refused, Unavailable
from contracts.ids import ApplicationId, HoldId, Id, TransferId
from contracts.plan import CostKind
from contracts.steps.payments import FundsHeld, HoldStatus
from services.payments.books.ledger import Scope, award_row, carried_scope, person_row, round_row


class PayeeRepairId(Id, prefix="rep"):
    """One mending of what made a payee's payments come back."""


class FundingState(StrEnum):
    """What the case has of the program's money."""

    WAITING = "waiting"
    HELD = "held"
    REFUSED = "refused"
    ENCUMBERED = "encumbered"
    EXPENDED = "expended"
    """Its claim is approved: the money is the provider's, from payable onwards."""
    RELEASED = "released"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    """It gave up its place on the waiting list."""
    LAPSED = "lapsed"
    """Its fiscal year closed over it."""


@dataclass(frozen=True, slots=True)
class Funding:
    """The money of one case and the journal entries that stand for it."""

    application_id: ApplicationId
    hold_number: int
    person_id: str
    program_id: str
    round_id: str
    provider_id: str
    credential_id: str
    book: str
    person_capped: bool
    amount_cents: int
    hold_seconds: int
    state: FundingState
    reason: str | None
    hold_id: HoldId | None
    hold_transfer_id: TransferId | None
    expires_at: datetime | None
    served: int
    enrollment_id: str | None
    encumbrance_transfer_id: TransferId | None
    encumbered_cents: int
    """What was committed to the enrollment, an advance on it included."""
    released_cents: int
    advanced_cents: int
    carried_from: str | None = None
    """The budget line of the year before, where its encumbrance was carried forward into this one."""
    cost_lines: Mapping[CostKind, int] = field(default_factory=dict[CostKind, int])
    """`amount_cents` by line; empty where nobody said, as of every case before lines were kept."""

    @property
    def lines(self) -> Mapping[CostKind, int]:
        """The award by line: tuition where nobody said."""
        return self.cost_lines or {CostKind.TUITION: self.amount_cents}

    @property
    def open_cents(self) -> int:
        """What is still encumbered: the commitment without the advance on it."""
        return self.encumbered_cents - self.advanced_cents

    @property
    def scope(self) -> Scope:
        """The balance rows its money is in."""
        scope = scope_of(
            self.book, self.program_id, self.round_id, self.provider_id, self.person_id if self.person_capped else None
        )
        return scope if self.carried_from is None else carried_scope(scope, self.book)

    def answer(self) -> FundsHeld:
        """What the request for a hold came to: a later expiry or release does not unsay it."""
        if self.hold_id is not None:
            return FundsHeld(status=HoldStatus.HELD, hold_id=self.hold_id)
        status = HoldStatus.REFUSED if self.state is FundingState.REFUSED else HoldStatus.WAITING
        return FundsHeld(status=status, reason=self.reason)


def scope_of(book: str, program_id: str, round_id: str, provider_id: str, person_id: str | None) -> Scope:
    """The balance rows of a case; no person row where the round caps no person."""
    return Scope(
        book=book,
        line=book,
        round=round_row(program_id, round_id),
        award=award_row(program_id, round_id, provider_id),
        person=None if person_id is None else person_row(program_id, round_id, person_id),
    )


class ExamVoucherState(StrEnum):
    """Where an exam voucher stands."""

    AVAILABLE = "available"
    ALLOCATED = "allocated"
    REVEALED = "revealed"
    REGISTERED = "registered"
    REUSABLE = "reusable"
    """Its holder was registered, is no longer, and may use the code again."""
    USED = "used"
    AWAITING_VENDOR = "awaiting_vendor"
    """Somebody saw the code and did not use it; only the vendor's word makes it available again."""
    EXPIRED = "expired"
    VOID = "void"


class DisbursementState(StrEnum):
    """Where one payment stands."""

    ORDERED = "ordered"
    BATCHED = "batched"
    SENT = "sent"
    SETTLED = "settled"
    RETURNED = "returned"
    REPAIRED = "repaired"
    STOPPED = "stopped"
    """The person says that the provider charged; people decide whether it goes on."""


class BatchState(StrEnum):
    """A transmitted batch is never rebuilt: its content is fixed when it is approved."""

    BUILT = "built"
    APPROVED = "approved"
    TRANSMITTED = "transmitted"
    ACKNOWLEDGED = "acknowledged"
    WITHDRAWN = "withdrawn"
    """Taken apart before anybody approved it."""


class NotYetKnown(Unavailable):
    """The {what} of this case has not reached payments yet."""

    code = "not_yet_known"


class BooksMoved(Unavailable):
    """Another posting changed the same balance row first; try again."""

    code = "books_moved"


class PostingFailed(Conflict):
    """The ledger did not take a posting that its business row promised: {code} for {transfer_id}."""

    code = "posting_failed"


class RequestDiffers(Conflict):
    """The case has already been answered for other particulars ({what})."""

    code = "request_differs"


class ClaimNotPayable(Conflict):
    """The claim is not approved, so nothing can be paid on it."""

    code = "claim_not_payable"


class DisbursementStillOpen(Conflict):
    """Payment attempt {attempt_number} has not come back, so it cannot be made again."""

    code = "disbursement_still_open"


class MakerIsChecker(Forbidden):
    """The person who made it may not also check it."""

    code = "maker_is_checker"


def person(name: str) -> str:
    """One name for one person: `finance/anna`, at an HTTP door, signs the same as `anna`, at the command line."""
    return name.rsplit("/", 1)[-1]


def two_people(checker: str, *makers: str | None) -> None:
    """`MakerIsChecker` where who checks had a hand in making, by whichever door."""
    if person(checker) in {person(maker) for maker in makers if maker is not None}:
        raise MakerIsChecker


class NothingToPay(Conflict):
    """No ordered payment waits for a batch."""

    code = "nothing_to_pay"


class BatchAlreadyApproved(Conflict):
    """The batch was approved before."""

    code = "batch_already_approved"


class TooManyFiles(Conflict):
    """The bank takes {files_max} files of {day}; this batch is approved on the next day."""

    code = "too_many_files"


class NothingToRepair(Conflict):
    """No returned payment of this payee waits for a repair."""

    code = "nothing_to_repair"


class RepairAlreadyOpen(Conflict):
    """A repair of this payee already waits for its approval."""

    code = "repair_already_open"


class RepairAlreadyApproved(Conflict):
    """The repair was approved before."""

    code = "repair_already_approved"


class AlreadyRevealed(Conflict):
    """The exam voucher's code was shown before; it is shown once."""

    code = "already_revealed"


class NotRevealable(Conflict):
    """The exam voucher is no longer the applicant's to use."""

    code = "not_revealable"


class LotAlreadyImported(Conflict):
    """The order {order_number} of this vendor was imported before."""

    code = "lot_already_imported"


class CodeKnown(Refused):
    """Line {line} of the lot has a code that is on record already, for this exam or another of the vendor."""

    code = "code_known"


class LotUnreadable(Refused):
    """The lot's file cannot be read: {why}."""

    code = "lot_unreadable"
