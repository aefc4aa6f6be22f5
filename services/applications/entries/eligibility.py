"""Facts of eligibility: the determination with its findings."""

# pyright: strict
from contracts.events import eligibility as elg
from contracts.journey import Stage
from contracts.money import dollars
from services.applications.case import Entry, Lead, Reason, place
from services.applications.entries.book import tells


@tells(elg.ApplicationDetermined)
def _(fact: elg.ApplicationDetermined, sequence: int) -> Entry:
    against = [
        Reason(code=finding.reason, text=finding.text, citation=finding.citation)
        for finding in fact.findings
        if finding.result == ("unknown" if fact.outcome is elg.Eligibility.MORE_INFORMATION else "not_met")
    ]
    text, stage, lead = {
        elg.Eligibility.ELIGIBLE: (
            f"Eligible, for an award of {dollars(fact.award_cents)}.",
            Stage.AWARD,
            Lead(next_party="program", next_text="The program sets the money aside."),
        ),
        elg.Eligibility.INELIGIBLE: (
            "Not eligible.",
            Stage.APPEAL,
            Lead(
                reasons=against,
                due_at=fact.respond_by,
                next_party="person",
                next_text="The person may send further evidence until the decision is final.",
            ),
        ),
        elg.Eligibility.MORE_INFORMATION: (
            "More information is needed before eligibility can be decided.",
            Stage.INFORMATION,
            Lead(
                reasons=against,
                missing=fact.missing,
                due_at=fact.respond_by,
                next_party="person",
                next_text="The person sends what is missing.",
            ),
        ),
    }[fact.outcome]
    return Entry(
        text=text,
        reasons=against,
        place=place(20, fact.determination_number),
        stage=stage,
        lead=lead,
        findings=fact.findings,
        findings_number=fact.determination_number,
        waits=fact.waits,
    )
