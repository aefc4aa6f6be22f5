"""What one line of a redemption report does to the exam voucher it speaks of, and why it may do nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from contracts.ids import ExamVoucherId
from services.payments.domain import ExamVoucherState as State
from services.payments.exam_vouchers.formats import Word
from services.payments.exam_vouchers.reports import ReportLine
from services.payments.exam_vouchers.states import Act, Refusal, Use, after

USES: Final[Mapping[Word, Use]] = {
    Word.DELIVERED: Use.DELIVERED,
    Word.NO_SHOW: Use.NO_SHOW,
    Word.LATE_CANCEL: Use.LATE_CANCEL,
}


class Ending(StrEnum):
    """How a line of a report ends. What is not applied or repeated waits for a person."""

    APPLIED = "applied"
    REPEATED = "repeated"
    UNKNOWN_CODE = "unknown_code"
    CONTRADICTION = "contradiction"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class VoucherFile:
    """What is known of the exam voucher a line speaks of."""

    exam_voucher_id: ExamVoucherId
    exam_id: str
    lot_id: str
    state: State
    use: Use | None
    usable_until: datetime
    is_held: bool
    """A case has it that has not ended."""
    was_held: bool
    """A case has it, or had it."""
    last_word: Word | None = None
    last_told_at: datetime | None = None
    heard: frozenset[tuple[Word, datetime, str]] = field(default_factory=frozenset[tuple[Word, datetime, str]])


@dataclass(frozen=True, slots=True)
class Judgement:
    """How the line ends; `becomes` where it changes the exam voucher."""

    ending: Ending
    reason: str
    explanation: str
    becomes: State | None = None
    use: Use | None = None

    @property
    def stands(self) -> bool:
        """Whether it is from now on the vendor's newest word on the exam voucher."""
        return self.becomes is not None or self is AS_KNOWN


NOTHING_NEW = Judgement(Ending.REPEATED, "heard_before", "the same was reported before")
OLD_NEWS = Judgement(Ending.REPEATED, "superseded", "something later was reported before")
AS_KNOWN = Judgement(Ending.REPEATED, "as_known", "it says what was known already")


def judge(file: VoucherFile, line: ReportLine) -> Judgement:
    """One line against one exam voucher. Nothing is decided by the order in which reports come."""
    if (line.word, line.event_at, line.reference) in file.heard:
        return NOTHING_NEW
    if file.last_told_at is not None and line.told_at < file.last_told_at:
        return OLD_NEWS
    match line.word:
        case Word.REGISTERED:
            return _registered(file, line)
        case Word.DELIVERED | Word.NO_SHOW | Word.LATE_CANCEL:
            return _used(file, line, USES[line.word])
        case Word.EXPIRED:
            return _ended(file, line, Act.EXPIRE)
        case Word.VOID:
            return _ended(file, line, Act.VOID)
        case _:
            return _freed(file, line)


def heard(file: VoucherFile, line: ReportLine, judged: Judgement) -> VoucherFile:
    """The file as the next line about the same code finds it: the same words again change nothing, whatever came of
    them."""
    known = replace(file, heard=file.heard | {(line.word, line.event_at, line.reference)})
    if not judged.stands:
        return known
    return replace(
        known,
        state=judged.becomes or file.state,
        use=file.use if judged is AS_KNOWN else judged.use,
        last_word=line.word,
        last_told_at=line.told_at,
    )


def _registered(file: VoucherFile, line: ReportLine) -> Judgement:
    if not file.was_held or file.state is State.AVAILABLE:
        return _never_given(file)
    if file.state is State.USED and file.last_word in {None, *USES}:
        # An exam is registered before it is taken: this line is only late.
        return OLD_NEWS
    return _moved(file, Act.REGISTER)


def _used(file: VoucherFile, line: ReportLine, use: Use) -> Judgement:
    if not file.was_held or file.state is State.AVAILABLE:
        return _never_given(file)
    if file.state is State.USED and file.use is not use:
        if file.last_word in USES:
            return _contradiction(Refusal.ALREADY_USED, f"the vendor reported it as {file.use} before")
        if Use.DELIVERED in {file.use, use}:
            return _contradiction("college_says_otherwise", f"the college reported {file.use}")
    if file.state is State.EXPIRED and line.event_at > file.usable_until:
        return _contradiction("used_after_expiry", "the exam is dated after the code expired")
    return _moved(file, Act.USE, use)


def _ended(file: VoucherFile, line: ReportLine, act: Act) -> Judgement:
    if file.state is (State.EXPIRED if act is Act.EXPIRE else State.VOID):
        return AS_KNOWN
    return _moved(file, act)


def _freed(file: VoucherFile, line: ReportLine) -> Judgement:
    if file.state is State.AVAILABLE:
        return AS_KNOWN
    if not file.was_held:
        # Set aside after a use that nobody could explain: only a person lets it back into stock.
        return _contradiction(Refusal.WAITS_FOR_VENDOR, "a use was reported before, and nobody was given the code")
    if file.state is State.USED:
        if file.last_word in USES and line.word is not Word.MISSED_REUSABLE:
            return _contradiction(Refusal.ALREADY_USED, f"the vendor reported it as {file.use} before")
        if file.use is Use.DELIVERED:
            return _contradiction("college_says_otherwise", "the exam was reported as delivered")
    if line.word is Word.UNUSED and file.is_held:
        return AS_KNOWN if file.state is not State.USED else _contradiction(Refusal.ALREADY_USED, "it was used")
    return _moved(file, Act.REINSTATE if file.is_held else Act.RESTOCK)


def _never_given(file: VoucherFile) -> Judgement:
    moved = after(file.state, Act.SET_ASIDE)
    return Judgement(
        Ending.CONTRADICTION,
        Refusal.NEVER_ALLOCATED,
        "nobody was given this code",
        becomes=moved if isinstance(moved, State) else None,
    )


def _moved(file: VoucherFile, act: Act, use: Use | None = None) -> Judgement:
    moved = after(file.state, act)
    if isinstance(moved, State):
        return Judgement(Ending.APPLIED, act.value, "", becomes=moved, use=use)
    if moved in {Refusal.ALREADY_SO, Refusal.IS_REGISTERED}:
        return AS_KNOWN
    return _contradiction(moved, f"the code is {file.state.value.replace('_', ' ')}")


def _contradiction(reason: str, explanation: str) -> Judgement:
    return Judgement(Ending.CONTRADICTION, str(reason), explanation)
