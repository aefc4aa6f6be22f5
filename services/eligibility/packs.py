"""From the five files of a pack to a validated `Pack`; every fault is named with its file, key and reason."""

import hashlib
import json
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from contracts.errors import Refused
from contracts.program import (
    Award,
    CourseRun,
    Credential,
    Issuer,
    Pack,
    PovertyGuideline,
    Program,
    Provider,
    Round,
    Stack,
)
from services.eligibility import pack_checks
from services.eligibility.inheritance import EXTENDS_DEPTH_MAX, Documents, derive
from services.eligibility.pack_checks import Fault, PackParts

M = TypeVar("M", bound=BaseModel)

PackFiles = Mapping[str, bytes]

# Which list of entries lies in which file, and what each entry must look like.
LISTS: tuple[tuple[str, str, type[BaseModel]], ...] = (
    ("rounds.toml", "rounds", Round),
    ("poverty_guidelines.toml", "poverty_guidelines", PovertyGuideline),
    ("credentials.toml", "credentials", Credential),
    ("credentials.toml", "stacks", Stack),
    ("credentials.toml", "course_runs", CourseRun),
    ("providers.toml", "providers", Provider),
    ("providers.toml", "issuers", Issuer),
    ("providers.toml", "awards", Award),
)
FILES = ("program.toml", *dict.fromkeys(file for file, _, _ in LISTS))


class PackFaulty(Refused):
    """The pack {name} has {count} fault(s): {listing}"""

    code = "pack_faulty"

    def __init__(self, name: str, faults: list[Fault]) -> None:
        self.faults = faults
        super().__init__(name=name, count=len(faults), listing="; ".join(map(str, faults)))


@dataclass(frozen=True, slots=True)
class LoadedPack:
    """A valid pack with its canonical content; the version is the content's SHA-256."""

    pack: Pack
    content: str
    version: str


def load(name: str, find: Callable[[str], PackFiles]) -> LoadedPack:
    """The pack called `name`, on top of whatever it extends. `PackFaulty` carries every fault."""
    faults: list[Fault] = []
    documents = _documents(name, find, faults, depth=0)
    parts = _parts(documents, faults)
    faults += pack_checks.check(parts)
    if faults or parts.program is None:
        raise PackFaulty(name, faults)
    return seal(Pack(program=parts.program, **parts.lists()))


def seal(pack: Pack) -> LoadedPack:
    """Canonical content and version: key order, spacing and comments of the files make no difference."""
    dumped = pack.model_dump(mode="json", exclude_defaults=True)
    content = json.dumps(dumped, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return LoadedPack(pack, content, hashlib.sha256(content.encode()).hexdigest())


def _documents(name: str, find: Callable[[str], PackFiles], faults: list[Fault], *, depth: int) -> Documents:
    files = find(name)
    documents: Documents = {}
    for file in FILES:
        if file in files:
            documents[file] = _parse(file, files[file], faults)
    parent = documents.get("program.toml", {}).pop("extends", None)
    if parent is None:
        faults += [Fault(file, "", "the file is missing") for file in FILES if file not in files]
        return documents
    if not isinstance(parent, str) or depth == EXTENDS_DEPTH_MAX or not find(parent):
        reason = "names no pack, or packs extend each other in a ring"
        faults.append(Fault("program.toml", "extends", reason))
        return documents
    return derive(_documents(parent, find, faults, depth=depth + 1), documents, faults)


def _parse(file: str, content: bytes, faults: list[Fault]) -> dict[str, Any]:
    try:
        return tomllib.loads(content.decode())
    except UnicodeDecodeError:
        faults.append(Fault(file, "", "is not UTF-8"))
    except tomllib.TOMLDecodeError as error:
        faults.append(Fault(file, "", f"is not TOML: {error}"))
    return {}


def _parts(documents: Documents, faults: list[Fault]) -> PackParts:
    said = documents.get("program.toml", {})
    program = _entry("program.toml", "", Program, said, faults)
    parts = PackParts(program=program, rules=dict(program) if program else dict(_valid_fields(Program, said)))
    known = {file: {key for at, key, _ in LISTS if at == file} for file in FILES}
    for file, document in documents.items():
        if file != "program.toml":
            faults += [Fault(file, key, "is not a key of this file") for key in document if key not in known[file]]
    for file, key, model in LISTS:
        entries = documents.get(file, {}).get(key, [])
        if not isinstance(entries, list):
            faults.append(Fault(file, key, "is not a list of tables"))
            continue
        for index, raw in enumerate(entries):
            where = f"{key}[{_label(raw, index)}]"
            parts.named(key).add(_label(raw, index))
            entry = _entry(file, where, model, raw, faults)
            if entry is not None:
                parts.add(key, entry)
    return parts


def _valid_fields(model: type[BaseModel], raw: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, info in model.model_fields.items():
        if name in raw:
            with suppress(ValidationError):
                yield name, TypeAdapter[Any](info.rebuild_annotation()).validate_python(raw[name])


def _label(raw: object, index: int) -> str:
    if not isinstance(raw, dict):
        return str(index)
    if "round_id" in raw:
        return f"{raw['round_id']}/{raw.get('provider_id')}"
    return str(raw.get("id", raw.get("year", index)))


def _entry(file: str, where: str, model: type[M], raw: object, faults: list[Fault]) -> M | None:
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        for item in error.errors(include_url=False, include_context=False, include_input=False):
            loc = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in item["loc"])
            key = f"{where}{loc}".lstrip(".")
            faults.append(Fault(file, key, item["msg"].removeprefix("Value error, ")))
        return None
