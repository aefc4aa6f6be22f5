"""The program pack: one law-backed fund as dated data, in five files that people can read aloud.

Anything a program may do differently from another is a value here, never a branch in code. What is not published is
absent and named in `not_published`; nothing is invented. Unknown keys are refused, so that a misspelled rule is found.
"""

from typing import Annotated

from pydantic import Field

from contracts.program.catalog import (
    Approval,
    Assessment,
    Award,
    Competency,
    CostPrice,
    CourseRun,
    Credential,
    Issuer,
    PackExam,
    PackMilestone,
    Provider,
    Stack,
)
from contracts.program.gates import GateWay
from contracts.program.parts import Entry
from contracts.program.rounds import PersonGate, PersonLimits, PovertyGuideline, Round, Utilisation, Window
from contracts.program.rules import (
    Advance,
    Appeal,
    ApprovalLevel,
    Approvals,
    Bar,
    ClaimRules,
    CredentialGate,
    Failure,
    IncomeTest,
    InterestRate,
    Law,
    PackDeadlines,
    ParticipantCharge,
    PayeeGate,
    PayeeType,
    PaymentMilestone,
    PriceStep,
    Program,
    Residency,
    Stacking,
    Templates,
    Turn,
    WaitingList,
    WorkTest,
)


class Pack(Entry):
    """One version of one program, whole."""

    program: Program
    rounds: Annotated[list[Round], Field(min_length=1, max_length=100)]
    poverty_guidelines: Annotated[list[PovertyGuideline], Field(max_length=100)]
    credentials: Annotated[list[Credential], Field(min_length=1, max_length=2000)]
    stacks: Annotated[list[Stack], Field(max_length=500)] = []
    course_runs: Annotated[list[CourseRun], Field(max_length=5000)] = []
    providers: Annotated[list[Provider], Field(min_length=1, max_length=1000)]
    issuers: Annotated[list[Issuer], Field(min_length=1, max_length=1000)]
    awards: Annotated[list[Award], Field(max_length=10_000)] = []


__all__ = [
    "Advance",
    "Appeal",
    "Approval",
    "ApprovalLevel",
    "Approvals",
    "Assessment",
    "Award",
    "Bar",
    "ClaimRules",
    "Competency",
    "CostPrice",
    "CourseRun",
    "Credential",
    "CredentialGate",
    "Failure",
    "GateWay",
    "IncomeTest",
    "InterestRate",
    "Issuer",
    "Law",
    "Pack",
    "PackDeadlines",
    "PackExam",
    "PackMilestone",
    "ParticipantCharge",
    "PayeeGate",
    "PayeeType",
    "PaymentMilestone",
    "PersonGate",
    "PersonLimits",
    "PovertyGuideline",
    "PriceStep",
    "Program",
    "Provider",
    "Residency",
    "Round",
    "Stack",
    "Stacking",
    "Templates",
    "Turn",
    "Utilisation",
    "WaitingList",
    "Window",
    "WorkTest",
]
