"""What a journey knows: each event once, the newest word about each thing, within bounds."""

import random
import uuid

from contracts.envelope import CaseFact, Fact, source_of
from contracts.events.applications import EnrollmentWaitlisted, ExamResult, MilestoneReached
from contracts.events.eligibility import ProgramPublished
from contracts.events.payments import DisbursementSettled
from contracts.journey import SignaledFact
from tests.workflows.driver import LONG_AGO, Case
from tests.workflows.fakes import FakeSteps
from workflows.facts import EVENTS_REMEMBERED_MAX, EVIDENCE_MAX, SUBJECTS, SUBJECTS_MAX, KnownFacts, is_heard

CASE = Case(None, FakeSteps(), "facts")  # type: ignore[arg-type]


def told(fact: CaseFact, sequence: int, event_id: uuid.UUID | None = None) -> tuple[str, SignaledFact]:
    return fact.TYPE, CASE.word(fact, sequence=sequence, event_id=event_id)


def test_one_event_counts_once() -> None:
    known = KnownFacts(CASE.id)
    word = told(CASE.accepted(), 1)
    assert known.hear(*word) == "enrollment accepted"
    assert known.hear(*word) == ""


def test_in_any_order_the_newest_answer_stays() -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    words = [told(EnrollmentWaitlisted(**CASE.enrollment(), answered_at=LONG_AGO), number) for number in range(1, 9)]
    words.append(told(CASE.accepted(), 9))
    random.Random(seed).shuffle(words)
    known = KnownFacts(CASE.id)
    for word in words:
        known.hear(*word)
    assert known.answer == CASE.accepted()


def test_a_repaired_payment_stays_repaired_when_its_return_comes_late() -> None:
    known = KnownFacts(CASE.id)
    known.hear(*told(CASE.repaired(), 5))
    known.hear(*told(CASE.returned(), 4))
    assert known.payment(CASE.repaired().disbursement_id) == CASE.repaired()
    assert known.payment(CASE.repaired(2).disbursement_id) is None


def test_each_attempt_has_its_own_word() -> None:
    known = KnownFacts(CASE.id)
    known.hear(*told(CASE.resulted(ExamResult.FAILED, 1), 3))
    known.hear(*told(CASE.registered(2), 4))
    assert known.exam(1) == CASE.resulted(ExamResult.FAILED, 1)
    assert known.exam(2) == CASE.registered(2)


def test_a_hold_that_was_told_of_before_does_not_count_for_the_next() -> None:
    known = KnownFacts(CASE.id)
    first, second = told(CASE.hold_placed(1), 3), told(CASE.hold_placed(2), 5)
    known.hear(*first)
    known.forget_hold()
    assert known.hold_placed is None
    known.hear(first[0], first[1].model_copy(update={"event_id": uuid.uuid4()}))
    assert known.hold_placed is None
    known.hear(*second)
    assert known.hold_placed == CASE.hold_placed(2)


def test_evidence_is_in_the_order_it_was_received_and_bounded() -> None:
    known = KnownFacts(CASE.id)
    for number in random.Random(5).sample(range(EVIDENCE_MAX + 10), EVIDENCE_MAX + 10):
        known.hear(*told(CASE.document(number), number + 1))
    assert known.evidence == [CASE.document(number).sealed_evidence for number in range(10, EVIDENCE_MAX + 10)]


def test_memory_is_bounded_and_an_old_word_stays_old_beyond_it() -> None:
    known = KnownFacts(CASE.id)
    newest = told(CASE.accepted(), EVENTS_REMEMBERED_MAX * 3)
    known.hear(*newest)
    for number in range(EVENTS_REMEMBERED_MAX + SUBJECTS_MAX):
        milestone = MilestoneReached(**CASE.enrollment(), milestone=f"m_{number}", reached_at=LONG_AGO)
        line = known.hear(*told(milestone, number + 1))
    assert "told too much" in line
    assert "something newer" in known.hear(*newest)


def test_a_claim_that_was_reviewed_is_no_news() -> None:
    known = KnownFacts(CASE.id)
    known.hear(*told(CASE.claimed(1), 1))
    assert known.claim_beside(set()) == CASE.claimed(1)
    assert known.claim_beside({CASE.claimed(1).claim_id}) is None
    known.hear(*told(CASE.claimed(2), 2))
    assert known.claim_beside({CASE.claimed(1).claim_id}) == CASE.claimed(2)


def test_the_journey_listens_to_case_facts_of_two_services_and_to_no_answer_of_its_own_steps() -> None:
    assert {source_of(kind.TYPE) for kind in SUBJECTS} == {"/cairn/applications", "/cairn/payments"}
    assert all(Fact.registry[kind.TYPE] is kind for kind in SUBJECTS)
    assert ProgramPublished not in SUBJECTS
    assert is_heard(CASE.settled())
    assert is_heard(CASE.hold_placed())
    assert not is_heard(CASE.hold_placed().model_copy(update={"from_waiting_list": False}))


def test_what_is_not_a_fact_of_this_case_changes_nothing() -> None:
    known = KnownFacts(CASE.id)
    word = told(CASE.settled(), 1)[1]
    assert "not a fact" in known.hear("cairn.nobody.knows.this.v1", word)
    broken = word.model_copy(update={"event_id": uuid.uuid4(), "payload": {}})
    assert "not a fact" in known.hear(DisbursementSettled.TYPE, broken)
    other = Case(None, FakeSteps(), "another")  # type: ignore[arg-type]
    assert "another case" in known.hear(DisbursementSettled.TYPE, other.word(other.settled()))
    assert known.payment(CASE.settled().disbursement_id) is None
