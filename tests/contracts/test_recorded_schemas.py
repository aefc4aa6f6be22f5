"""Today's models read everything that was ever published, and everything published is recorded."""

from cairn.schemas import FOLDER, faults, recorded


def test_what_is_recorded_is_what_is_published() -> None:
    assert faults() == []


# An office's, at a name that is reserved for examples (RFC 2606).
OFFICE = "claims@college.example"


def test_samples_name_nobody() -> None:
    for one in recorded(FOLDER):
        assert "@" not in str(one.samples).replace(OFFICE, ""), one.file
