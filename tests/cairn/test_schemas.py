"""Recording writes what is new and never what is recorded; checking refuses what readers could not survive."""

import json
from pathlib import Path
from typing import Annotated

import pytest
from pydantic import BaseModel, Field, create_model

from cairn.schemas import NoSampleText, Published, faults, published, record, recorded


class Note(BaseModel):
    code: Annotated[str, Field(pattern=r"^[a-z_]+$")]
    size: Annotated[int, Field(ge=0, le=10)] = 0


NARROWER = create_model(
    "Note", code=(Annotated[str, Field(pattern=r"^[a-z_]+$")], ...), size=(Annotated[int, Field(le=5)], 0)
)
LONGER = create_model("Note", __base__=Note, extra=(str | None, None))


def test_every_published_type_gets_a_schema_and_samples_that_are_read(tmp_path: Path) -> None:
    written = record(tmp_path)
    assert len(written) == len(published()) > 60
    assert faults(tmp_path) == []
    for one in recorded(tmp_path):
        assert one.samples, one.file


def test_recording_again_writes_nothing(tmp_path: Path) -> None:
    record(tmp_path, {"note": Published(Note)})
    before = (tmp_path / "note.json").read_bytes()
    assert record(tmp_path, {"note": Published(Note)}) == []
    assert (tmp_path / "note.json").read_bytes() == before


def test_a_compatible_change_asks_for_a_revision_beside_the_recorded_one(tmp_path: Path) -> None:
    record(tmp_path, {"note": Published(Note)})
    before = (tmp_path / "note.json").read_bytes()
    changed = {"note": Published(LONGER)}
    assert faults(tmp_path, changed) == ["note: has a new, compatible revision: run `python -m cairn.schemas record`"]
    assert record(tmp_path, changed) == ["note.2.json"]
    assert (tmp_path / "note.json").read_bytes() == before
    assert faults(tmp_path, changed) == []
    # What the revision added may not be taken away again either.
    assert faults(tmp_path, {"note": Published(Note)}) == [
        "note.2.json: /extra: removed: readers lose what old data says here"
    ]


def test_a_forbidden_change_is_refused_and_not_recorded(tmp_path: Path) -> None:
    record(tmp_path, {"note": Published(Note)})
    changed = {"note": Published(NARROWER)}
    [fault] = faults(tmp_path, changed)
    assert fault.startswith("note.json: /size: narrowed:")
    assert record(tmp_path, changed) == []


def test_a_type_that_is_gone_is_refused(tmp_path: Path) -> None:
    record(tmp_path, {"note": Published(Note)})
    assert faults(tmp_path, {}) == ["note.json: removed: nothing of this name is published any more"]


def test_a_type_that_is_not_recorded_is_refused(tmp_path: Path) -> None:
    [fault] = faults(tmp_path, {"note": Published(Note)})
    assert fault == "note: not recorded: run `python -m cairn.schemas record`"


def test_a_recorded_sample_that_is_not_read_any_more_is_refused(tmp_path: Path) -> None:
    record(tmp_path, {"note": Published(Note)})
    content = json.loads((tmp_path / "note.json").read_text())
    content["samples"].append({"code": "NOT_READ"})
    (tmp_path / "note.json").write_text(json.dumps(content))
    [fault] = faults(tmp_path, {"note": Published(Note)})
    assert fault.startswith("note.json: sample 3 is not read any more: /code:")


def test_a_form_without_a_sample_text_says_so(tmp_path: Path) -> None:
    odd = create_model("Odd", code=(Annotated[str, Field(pattern=r"^#{40}$")], ...))
    with pytest.raises(NoSampleText, match="#"):
        record(tmp_path, {"odd": Published(odd)})
