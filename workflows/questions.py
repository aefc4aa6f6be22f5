"""What the journey may put to staff, and which answers each question takes."""

from dataclasses import dataclass

from contracts.journey import Decision


@dataclass(frozen=True, slots=True)
class Question:
    """One question to staff; `text` is what the case page says beside it."""

    code: str
    offers: tuple[Decision, ...]
    text: str
    needs_staff: bool = True
    """False where an answer is possible but nobody is expected to give one."""


APPEAL_WINDOW = Question(
    "appeal",
    (Decision.APPROVE, Decision.REFUSE, Decision.RETRY),
    "Appeal window: approve upholds an appeal, retry determines again with what came in since, refuse closes now.",
    needs_staff=False,
)
APPEAL = Question(
    "appeal",
    (Decision.APPROVE, Decision.REFUSE, Decision.RETRY),
    "The person sent evidence after being found ineligible: approve upholds the appeal, retry determines again, "
    "refuse closes now.",
)
SILENT_COLLEGE = Question(
    "silent_college",
    (Decision.RETRY, Decision.REFUSE),
    "The college has not answered: retry asks it again, refuse lets the request lapse.",
)
PRICE_EXCEEDS_HOLD = Question(
    "price_exceeds_hold",
    (Decision.APPROVE, Decision.RETRY, Decision.REFUSE),
    "The college's price is above the money held: approve when the college takes the award as its full price, retry "
    "when it has corrected its answer, refuse to end the enrollment.",
)
NO_EXAM_VOUCHER = Question(
    "no_exam_voucher",
    (Decision.RETRY, Decision.REFUSE),
    "No exam voucher is available: retry once a new lot is in, refuse to end the case without an exam.",
)
CLAIM_REVIEW = Question(
    "claim_review",
    (Decision.APPROVE, Decision.REFUSE),
    "The claim needs a person's decision. Above the threshold two different people must approve.",
)
STEP_REFUSED = Question(
    "step_refused",
    (Decision.RETRY, Decision.REFUSE),
    "A step could not be done: retry once its cause is mended, refuse to close the case.",
)
STEP_REFUSED_WHILE_PAYING = Question(
    "step_refused",
    (Decision.RETRY,),
    "A step could not be done and the provider is owed money: retry once its cause is mended.",
)
PAYMENT_RETURNED = Question(
    "payment_returned",
    (Decision.REFUSE,),
    "The payment came back as often as it may be tried: refuse to close the case without payment.",
)
