"""Search attributes: declared in the contract, never more than what changed."""

from datetime import UTC, datetime

from contracts.journey import SEARCH_BOOLS, SEARCH_DATETIMES, SEARCH_INTS, SEARCH_KEYWORDS, HoldReason, Outcome, Stage
from tests.workflows.driver import submitted
from workflows.attributes import Attributes, at_start

DECLARED = {*SEARCH_KEYWORDS, *SEARCH_DATETIMES, *SEARCH_INTS, *SEARCH_BOOLS}
EVERYTHING = Attributes(
    stage=Stage.CLOSED,
    outcome=Outcome.REIMBURSED,
    hold_reason=HoldReason.LEGAL,
    assignee="m.ortiz",
    due_at=datetime(2026, 3, 2, tzinfo=UTC),
    amount_cents=1,
    needs_staff=True,
)


def test_only_what_changed_is_upserted() -> None:
    earlier = Attributes(stage=Stage.LEARNING, due_at=datetime(2026, 3, 2, tzinfo=UTC))
    assert earlier.changes_since(earlier) == []
    changes = Attributes(stage=Stage.CREDENTIAL).changes_since(earlier)
    assert {(each.key.name, each.value) for each in changes} == {("CaseStage", "credential"), ("DueAt", None)}


def test_every_declared_attribute_is_written_and_no_other() -> None:
    changes = EVERYTHING.changes_since(Attributes(stage=Stage.ELIGIBILITY))
    at_first = {pair.key.name for pair in at_start(submitted("attributes"))}
    assert {each.key.name for each in changes} | at_first == DECLARED


def test_a_case_without_a_county_starts_without_one() -> None:
    without = submitted("attributes").model_copy(update={"county": None})
    assert "County" not in {pair.key.name for pair in at_start(without)}


def test_no_attribute_holds_anything_personal() -> None:
    fact = submitted("attributes")
    values = {str(pair.value) for pair in at_start(fact)}
    assert not values & {fact.person_id, fact.sealed_contact, fact.sealed_declaration}
