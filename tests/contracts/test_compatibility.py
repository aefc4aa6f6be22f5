"""The compatibility checker refuses each forbidden change with its reason, and an independent oracle agrees with it."""

from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import Annotated, Any

import jsonschema
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from contracts.compatibility import Change, UnknownKeyword, breaches

Schema = dict[str, Any]


class Color(StrEnum):
    RED = "red"
    BLUE = "blue"


class Inner(BaseModel):
    count: Annotated[int, Field(ge=0, le=10)]
    note: str | None = None


class Sample(BaseModel):
    name: Annotated[str, Field(pattern=r"^[a-z]+$", max_length=20)]
    color: Color
    inner: Inner
    inners: Annotated[list[Inner], Field(max_length=5)] = []
    seats: dict[str, Annotated[int, Field(ge=0)]] = {}
    when: Annotated[str | None, Field(max_length=30)] = None


def changed(change: Callable[[Schema], None]) -> list[str]:
    """The checker's words on one change to the sample's schema."""
    new = Sample.model_json_schema()
    change(new)
    return [f"{breach.pointer}: {breach.change.value}" for breach in breaches(Sample.model_json_schema(), new)]


def move(schema: Schema, old: str, new: str) -> None:
    schema["properties"][new] = schema["properties"].pop(old)
    schema["required"] = [new if name == old else name for name in schema.get("required", [])]


def drop(schema: Schema, name: str) -> None:
    del schema["properties"][name]
    schema["required"] = [one for one in schema["required"] if one != name]


FORBIDDEN: dict[str, tuple[Callable[[Schema], Any], list[str]]] = {
    "remove": (lambda s: drop(s, "color"), ["/color: removed"]),
    "remove optional": (lambda s: s["properties"].pop("when"), ["/when: removed"]),
    "remove inside": (
        lambda s: s["$defs"]["Inner"]["properties"].pop("note"),
        ["/inner/note: removed", "/inners/*/note: removed"],
    ),
    "rename": (lambda s: move(s, "name", "title"), ["/name: renamed", "/title: made_required"]),
    "rename optional": (lambda s: move(s, "when", "moment"), ["/when: renamed"]),
    "retype": (lambda s: s["properties"].update(name={"type": "integer"}), ["/name: retyped"]),
    "retype to list": (
        lambda s: s["properties"].update(name={"type": "array", "items": {"type": "string"}}),
        ["/name: retyped"],
    ),
    "integer to string": (
        lambda s: s["$defs"]["Inner"]["properties"].update(count={"type": "string"}),
        ["/inner/count: retyped", "/inners/*/count: retyped"],
    ),
    "remove an enum value": (lambda s: s["$defs"]["Color"].update(enum=["red"]), ["/color: narrowed"]),
    "rename an enum value": (lambda s: s["$defs"]["Color"].update(enum=["red", "navy"]), ["/color: narrowed"]),
    "text to enum": (
        lambda s: s["properties"].update(name={"type": "string", "enum": ["a"]}),
        ["/name: narrowed"],
    ),
    "tighten a pattern": (lambda s: s["properties"]["name"].update(pattern="^[a-m]+$"), ["/name: narrowed"]),
    "add a pattern": (
        lambda s: s["properties"]["when"]["anyOf"][0].update(pattern="^x"),
        ["/when: narrowed"],
    ),
    "add a format": (lambda s: s["properties"]["name"].update(format="date"), ["/name: narrowed"]),
    "shorten": (lambda s: s["properties"]["name"].update(maxLength=19), ["/name: narrowed"]),
    "ask for more text": (lambda s: s["properties"]["name"].update(minLength=2), ["/name: narrowed"]),
    "lower a maximum": (
        lambda s: s["$defs"]["Inner"]["properties"]["count"].update(maximum=9),
        ["/inner/count: narrowed", "/inners/*/count: narrowed"],
    ),
    "exclude a minimum": (
        lambda s: s["$defs"]["Inner"]["properties"].update(
            count={"type": "integer", "exclusiveMinimum": 0, "maximum": 10}
        ),
        ["/inner/count: narrowed", "/inners/*/count: narrowed"],
    ),
    "fewer items": (lambda s: s["properties"]["inners"].update(maxItems=4), ["/inners: narrowed"]),
    "more items": (lambda s: s["properties"]["inners"].update(minItems=1), ["/inners: narrowed"]),
    "null no more": (lambda s: s["properties"].update(when={"type": "string"}), ["/when: narrowed"]),
    "retype what may be null": (
        lambda s: s["properties"].update(when={"anyOf": [{"type": "integer"}, {"type": "null"}]}),
        ["/when: retyped"],
    ),
    "values of a mapping": (
        lambda s: s["properties"]["seats"]["additionalProperties"].update(maximum=100),
        ["/seats/*: narrowed"],
    ),
    "make required": (lambda s: s["required"].append("when"), ["/when: made_required"]),
    "add required": (
        lambda s: (s["properties"].update(extra={"type": "string"}), s["required"].append("extra")),
        ["/extra: made_required"],
    ),
    "refuse unknown fields": (lambda s: s.update(additionalProperties=False), [": narrowed"]),
}

ALLOWED: dict[str, Callable[[Schema], Any]] = {
    "nothing": lambda s: None,
    "add optional": lambda s: s["properties"].update(extra={"type": "string"}),
    "add optional inside": lambda s: s["$defs"]["Inner"]["properties"].update(extra={"$ref": "#/$defs/Color"}),
    "add an enum value": lambda s: s["$defs"]["Color"].update(enum=["red", "blue", "green"]),
    "lengthen": lambda s: s["properties"]["name"].update(maxLength=21),
    "drop a pattern": lambda s: s["properties"]["name"].pop("pattern"),
    "raise a maximum": lambda s: s["$defs"]["Inner"]["properties"]["count"].update(maximum=11),
    "integer to number": lambda s: s["$defs"]["Inner"]["properties"]["count"].update(type="number"),
    "make optional": lambda s: s["required"].remove("color"),
    "allow null": lambda s: s["properties"].update(color={"anyOf": [{"$ref": "#/$defs/Color"}, {"type": "null"}]}),
    "describe otherwise": lambda s: s["properties"]["name"].update(title="T", description="D", default="x"),
    "enum to text": lambda s: s["properties"].update(color={"type": "string"}),
}


@pytest.mark.parametrize("name", FORBIDDEN)
def test_a_forbidden_change_is_named(name: str) -> None:
    change, expected = FORBIDDEN[name]
    assert changed(change) == expected


@pytest.mark.parametrize("name", ALLOWED)
def test_an_allowed_change_passes(name: str) -> None:
    assert changed(ALLOWED[name]) == []


@pytest.mark.parametrize(
    "name", ["add an enum value", "lengthen", "drop a pattern", "raise a maximum", "make optional"]
)
def test_readers_outside_refuse_a_widening(name: str) -> None:
    new = Sample.model_json_schema()
    ALLOWED[name](new)
    found = breaches(Sample.model_json_schema(), new, readers_outside=True)
    assert {breach.change for breach in found} == {Change.WIDENED}


@pytest.mark.parametrize("name", ["nothing", "add optional", "add optional inside", "describe otherwise"])
def test_readers_outside_survive_an_addition(name: str) -> None:
    new = Sample.model_json_schema()
    ALLOWED[name](new)
    assert breaches(Sample.model_json_schema(), new, readers_outside=True) == []


def test_every_breach_says_why() -> None:
    for change, _ in FORBIDDEN.values():
        new = Sample.model_json_schema()
        change(new)
        for breach in breaches(Sample.model_json_schema(), new):
            assert len(breach.reason) > 10
            assert breach.change.value in str(breach)


def test_a_keyword_it_does_not_know_is_not_guessed_at() -> None:
    with pytest.raises(UnknownKeyword, match="multipleOf"):
        breaches({"type": "integer"}, {"type": "integer", "multipleOf": 5})


# The oracle: written down another way. It makes the extreme instances of the old schema and lets `jsonschema` judge
# them by the new one; a field that is not read back counts as lost.

NAMES = ("a", "b", "c", "d")
LIMITS = st.integers(0, 4)


@st.composite
def leaves(draw: st.DrawFn, kinds: tuple[str, ...] = ("integer", "string", "enum", "boolean")) -> Schema:
    kind = draw(st.sampled_from(kinds))
    low = draw(LIMITS)
    high = low + draw(st.integers(1, 4))
    if kind == "integer":
        return {"type": "integer", "minimum": low, "maximum": high}
    if kind == "string":
        return {"type": "string", "minLength": low, "maxLength": high}
    if kind == "enum":
        values = draw(st.lists(st.sampled_from(["p", "q", "r", "s"]), min_size=1, max_size=3, unique=True))
        return {"type": "string", "enum": values}
    return {"type": "boolean"}


def leaves_unlike(kind: str) -> st.SearchStrategy[Schema]:
    return leaves(("integer", "boolean")) if kind == "string" else leaves(("string", "enum"))


@st.composite
def objects(draw: st.DrawFn, inner: st.SearchStrategy[Schema]) -> Schema:
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True))
    required = [name for name in names if draw(st.booleans())]
    return {"type": "object", "properties": {name: draw(inner) for name in names}, "required": required}


def wider(inner: st.SearchStrategy[Schema]) -> st.SearchStrategy[Schema]:
    lists = st.builds(
        lambda items, low, more: {"type": "array", "items": items, "minItems": low, "maxItems": low + more},
        inner,
        st.integers(0, 2),
        st.integers(1, 2),
    )
    nullable = inner.map(lambda schema: schema if "anyOf" in schema else {"anyOf": [schema, {"type": "null"}]})
    return st.one_of(objects(inner), lists, nullable)


schemas = objects(st.recursive(leaves(), wider, max_leaves=4))


@st.composite
def mutated(draw: st.DrawFn, schema: Schema) -> Schema:
    """The schema with a few random changes, some harmless and some not."""
    if draw(st.integers(0, 3)) == 0:
        return schema
    if "anyOf" in schema:
        kept = draw(mutated(schema["anyOf"][0]))
        return kept if draw(st.integers(0, 4)) == 0 or "anyOf" in kept else {"anyOf": [kept, {"type": "null"}]}
    if draw(st.integers(0, 9)) == 0:
        return draw(leaves_unlike(schema["type"]))
    if draw(st.integers(0, 9)) == 0:
        return {"anyOf": [schema, {"type": "null"}]}
    if "enum" in schema:
        values = draw(st.lists(st.sampled_from(["p", "q", "r", "s"]), min_size=1, max_size=4, unique=True))
        return {"type": "string", "enum": values}
    if schema["type"] == "object":
        return draw(mutated_object(schema))
    new = dict(schema)
    if "items" in schema:
        new["items"] = draw(mutated(schema["items"]))
    for name in sorted(set(schema) & {"minimum", "minLength", "minItems"}):
        new[name] = max(0, schema[name] + draw(st.sampled_from([0, 0, 0, -1, 1])))
    for name in sorted(set(schema) & {"maximum", "maxLength", "maxItems"}):
        new[name] = max(schema[name] + draw(st.sampled_from([0, 0, 0, -1, 1])), new[name.replace("max", "min")])
    return new


@st.composite
def mutated_object(draw: st.DrawFn, schema: Schema) -> Schema:
    fields = {name: draw(mutated(inner)) for name, inner in schema["properties"].items()}
    required = [name for name in schema["required"] if draw(st.integers(0, 9))]
    for name in fields:
        if name not in required and draw(st.integers(0, 11)) == 0:
            required.append(name)
    if draw(st.integers(0, 9)) == 0 and len(fields) > 1:
        gone = draw(st.sampled_from(sorted(fields)))
        del fields[gone]
        required = [name for name in required if name != gone]
    unused = [name for name in ("e", "f") if name not in fields]
    if draw(st.integers(0, 3)) == 0:
        fields[unused[0]] = draw(leaves())
        required += unused[:1] if draw(st.integers(0, 3)) == 0 else []
    return {"type": "object", "properties": fields, "required": required}


def instances(schema: Schema) -> Iterator[Any]:
    """The extreme values of a schema: each limit, each enum value, each field there and not there."""
    if "anyOf" in schema:
        for form in schema["anyOf"]:
            yield from instances(form)
    elif "enum" in schema:
        yield from schema["enum"]
    elif schema["type"] == "integer":
        yield from (schema["minimum"], schema["maximum"])
    elif schema["type"] == "string":
        yield from ("z" * schema["minLength"], "z" * schema["maxLength"])
    elif schema["type"] == "array":
        for item in instances(schema["items"]):
            yield from ([item] * size for size in {schema["minItems"], max(1, schema["minItems"]), schema["maxItems"]})
    elif schema["type"] == "object":
        bare = {name: next(instances(schema["properties"][name])) for name in schema["required"]}
        yield bare
        for name, inner in schema["properties"].items():
            yield from ({**bare, name: value} for value in instances(inner))
    else:
        yield from {"boolean": [True, False], "null": [None]}[schema["type"]]


def keeps_every_field(value: Any, schema: Schema) -> bool:
    """Would a reader that ignores unknown fields still hold everything that is in `value`?"""
    if "anyOf" in schema:
        return any(keeps_every_field(value, form) for form in schema["anyOf"])
    if isinstance(value, dict):
        fields = schema.get("properties", {})
        return all(name in fields and keeps_every_field(inner, fields[name]) for name, inner in value.items())
    if isinstance(value, list):
        return all(keeps_every_field(item, schema.get("items", {})) for item in value)
    return True


def reads_back(old: Schema, new: Schema) -> bool:
    judge = jsonschema.Draft202012Validator(new)
    return all(judge.is_valid(value) and keeps_every_field(value, new) for value in instances(old))


@given(data=st.data())
@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_the_oracle_agrees(data: st.DataObject) -> None:
    old = data.draw(schemas)
    new = data.draw(mutated(old))
    found = breaches(old, new)
    event("breach" if found else "compatible")
    assert bool(found) is not reads_back(old, new), [str(breach) for breach in found]


@given(data=st.data())
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_the_oracle_agrees_on_readers_outside(data: st.DataObject) -> None:
    old = data.draw(schemas)
    new = data.draw(mutated(old))
    found = breaches(old, new, readers_outside=True)
    judge = jsonschema.Draft202012Validator(old)
    both_ways = reads_back(old, new) and all(judge.is_valid(value) for value in instances(new))
    event("breach" if found else "compatible")
    assert bool(found) is not both_ways, [str(breach) for breach in found]
