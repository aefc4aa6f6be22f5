"""For which lines of the cost a claim's payment is: what it says itself, less what the advance paid of them. Pure."""

from collections.abc import Mapping

from contracts.plan import CostKind
from services.payments.claims.checks import SPENT_ON_EXAM, ClaimFile, claimed_by_line


def asked_by_line(file: ClaimFile, advanced: Mapping[CostKind, int]) -> dict[CostKind, int]:
    """What is to be paid of each line; empty where the claim is for all of them.

    A claim that names no line is for none of the exam where the program's exam voucher paid for it.
    """
    asked = claimed_by_line(file.claim)
    if not asked and file.funding is not None and file.papers.exam_voucher in SPENT_ON_EXAM:
        asked = {line: cents for line, cents in file.funding.lines.items() if line is not CostKind.EXAM_FEE}
    return {line: max(0, cents - advanced.get(line, 0)) for line, cents in asked.items()}
