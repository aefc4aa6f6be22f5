"""Packs from files: every fault is named, versions depend on content alone, a derived pack stands on another."""

from datetime import timedelta
from typing import Any

import pytest

from services.eligibility.gateways import PackFolders
from services.eligibility.packs import FILES, LoadedPack, PackFaulty, load
from tests.services.eligibility.cases import PROGRAMS, pack

FILES_OF_OHIO = {name: bytes(content) for name, content in PackFolders(PROGRAMS).files("oh-imap").items()}


def _load(library: dict[str, dict[str, bytes]], name: str = "oh-imap") -> LoadedPack:
    return load(name, lambda wanted: library.get(wanted, {}))


def _with(*changes: tuple[str, str, str]) -> dict[str, dict[str, bytes]]:
    """The Ohio pack with texts replaced: (file, old, new)."""
    files = dict(FILES_OF_OHIO)
    for file, old, new in changes:
        text = files[file].decode()
        assert old in text, (file, old)
        files[file] = text.replace(old, new, 1).encode()
    return {"oh-imap": files}


def _faults(library: dict[str, dict[str, bytes]], name: str = "oh-imap") -> set[tuple[str, str]]:
    with pytest.raises(PackFaulty) as caught:
        _load(library, name)
    return {(fault.file, fault.key) for fault in caught.value.faults}


@pytest.mark.parametrize("name", ["oh-imap", "oh-imap-brisk", "oh-imap-patient", "va-wcg", "in-hours"])
def test_the_packs_of_the_repository_load(name: str) -> None:
    assert len(pack(name).version) == 64


ONE_FAULT: list[Any] = [
    ("program.toml", 'appeal = "P30D"', 'apeal = "P30D"', "deadlines.apeal"),
    ("program.toml", 'state = "OH"', 'state = "Ohio"', "residency.state"),
    ("program.toml", 'time_zone = "America/New_York"', 'time_zone = "America/Lorain"', "time_zone"),
    ("program.toml", 'hold = "P45D"', 'hold = "P9000D"', "deadlines.hold"),
    ("program.toml", "is_state_resident =", "is_state_redisent =", "citations.is_state_resident"),
    ("program.toml", 'share = "1/1"', 'share = "3/2"', "milestones[0].share"),
    ("program.toml", 'share = "1/1"', 'share = "1/1"\namount_cents = 5', "milestones[0]"),
    ("program.toml", "up_to_cents = 3_000_00", "up_to_cents = 99_999_999_99", "approvals.levels"),
    ("program.toml", 'payer = "program"', 'payer = "participant"', "participant_charge.allowed"),
    ("rounds.toml", "fiscal_year = 2026", "fiscal_year = 2025", "rounds[r6].fiscal_year"),
    (
        "rounds.toml",
        "appropriation_cents = 2_500_000_00",
        "appropriation_cents = 2.5e8",
        "rounds[r1].appropriation_cents",
    ),
    ("rounds.toml", '"low_income"', '"low_incme"', "rounds[r1].person_gate.any_of[0]"),
    ("rounds.toml", 'not_published = ["people_window"]', 'not_published = ["people"]', "rounds[r1]"),
    ("rounds.toml", 'not_published = ["people_window"]', 'not_published = ["appropriation_cents"]', "rounds[r1]"),
    (
        "rounds.toml",
        "closes = 2020-07-25T00:00:00-04:00",
        "closes = 2020-07-01T00:00:00-04:00",
        "rounds[r1].provider_window",
    ),
    (
        "rounds.toml",
        'basis = "requested"',
        'basis = "requested"\nreference_round = "r0"',
        "rounds[r6].renewal.reference_round",
    ),
    (
        "rounds.toml",
        "appropriation_cents = 5_000_000_00",
        "appropriation_cents = 900_000_00",
        "rounds[r6].appropriation_cents",
    ),
    ("poverty_guidelines.toml", "15_960_00, 21_640_00", "21_640_00, 15_960_00", "poverty_guidelines[2026]"),
    ("poverty_guidelines.toml", "[15_960_00, ", "[", "poverty_guidelines[2026].by_family_size_cents"),
    ("poverty_guidelines.toml", "effective_from = 2026-01-13", "effective_from = 2025-01-15", "poverty_guidelines"),
    (
        "credentials.toml",
        "price_cents = 2_200_00",
        "price_cents = -1",
        "credentials[lorain-cybersecurity].cost_lines[0].price_cents",
    ),
    ("credentials.toml", 'kind = "exam_fee"', 'kind = "tuition"', "credentials[lorain-cybersecurity].cost_lines"),
    (
        "credentials.toml",
        'issuers = ["lorain-ccc"]',
        'issuers = ["lorain"]',
        "credentials[lorain-cybersecurity].issuers",
    ),
    (
        "credentials.toml",
        "attempts_max = 3",
        "attempts_max = 99",
        "credentials[lorain-cybersecurity].exam.attempts_max",
    ),
    ("credentials.toml", "parts_needed = 3", "parts_needed = 4", "stacks[csu-smart-manufacturing].parts_needed"),
    ("credentials.toml", "[[stacks]]", "[[stakcs]]", "stakcs"),
    ("providers.toml", 'type = "community_college"', 'type = "kindergarten"', "providers[lorain-ccc].type"),
    ("providers.toml", '["ohio_community_colleges"]', '["friends"]', "providers[lorain-ccc].registries"),
    ("providers.toml", '"0000100001"', '"100001"', "providers[lorain-ccc].supplier_number"),
    (
        "providers.toml",
        "ceiling_cents = 500_000_00",
        "ceiling_cents = 500_000_01",
        "awards[r6/lorain-ccc].ceiling_cents",
    ),
    ("providers.toml", "lorain-soldering = 20", "lorain-juggling = 20", "awards[r6/lorain-ccc].seats.lorain-juggling"),
    (
        "providers.toml",
        "bw-business-analytics = 50",
        "lorain-coding = 5",
        "awards[r6/baldwin-wallace].seats.lorain-coding",
    ),
]


@pytest.mark.parametrize(("file", "old", "new", "key"), ONE_FAULT)
def test_each_fault_is_named_with_file_and_key(file: str, old: str, new: str, key: str) -> None:
    assert (file, key) in _faults(_with((file, old, new)))


def test_every_fault_of_a_pack_is_named_at_once() -> None:
    library = _with(*((file, old, new) for file, old, new, _ in (ONE_FAULT[n] for n in (1, 9, 17, 20, 26, 29))))
    assert _faults(library) >= {(ONE_FAULT[n][0], ONE_FAULT[n][3]) for n in (1, 9, 17, 20, 26, 29)}


def test_the_message_reads_file_key_reason() -> None:
    with pytest.raises(PackFaulty) as caught:
        _load(_with(("program.toml", 'state = "OH"', 'state = "Ohio"')))
    assert str(caught.value).startswith("The pack oh-imap has 1 fault(s): program.toml: residency.state: String should")


def test_an_invalid_entry_does_not_make_others_look_wrong() -> None:
    library = _with(("credentials.toml", "clock_hours = 240", 'clock_hours = "many"'))
    assert _faults(library) == {("credentials.toml", "credentials[lorain-cybersecurity].clock_hours")}


def test_a_round_with_an_income_test_opens_only_under_a_guideline() -> None:
    opened = 'not_published = ["people_window"]', "people_window = { opens = 2020-08-01T00:00:00-04:00 }"
    assert ("rounds.toml", "rounds[r1].people_window.opens") in _faults(_with(("rounds.toml", *opened)))


def test_missing_unreadable_and_undecodable_files_are_named() -> None:
    files = dict(FILES_OF_OHIO)
    del files["rounds.toml"]
    files["providers.toml"] = b"\xff\xfe"
    files["credentials.toml"] = b"[[credentials"
    faults = _faults({"oh-imap": files})
    assert {("rounds.toml", ""), ("providers.toml", ""), ("credentials.toml", "")} <= faults
    assert _faults({}) >= {(file, "") for file in FILES}


def test_one_id_for_two_entries_is_a_fault() -> None:
    twice = _with(("providers.toml", 'id = "cleveland-state"', 'id = "lorain-ccc"'))
    assert ("providers.toml", "providers[lorain-ccc].id") in _faults(twice)
    again = _with(("providers.toml", 'provider_id = "cleveland-state"', 'provider_id = "lorain-ccc"'))
    assert ("providers.toml", "awards[r6/lorain-ccc]") in _faults(again)


def test_the_version_is_of_the_content_not_of_the_writing() -> None:
    commented = {file: b"# another comment\n\n" + content for file, content in FILES_OF_OHIO.items()}
    assert _load({"oh-imap": commented}).version == pack().version
    dearer = _with(("credentials.toml", "price_cents = 2_200_00", "price_cents = 2_201_00"))
    assert _load(dearer).version != pack().version


def test_what_is_stored_reads_back_as_the_same_pack() -> None:
    loaded = pack()
    assert type(loaded.pack).model_validate_json(loaded.content) == loaded.pack


def _derived(**files: str) -> dict[str, dict[str, bytes]]:
    own = {"program": 'extends = "oh-imap"\nid = "child"\n'} | files
    return {"oh-imap": FILES_OF_OHIO, "child": {f"{name}.toml": text.encode() for name, text in own.items()}}


def test_a_derived_pack_overrides_by_key_and_adds_by_id() -> None:
    child = _load(
        _derived(
            program='extends = "oh-imap"\nid = "child"\n[deadlines]\nappeal = "PT3S"\n',
            rounds='[[rounds]]\nid = "r6"\nappropriation_cents = 6_000_000_00\n',
            poverty_guidelines=(
                '[[poverty_guidelines]]\nyear = 2027\nnotice = "later"\neffective_from = 2027-01-14\n'
                f"by_family_size_cents = {[n * 1_000_00 for n in range(17, 25)]}\neach_more_cents = 1_000_00\n"
            ),
        ),
        "child",
    ).pack
    parent = pack().pack
    assert child.program.id == "child"
    assert child.program.laws == parent.program.laws
    assert (child.program.deadlines.appeal, child.program.deadlines.claim) == (timedelta(seconds=3), timedelta(days=42))
    assert child.rounds[5] == parent.rounds[5].model_copy(update={"appropriation_cents": 6_000_000_00})
    assert child.rounds[:5] == parent.rounds[:5]
    assert [row.year for row in child.poverty_guidelines] == [2024, 2025, 2026, 2027]
    assert child.credentials == parent.credentials


@pytest.mark.parametrize(
    ("files", "fault"),
    [
        ({"program": 'extends = "nothing"\nid = "child"\n'}, ("program.toml", "extends")),
        ({"program": 'extends = "child"\nid = "child"\n'}, ("program.toml", "extends")),
        ({"rounds": '[[rounds]]\nid = "r7"\nlike = "r0"\ntitle = "Seven"\n'}, ("rounds.toml", "rounds[r7].like")),
        ({"rounds": 'keep = ["r9"]\n'}, ("rounds.toml", "keep")),
        ({"program": 'extends = "oh-imap"\nid = "child"\ndeadline = {}\n'}, ("program.toml", "deadline")),
    ],
)
def test_faults_of_inheritance_are_named(files: dict[str, str], fault: tuple[str, str]) -> None:
    assert fault in _faults(_derived(**files), "child")


def test_the_drill_pack_keeps_the_law_and_shortens_the_waits() -> None:
    ohio, brisk = pack().pack, pack("oh-imap-brisk").pack
    same = {"laws", "citations", "income_test", "credential_gate", "milestones", "stacking", "claim", "approvals"}
    assert all(getattr(brisk.program, name) == getattr(ohio.program, name) for name in same)
    assert brisk.credentials == ohio.credentials
    waits = brisk.program.deadlines
    assert waits.appeal == timedelta(seconds=3)
    assert waits.more_information == timedelta(seconds=60)
    assert waits.enrollment_reminder < waits.enrollment_answer <= timedelta(seconds=10)
    assert min(waits.completion, waits.claim, waits.payment) >= timedelta(days=1)
    gates = {entry.id: entry.person_gate for entry in brisk.rounds}
    assert gates["low-income"] == next(entry.person_gate for entry in ohio.rounds if entry.id == "r1")
    assert (
        gates["r6-brisk"] == gates["one-seat"] == next(entry.person_gate for entry in ohio.rounds if entry.id == "r6")
    )


def test_the_patient_drill_gives_colleges_time_and_keeps_everything_else() -> None:
    brisk, patient = pack("oh-imap-brisk").pack, pack("oh-imap-patient").pack
    kept = {"low-income", "one-seat"}
    assert patient.rounds == [entry for entry in brisk.rounds if entry.id in kept]
    assert {entry.round_id for entry in patient.awards} == kept
    assert patient.credentials == brisk.credentials
    waits = patient.program.deadlines
    assert min(waits.more_information, waits.waiting_list, waits.enrollment_reminder) >= timedelta(hours=1)
    assert waits.enrollment_reminder < waits.enrollment_answer


def test_the_catalog_has_what_the_article_names() -> None:
    ohio = pack().pack
    found = {entry.id: entry for entry in ohio.credentials}
    lorain = [entry for entry in ohio.credentials if entry.offered_by == ["lorain-ccc"]]
    assert {entry.id.removeprefix("lorain-") for entry in lorain} == {
        "cybersecurity", "coding", "programming", "data-management", "production", "soldering",
    }  # fmt: skip
    for entry in lorain:
        assert (entry.days, entry.modality) == (16 * 7, "online")
        assert [one.code for one in entry.milestones] == ["week_1", "midpoint", "end"]
    assert len([one for one in ohio.credentials if "csu-smart-manufacturing" in one.stack_of]) == 3
    assert found["bw-business-analytics"].stack_of == ["bw-specialized-mba"]
    nea = found["nea-family-engagement"]
    assert (nea.issuers, nea.assessment and nea.assessment.assessor, bool(nea.competencies)) == (
        ["nea"], "association", True,
    )  # fmt: skip
    assert all(entry.price_cents <= 3_000_00 for entry in ohio.credentials)
    exam = found["lorain-cybersecurity"].exam
    assert exam is not None
    assert (exam.attempts_max, exam.retake_wait) == (3, timedelta(0))
