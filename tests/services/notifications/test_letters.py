"""Every template exists in both languages, renders with what its fact gives, and leaves nothing blank."""

import re
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jinja2
import pytest

from contracts.journey import CloseReason, Outcome
from services.notifications.letters import LANGUAGES, Letters, TemplateMissing
from services.notifications.notices import LANGUAGE_OF_PROVIDERS

PROGRAMS = Path(__file__).parents[3] / "programs"
AT = datetime(2026, 3, 9, 14, 30, tzinfo=UTC).isoformat()
TITLES = {
    "application_id": "app_01k9z8m4q7v3h2x5t6w8y9b0cd",
    "program_title": "Individual Microcredential Assistance Program",
    "provider_name": "Lorain County Community College",
    "credential_title": "Cybersecurity & Networks",
}
REASONS = [
    {"code": "not_a_resident_at_all", "text": "The state of residence is not Ohio.", "citation": "ORC 122.1710"},
    {"code": "round_closed_then", "text": "The round was not open.", "citation": "IMAP round 6"},
]
SAMPLES: dict[str, list[dict[str, Any]]] = {
    "application_received": [{"submitted_at": AT}],
    "more_information_needed": [
        {"missing": ["income", "something_new"], "respond_by": AT},
        {"missing": ["income"], "respond_by": None},
    ],
    "found_eligible_waiting": [{"amount_cents": 300_000}],
    "funds_held": [{"amount_cents": 123_456, "from_waiting_list": flag} for flag in (True, False)],
    "not_eligible": [{"reasons": REASONS, "respond_by": AT}, {"reasons": REASONS[:1], "respond_by": None}],
    "enrolled": [{"starts_on": "2026-04-13"}, {"starts_on": None}],
    "college_waiting_list": [{}],
    "exam_voucher_ready": [{"attempt_number": number, "expires_at": AT} for number in (1, 2)],
    "exam_failed_retake": [
        {"no_show": flag, "attempts_left": left, "retake_from": AT} for flag, left in ((True, 1), (False, 2))
    ],
    "were_you_charged": [{"answer_by": AT}],
    "credential_recorded": [{"earned_on": "2026-07-24", "add_to_profile_url": "https://profile.example/add?a=1&b=2"}],
    "application_closed": [
        {"outcome": outcome.value, "reasons": reasons} for outcome in Outcome for reasons in ([], ["silent_college"])
    ],
}


TO_PROVIDERS: dict[str, list[dict[str, Any]]] = {
    "claim_returned": [
        {"claim_id": "clm_01k9z8m4q7v3h2x5t6w8y9b0cd", "claimed_cents": 123_456, "defects": defects}
        for defects in (["Missing: proof of payment."], ["One.", "Another."])
    ],
}
"""In English alone."""


@pytest.fixture(scope="module")
def letters() -> Letters:
    return Letters.load(PROGRAMS, default_program="oh-imap")


@pytest.mark.parametrize("language", LANGUAGES)
def test_exactly_the_told_templates_exist(letters: Letters, language: str) -> None:
    told = {*SAMPLES, *TO_PROVIDERS} if language == LANGUAGE_OF_PROVIDERS else set(SAMPLES)
    assert letters.templates("oh-imap", language) == told


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("template", SAMPLES)
def test_a_template_renders_every_sample(letters: Letters, template: str, language: str) -> None:
    for sample in SAMPLES[template]:
        letter = letters.write("oh-imap", template, language, {**TITLES, **sample}, given_name="Ana <b>Ñ</b>")
        assert letter.subject
        assert "\n" not in letter.subject
        assert "Ana" not in letter.subject
        assert TITLES["application_id"] in letter.text
        assert "None" not in letter.text
        assert "{{" not in letter.text + letter.html
        assert "Ana &lt;b&gt;Ñ&lt;/b&gt;" in letter.html
        assert "<b>Ñ" not in letter.html


@pytest.mark.parametrize("template", TO_PROVIDERS)
def test_a_letter_to_a_provider_names_claim_and_defects(letters: Letters, template: str) -> None:
    for sample in TO_PROVIDERS[template]:
        letter = letters.write("oh-imap", template, "en", {**TITLES, **sample}, given_name="The office")
        assert sample["claim_id"] in letter.subject
        assert letter.text.startswith(TITLES["provider_name"])
        assert "$1,234.56" in letter.text
        assert [line[2:] for line in letter.text.splitlines() if line.startswith("- ")] == sample["defects"]
        assert letter.html.count("<li>") == len(sample["defects"])
        assert "you applied" not in letter.text


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("template", SAMPLES)
def test_a_particular_nobody_gave_is_an_error(letters: Letters, template: str, language: str) -> None:
    with pytest.raises(jinja2.UndefinedError):
        letters.write("oh-imap", template, language, {}, given_name="Ana")


def test_the_words_of_both_languages_name_the_same_codes() -> None:
    folder = PROGRAMS / "oh-imap" / "notices"
    english, spanish = (tomllib.loads((folder / name / "words.toml").read_text()) for name in LANGUAGES)
    assert {about: set(words) for about, words in english.items()} == {
        about: set(words) for about, words in spanish.items()
    }
    assert set(english["outcomes"]) == {outcome.value for outcome in Outcome}


def test_every_reason_a_person_is_given_has_words_in_both_languages() -> None:
    """Read from the code that gives reasons: a code without words would reach a person as it stands."""
    root = PROGRAMS.parent
    given = set(re.findall(r'not_met\(\s*"([a-z_]+)"', (root / "services/eligibility/rules.py").read_text()))
    for path in (root / "workflows").glob("*.py"):
        given |= set(re.findall(r'CaseEnds\(Outcome\.(?!CLAIM)[A-Z_]+, [^")]*"([a-z_]+)"', path.read_text()))
    given |= {reason.value for reason in CloseReason} - {CloseReason.APPLICANT_DECEASED}
    assert len(given) > 30
    words = tomllib.loads((PROGRAMS / "oh-imap" / "notices" / "es" / "words.toml").read_text())["reasons"]
    assert given - set(words) == set()


def test_dates_and_money_follow_language_and_time_zone(letters: Letters) -> None:
    particulars = {**TITLES, "amount_cents": 123_456, "from_waiting_list": False}
    assert "$1,234.56" in letters.write("oh-imap", "funds_held", "en", particulars, given_name="Ana").text
    assert "$1,234.56" in letters.write("oh-imap", "funds_held", "es", particulars, given_name="Ana").text
    received = {**TITLES, "submitted_at": AT}
    english = letters.write("oh-imap", "application_received", "en", received, given_name="Ana").text
    spanish = letters.write("oh-imap", "application_received", "es", received, given_name="Ana").text
    assert "March 9, 2026 at 10:30" in english
    assert "9 de marzo de 2026 a las 10:30" in spanish


def test_a_link_in_the_text_is_a_link_in_the_html(letters: Letters) -> None:
    particulars = {**TITLES, **SAMPLES["credential_recorded"][0]}
    letter = letters.write("oh-imap", "credential_recorded", "en", particulars, given_name="Ana")
    assert 'href="https://profile.example/add?a=1&amp;b=2"' in letter.html
    assert "https://profile.example/add?a=1&b=2" in letter.text


def test_a_program_without_letters_uses_the_default_ones(letters: Letters) -> None:
    letter = letters.write("another", "college_waiting_list", "es", TITLES, given_name="Ana")
    assert "lista de espera" in letter.text
    with pytest.raises(TemplateMissing):
        letters.write("another", "no_such_template", "es", TITLES, given_name="Ana")
