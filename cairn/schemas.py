"""The recorded schemas and samples of everything that is published: facts, steps, webhooks.

`python -m cairn.schemas record` writes what is not recorded yet and never touches what is; `check` reads all of it with
today's models and refuses every forbidden change. A compatible change is a new revision: `<type>.2.json`.
"""

import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

import contracts.events
from cairn.exits import Exit
from contracts.compatibility import Schema, breaches
from contracts.envelope import Fact
from contracts.steps import applications, eligibility, notifications, payments
from contracts.webhooks import MESSAGES

# Importing the package fills the registry.
assert contracts.events.__all__

FOLDER = Path(__file__).parents[1] / "contracts" / "schemas"
_REVISION = re.compile(r"^(?P<name>.+?)(?:\.(?P<number>[2-9]|[1-9]\d+))?\.json$")

TEXTS = (
    "oh-imap", "exam_not_passed", "2026-03-09", "https://api.cairn.example/v1/enrollments", "0000012345", "met", "en",
    "R03", "07-01", "4f1c9a0b7d2e4f1c9a0b7d2e", "c2VhbGVkLXNhbXBsZS1vbmx5LW5vdC1hLXNlY3JldA", "A sentence for people.",
    "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef", "claims@college.example",
)  # fmt: skip
"""What samples are made of: the first that fits a field's form. A new form needs one more here."""
FORMATS = {"date-time": "2026-03-09T14:30:00Z", "duration": "P14D", "uuid": "019cd2a4-7d10-7c3e-8a51-0d6a4f1c9a0b"}


@dataclass(frozen=True, slots=True)
class Published:
    """A model that others read, perhaps outside Cairn, where nobody upgrades readers with us."""

    model: type[BaseModel]
    readers_outside: bool = False

    def schema(self) -> dict[str, Any]:
        return self.model.model_json_schema()


@dataclass(frozen=True, slots=True)
class Recorded:
    """One revision of one type as it was recorded."""

    file: str
    name: str
    revision: int
    schema: dict[str, Any]
    samples: list[dict[str, Any]]


class NoSampleText(ValueError):
    """No text fits this form: add one to `TEXTS`."""


def published() -> dict[str, Published]:
    """Everything that is published, by the name it is recorded under."""
    found = {name: Published(fact) for name, fact in Fact.registry.items()}
    for service in (applications, eligibility, notifications, payments):
        for step in service.STEPS:
            found[f"step.{step.name}.input"] = Published(step.input)
            found[f"step.{step.name}.output"] = Published(step.output)
    for message in MESSAGES:
        found[f"webhook.{message.model_fields['type'].default}"] = Published(message, readers_outside=True)
    return dict(sorted(found.items()))


def recorded(folder: Path) -> list[Recorded]:
    """Every revision of every type in the folder, oldest revision first."""
    found: list[Recorded] = []
    for path in folder.glob("*.json"):
        match = _REVISION.match(path.name)
        assert match is not None
        content = json.loads(path.read_text())
        number = int(match["number"] or 1)
        found.append(Recorded(path.name, match["name"], number, content["schema"], content["samples"]))
    return sorted(found, key=lambda one: (one.name, one.revision))


def faults(folder: Path = FOLDER, models: Mapping[str, Published] | None = None) -> list[str]:
    """What is wrong with today's models, each with its place and reason; empty where all is well."""
    models = published() if models is None else models
    found: list[str] = []
    newest: dict[str, Recorded] = {}
    for one in recorded(folder):
        newest[one.name] = one
        today = models.get(one.name)
        if today is None:
            found.append(f"{one.file}: removed: nothing of this name is published any more")
            continue
        reasons = breaches(one.schema, today.schema(), readers_outside=today.readers_outside)
        found += [f"{one.file}: {reason}" for reason in reasons]
        found += [f"{one.file}: {fault}" for fault in _unread(one.samples, today.model)]
    for name, today in models.items():
        if name not in newest:
            found.append(f"{name}: not recorded: run `python -m cairn.schemas record`")
        elif not any(fault.startswith(f"{newest[name].file}:") for fault in found) and not _same(newest[name], today):
            found.append(f"{name}: has a new, compatible revision: run `python -m cairn.schemas record`")
    return found


def record(folder: Path = FOLDER, models: Mapping[str, Published] | None = None) -> list[str]:
    """Write what is not recorded yet; answers the files. What is recorded is never written again."""
    models = published() if models is None else models
    newest = {one.name: one for one in recorded(folder)}
    written: list[str] = []
    folder.mkdir(parents=True, exist_ok=True)
    for name, today in models.items():
        before = newest.get(name)
        if before is not None and _same(before, today):
            continue
        schema = today.schema()
        if before is not None and breaches(before.schema, schema, readers_outside=today.readers_outside):
            continue
        file = f"{name}.json" if before is None else f"{name}.{before.revision + 1}.json"
        samples = [_sample(schema, schema, full=True), _sample(schema, schema, full=False)]
        content = {"schema": schema, "samples": samples if samples[0] != samples[1] else samples[:1]}
        with (folder / file).open("x") as made:
            made.write(json.dumps(content, indent=2, ensure_ascii=False) + "\n")
        written.append(file)
    return written


def _same(one: Recorded, today: Published) -> bool:
    schema = today.schema()
    return not breaches(one.schema, schema) and not breaches(schema, one.schema)


def _unread(samples: Iterable[Mapping[str, Any]], model: type[BaseModel]) -> Iterator[str]:
    for number, sample in enumerate(samples, 1):
        try:
            model.model_validate_json(json.dumps(sample))
        except ValidationError as error:
            place = "/".join(map(str, error.errors()[0]["loc"]))
            yield f"sample {number} is not read any more: /{place}: {error.errors()[0]['msg']}"


def _sample(schema: Schema, root: Schema, *, full: bool) -> Any:
    """A value of the schema: with every optional field, or with none."""
    if "$ref" in schema:
        return _sample(root["$defs"][schema["$ref"].removeprefix("#/$defs/")], root, full=full)
    if "anyOf" in schema:
        return _sample(schema["anyOf"][0 if full else -1], root, full=full)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    match schema.get("type"):
        case "object":
            return _object(schema, root, full=full)
        case "array":
            size = max(1 if full else 0, schema.get("minItems", 0))
            return [_sample(schema["items"], root, full=full) for _ in range(size)]
        case "string":
            return _text(schema)
        case "integer" | "number":
            floor = schema.get("minimum", schema.get("exclusiveMinimum", 0) + 1)
            return max(floor, min(1, schema.get("maximum", 1)))
        case "boolean":
            return True
        case _:
            return None


def _object(schema: Schema, root: Schema, *, full: bool) -> dict[str, Any]:
    fields: Schema = schema.get("properties", {})
    wanted = fields if full else [name for name in fields if name in schema.get("required", [])]
    value = {name: _sample(fields[name], root, full=full) for name in wanted}
    if full:
        for pattern, inner in schema.get("patternProperties", {}).items():
            value[_text({"pattern": pattern})] = _sample(inner, root, full=full)
    return value


def _text(schema: Schema) -> str:
    if "format" in schema:
        return FORMATS[schema["format"]]
    pattern: str = schema.get("pattern", "")
    # Ids: `^app_[0-7][…]{25}$`.
    if prefix := re.match(r"^\^([a-z]{3}_)\[0-7\]", pattern):
        return f"{prefix[1]}0{'1k9z8m4q7v3h2x5t6w8y9b0cd'}"
    shortest, longest = schema.get("minLength", 0), schema.get("maxLength", 10**6)
    for text in reversed(TEXTS) if not pattern else TEXTS:
        if shortest <= len(text) <= longest and re.search(pattern, text):
            return text
    raise NoSampleText(f"{pattern!r}, {shortest} to {longest} characters")


def main(arguments: list[str]) -> int:
    """Run `record` or `check`."""
    if arguments == ["record"]:
        written = record()
        print("\n".join(written) or "Everything is recorded.")
        return Exit.OK
    if arguments == ["check"]:
        found = faults()
        print("\n".join(found) or "Every recorded schema and sample is read by today's models.")
        return Exit.FAILED if found else Exit.OK
    print("usage: python -m cairn.schemas record|check", file=sys.stderr)
    return Exit.USAGE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
