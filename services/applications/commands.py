"""What callers may ask: the bodies of the write doors, bounded and strict; a field nobody knows is refused."""

from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints

from contracts.events.applications import ClaimDocument, ClaimLine, ExamResult
from contracts.money import Cents, PositiveCents
from contracts.personal import Declaration
from contracts.texts import Code, Language, Reference, Slug
from services.applications.domain import AnswerKind

PersonName = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f-\x9f]+$")
]
Email = Annotated[str, StringConstraints(max_length=254, pattern=r"^[^@\s\x00-\x1f]{1,64}@[^@\s\x00-\x1f]{1,189}$")]
AttemptNumber = Annotated[int, Field(strict=True, ge=1, le=10)]


class Command(BaseModel):
    """A request body. Its fields are frozen and no other field is taken."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class PersonDetails(Command):
    """Who applies. Every value is encrypted under a key of this person alone before it is stored."""

    given_name: PersonName
    family_name: PersonName
    email: Email
    birth_date: date
    ssn: Annotated[
        SecretStr,
        Field(
            min_length=9,
            max_length=11,
            description="Nine digits, hyphens allowed: `123-45-6789`",
            json_schema_extra={"pattern": r"^[0-9]{3}-?[0-9]{2}-?[0-9]{4}$"},
        ),
    ]
    county: Annotated[
        Slug | None, Field(description="Where the person lives: the county's slug is all the program needs to know")
    ] = None
    language: Language = "en"
    consent: Annotated[Literal[True], Field(description="The person agreed that the program processes these details")]
    publish_name: Annotated[
        bool, Field(strict=True, description="The person's name may stand on the public page of the credential")
    ] = False


class SubmitApplication(Command):
    """A person asks for funding of one credential at one provider."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "person": {
                        "given_name": "Ada",
                        "family_name": "Example",
                        "email": "ada@example.org",
                        "birth_date": "1990-04-12",
                        "ssn": "123-45-6789",
                        "county": "lorain",
                        "language": "en",
                        "consent": True,
                        "publish_name": True,
                    },
                    "program_id": "oh-imap",
                    "round_id": "r6",
                    "provider_id": "lorain-ccc",
                    "credential_id": "lorain-cybersecurity",
                    "declaration": {"state_of_residence": "OH"},
                }
            ]
        }
    )

    person: PersonDetails
    program_id: Slug
    round_id: Slug
    provider_id: Slug
    credential_id: Slug
    course_run_id: Slug | None = None
    declaration: Annotated[
        Declaration, Field(description="What the person declares; leave out what the person did not tell")
    ] = Declaration()


class SendDocument(Command):
    """Evidence that the determination asked for: the values, sealed under the person's key."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "kind": "income",
                    "evidence": {"income": {"tax_year": 2025, "ohio_agi_cents": 1_480_000, "family_size": 2}},
                }
            ]
        }
    )

    kind: Annotated[Code, Field(description="What it proves, as `missing` named it")]
    evidence: Declaration


class Withdraw(Command):
    """The person gives the application up."""

    reason: Code = "withdrawn_by_person"


class AnswerCharge(Command):
    """The person's answer to "were you charged for taking part?"."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"charged": False}, {"charged": True, "amount_cents": 4_000}]}
    )

    charged: bool
    amount_cents: Annotated[PositiveCents | None, Field(description="How much, where the person knows")] = None


class AnswerEnrollment(Command):
    """The college's answer to a request for a place."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"answer": "accepted", "price_cents": 280_000, "starts_on": "2026-09-01"},
                {"answer": "refused", "reasons": ["no_seats"]},
            ]
        }
    )

    answer: AnswerKind
    price_cents: Annotated[PositiveCents | None, Field(description="Needed to accept; at most the award")] = None
    starts_on: date | None = None
    reasons: Annotated[tuple[Code, ...], Field(max_length=16, description="Needed to refuse")] = ()


class ReportStart(Command):
    """The person began the course."""


class ReportMilestone(Command):
    """The person reached a milestone of the course, as the program lists it."""

    milestone: Annotated[Code, Field(examples=["week_1"])]


class ReportWithdrawal(Command):
    """The person left the course."""

    reason: Annotated[Code, Field(examples=["personal_reasons"])]


class Attest(Command):
    """A registered issuer's statement of completion, signed.

    A compact JWS (RFC 7515; `alg` Ed25519, EdDSA or ES256; `kid` names a registered key of the issuer) over the JSON
    `{"iss": issuer id, "enrollment_id", "credential_id", "completed_on": "YYYY-MM-DD"}`.
    """

    attestation: Annotated[str, Field(min_length=16, max_length=8192, pattern=r"^[A-Za-z0-9_.-]+$")]


class RegisterExam(Command):
    """The person is registered for an attempt at the certification exam."""

    exam_id: Slug
    attempt_number: AttemptNumber
    registration: Reference


class ReportExamResult(Command):
    """An attempt at the certification exam has a result."""

    exam_id: Slug
    attempt_number: AttemptNumber
    result: ExamResult


class SubmitClaim(Command):
    """The provider asks to be reimbursed for an earned credential."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "invoice_number": "INV-2026-0417",
                    "invoice_on": "2026-12-18",
                    "amount_cents": 280_000,
                    "participant_charged_cents": 0,
                    "lines": [{"kind": "tuition", "amount_cents": 280_000}],
                    "documents": [{"kind": "proof_of_payment", "reference": "REC-2026-0417"}],
                }
            ]
        }
    )

    invoice_number: Reference
    invoice_on: date
    amount_cents: PositiveCents
    participant_charged_cents: Annotated[Cents, Field(description="What the person was charged for taking part")]
    lines: Annotated[
        list[ClaimLine], Field(max_length=8, description="What the amount is for, by cost line; they add up to it")
    ] = []
    documents: Annotated[
        list[ClaimDocument],
        Field(max_length=16, description="What the program asks for beside credential and invoice"),
    ] = []
