"""Who applies in the demo, what the outside parties do, and how each case has to end."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

ORDINARY = ("oh-imap", "r6")
BRISK = ("oh-imap-brisk", "r6-brisk")
LOW_INCOME = ("oh-imap-patient", "low-income")
ONE_SEAT = ("oh-imap-patient", "one-seat")


@dataclass(frozen=True)
class Scenario:
    """One application of the demo. `expected` is the outcome it must close with."""

    name: str
    title: str
    program_id: str
    round_id: str
    provider_id: str
    credential_id: str
    expected: str
    person: str
    state: str = "OH"
    language: str = "en"
    declaration: dict[str, Any] = field(default_factory=dict[str, Any])
    play: dict[str, Any] = field(default_factory=dict[str, Any])
    """What the college does with this learner (`examples/college.py`)."""
    document: dict[str, Any] | None = None
    """Sent once the case asks for more information."""
    withdraws_in: str | None = None
    """The person gives up as soon as the case shows this stage."""
    waits_for: str | None = None
    """Applies only once the scenario of this name shows its `enrollment` stage or later."""
    was_charged: bool = False
    """What the person answers when asked whether the provider charged."""
    repair: bool = False
    """Its payment comes back from the bank, and the finance office repairs the payee."""
    witness: str | None = None
    """The stage this case must have passed through."""

    @property
    def email(self) -> str:
        return f"{self.person}@learners.example"


def invoiced(start: str) -> dict[str, Any]:
    """A learner who completes, and whose invoice number begins so: bank and finance system treat it accordingly."""
    return {"invoice": start}


def _lorain(name: str, title: str, credential: str, expected: str = "reimbursed", **more: Any) -> Scenario:
    program_id, round_id = more.pop("where", ORDINARY)
    more.setdefault("person", "robin")
    return Scenario(name, title, program_id, round_id, "lorain-ccc", credential, expected, **more)


def _cleveland(name: str, title: str, credential: str) -> Scenario:
    return Scenario(name, title, *ORDINARY, "cleveland-state", credential, "reimbursed", person="ada")


INCOME_DOCUMENT = {
    "kind": "tax_return",
    "evidence": {"income": {"tax_year": 2025, "ohio_agi_cents": 1_890_000, "family_size": 3}},
}

SCENARIOS: tuple[Scenario, ...] = (
    _lorain("cybersecurity", "Lorain: cybersecurity, with exam", "lorain-cybersecurity", play=invoiced("DUP")),
    _lorain(
        "coding",
        "Lorain: coding, letters in Spanish",
        "lorain-coding",
        language="es",
        person="lucia",
        play=invoiced("LOST"),
    ),
    _lorain("soldering", "Lorain: soldering", "lorain-soldering", person="sam", play=invoiced("PAR")),
    _cleveland("smart-operations", "Cleveland State: operations, 1 of 3", "csu-smart-operations"),
    _cleveland("smart-analytics", "Cleveland State: analytics, 2 of 3", "csu-smart-analytics"),
    _cleveland("smart-automation", "Cleveland State: automation, 3 of 3", "csu-smart-automation"),
    Scenario(
        "stackable",
        "Baldwin Wallace: stacks into an MBA",
        *ORDINARY,
        "baldwin-wallace",
        "bw-business-analytics",
        "reimbursed",
        person="bea",
        play={"invoice": "BCK"},
        repair=True,
    ),
    Scenario(
        "association",
        "Assessed by an association",
        *ORDINARY,
        "educator-learning-center",
        "nea-family-engagement",
        "reimbursed",
        person="noor",
        play={"invoice": "BAR"},
    ),
    _lorain(
        "not-resident",
        "Not an Ohio resident: refused",
        "lorain-coding",
        "ineligible",
        where=BRISK,
        state="PA",
        person="pat",
        witness="appeal",
    ),
    _lorain(
        "income-unknown",
        "Income unknown: asked, then eligible",
        "lorain-coding",
        where=LOW_INCOME,
        person="ivy",
        play=invoiced("LAT"),
        document=INCOME_DOCUMENT,
        witness="information",
    ),
    _lorain(
        "seat-taken",
        "Has the only seat, withdraws",
        "lorain-soldering",
        "withdrawn",
        where=ONE_SEAT,
        person="will",
        play={"until": "start"},
    ),
    _lorain(
        "waits-for-seat",
        "Provider cap: waits, then served",
        "lorain-soldering",
        where=ONE_SEAT,
        person="wendy",
        waits_for="seat-taken",
        witness="waiting_list",
    ),
    _lorain(
        "college-refuses",
        "The college refuses",
        "lorain-production",
        "enrollment_refused",
        person="ref",
        play={"answer": "refuse"},
    ),
    _lorain(
        "exam-retake",
        "Exam failed, passed on retake",
        "lorain-cybersecurity",
        person="rhea",
        play={"exams": ["failed", "passed"]},
    ),
    _lorain(
        "college-silent",
        "College silent: reminded, lapsed",
        "lorain-soldering",
        "enrollment_lapsed",
        where=BRISK,
        person="silas",
        play={"answer": "silent"},
    ),
    _lorain(
        "payment-returned",
        "Payment returned, repaired, paid",
        "lorain-production",
        person="paula",
        play=invoiced("RET"),
        repair=True,
    ),
    _lorain(
        "was-charged",
        "Person was charged: payment stopped",
        "lorain-soldering",
        "claim_refused",
        person="carla",
        was_charged=True,
    ),
    _lorain(
        "gives-up",
        "Withdraws during learning",
        "lorain-programming",
        "withdrawn",
        person="gil",
        play={"until": "start"},
        withdraws_in="learning",
    ),
)


def application_of(scenario: Scenario, scenarios: Sequence[Scenario]) -> dict[str, Any]:
    """The body its portal sends. Every value of a person is that person's alone and occurs in no other text."""
    from examples.portal import application

    number = next(n for n, each in enumerate(scenarios, 1) if each.person == scenario.person)
    person = scenario.person.title()
    return application(
        given_name=f"Thistlewyn-{person}",
        family_name=f"Quillfeather-{person}",
        email=scenario.email,
        ssn=f"21909{number:04d}",
        birth_date=f"1987-03-{number:02d}",
        program_id=scenario.program_id,
        round_id=scenario.round_id,
        provider_id=scenario.provider_id,
        credential_id=scenario.credential_id,
        state=scenario.state,
        declaration=scenario.declaration,
        language=scenario.language,
    )
