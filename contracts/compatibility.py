"""May this schema follow that one? Compares JSON Schemas, as pydantic writes them, and names each forbidden change.

A reader of the new schema must accept everything that was written under the old one, and find every field again.
Forbidden: remove, rename, retype, narrow, make required. Allowed: add an optional field; widen.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

Schema: TypeAlias = Mapping[str, Any]

_NOTES = frozenset({"title", "description", "examples", "default", "deprecated", "discriminator"})
_KNOWN = frozenset(
    {
        "$ref", "$defs", "type", "enum", "const", "anyOf", "oneOf", "properties", "required", "additionalProperties",
        "propertyNames", "items", "minItems", "maxItems", "uniqueItems", "minLength", "maxLength", "pattern", "format",
        "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum",
    }
)  # fmt: skip
_FLOORS = ("minItems", "minLength", "minimum", "exclusiveMinimum")
_CEILINGS = ("maxItems", "maxLength", "maximum", "exclusiveMaximum")


class Change(StrEnum):
    """The kinds of change that readers of recorded data cannot survive."""

    REMOVED = "removed"
    RENAMED = "renamed"
    RETYPED = "retyped"
    NARROWED = "narrowed"
    MADE_REQUIRED = "made_required"
    WIDENED = "widened"
    """Only where readers are outside and keep the old schema."""


@dataclass(frozen=True, slots=True)
class Breach:
    """One forbidden change: where (a JSON Pointer into the data, `*` for each item), which, and why."""

    pointer: str
    change: Change
    reason: str

    def __str__(self) -> str:
        return f"{self.pointer or '/'}: {self.change.value}: {self.reason}"


def breaches(old: Schema, new: Schema, *, readers_outside: bool = False) -> list[Breach]:
    """Every forbidden change from `old` to `new`.

    With `readers_outside`, those who keep reading by the old schema must accept what is written under the new one too:
    then a field that is there may not be widened either.
    """
    found = list(_Comparison(old, new).run())
    if readers_outside:
        back = _Comparison(new, old, only_shared=True).run()
        found += [Breach(b.pointer, Change.WIDENED, f"readers of the old schema refuse it: {b.reason}") for b in back]
    return found


class UnknownKeyword(ValueError):
    """A schema uses a keyword this comparison does not know: it must not guess."""


@dataclass(slots=True)
class _Comparison:
    """Is what `old` allows allowed by `new`? With `only_shared`, fields that one side lacks are passed over."""

    old_root: Schema
    new_root: Schema
    only_shared: bool = False

    def run(self) -> Iterator[Breach]:
        yield from self._compare(self.old_root, self.new_root, "")

    def _compare(self, old: Schema, new: Schema, at: str) -> Iterator[Breach]:
        olds, news = _forms(old, self.old_root), _forms(new, self.new_root)
        if len(olds) == len(news) == 1:
            yield from self._one(olds[0], news[0], at)
            return
        meant = [form for form in olds if _types(form) != frozenset({"null"})]
        for form in olds:
            attempts = [list(self._one(form, candidate, at)) for candidate in news]
            if not all(attempts):
                continue
            # Say what stands in the way of the form that comes nearest, not of every one.
            nearest = min(attempts, key=lambda found: (found[0].change is Change.RETYPED, len(found)))
            if nearest[0].change is not Change.RETYPED or nearest[0].pointer != at:
                yield from nearest
            elif meant == [form]:
                yield Breach(at, Change.RETYPED, f"was {_type_words(form)}, is {' or '.join(map(_type_words, news))}")
            else:
                yield Breach(at, Change.NARROWED, f"{_type_words(form)} was allowed and is not any more")

    def _one(self, old: Schema, new: Schema, at: str) -> Iterator[Breach]:
        for schema in (old, new):
            if unknown := set(schema) - _KNOWN - _NOTES:
                raise UnknownKeyword(f"{at or '/'}: {', '.join(sorted(unknown))}")
        old_values, new_values = _values(old), _values(new)
        if old_values is not None:
            refused = [value for value in old_values if not _takes(new, value)]
            if refused:
                change = Change.NARROWED if new_values is not None or _types(old) <= _types(new) else Change.RETYPED
                yield Breach(at, change, f"no longer takes {', '.join(map(repr, refused))}")
            return
        if not _types_within(_types(old), _types(new)):
            yield Breach(at, Change.RETYPED, f"was {_type_words(old)}, is {_type_words(new)}")
            return
        if new_values is not None:
            yield Breach(
                at, Change.NARROWED, f"took any {_type_words(old)}, now only {', '.join(map(repr, new_values))}"
            )
            return
        yield from self._limits(old, new, at)
        if "array" in _types(old):
            yield from self._items(old, new, at)
        if "object" in _types(old):
            yield from self._fields(old, new, at)

    def _limits(self, old: Schema, new: Schema, at: str) -> Iterator[Breach]:
        for name in ("pattern", "format"):
            if name in new and new[name] != old.get(name):
                was = f"was {old[name]!r}" if name in old else f"had no {name}"
                yield Breach(at, Change.NARROWED, f"{was}, now {name} {new[name]!r}: old values may not fit")
        for names, sign in ((_FLOORS, 1), (_CEILINGS, -1)):
            before, after = _bound(old, names, sign), _bound(new, names, sign)
            if after is not None and (before is None or _tighter(after, before, sign)):
                yield Breach(at, Change.NARROWED, f"{_bound_words(names, old)}, now {_bound_words(names, new)}")
        if new.get("uniqueItems") and not old.get("uniqueItems"):
            yield Breach(at, Change.NARROWED, "repeated items were allowed")

    def _items(self, old: Schema, new: Schema, at: str) -> Iterator[Breach]:
        if "items" in new and old.get("maxItems") != 0:
            yield from self._compare(old.get("items", {}), new["items"], f"{at}/*")

    def _fields(self, old: Schema, new: Schema, at: str) -> Iterator[Breach]:
        olds: Schema = old.get("properties", {})
        news: Schema = new.get("properties", {})
        required_before, required_now = set(old.get("required", [])), set(new.get("required", []))
        for name, schema in olds.items():
            if name in news:
                yield from self._compare(schema, news[name], f"{at}/{name}")
            elif not self.only_shared:
                yield self._gone(name, schema, olds, news, at)
        for name in sorted(required_now - required_before):
            if name in olds:
                yield Breach(f"{at}/{name}", Change.MADE_REQUIRED, "old data may not have it")
            elif not self.only_shared:
                yield Breach(f"{at}/{name}", Change.MADE_REQUIRED, "is new, and old data cannot have it")
            # Otherwise the field was removed under the new schema, which the other direction says.
        yield from self._other_fields(old, new, at)

    def _gone(self, name: str, schema: Schema, olds: Schema, news: Schema, at: str) -> Breach:
        shape = _shape(schema, self.old_root)
        for added in news:
            if added not in olds and _shape(news[added], self.new_root) == shape:
                return Breach(f"{at}/{name}", Change.RENAMED, f"looks renamed to {added}: old data has it as {name}")
        return Breach(f"{at}/{name}", Change.REMOVED, "readers lose what old data says here")

    def _other_fields(self, old: Schema, new: Schema, at: str) -> Iterator[Breach]:
        before: bool | Schema = old.get("additionalProperties", True)
        now: bool | Schema = new.get("additionalProperties", True)
        if now is False and before is not False:
            yield Breach(at, Change.NARROWED, "fields without a name here were let pass and are refused now")
        elif not isinstance(now, bool) and before is not False:
            yield from self._compare({} if isinstance(before, bool) else before, now, f"{at}/*")
        if "propertyNames" in new:
            names = {"type": "string", **old.get("propertyNames", {})}
            yield from self._compare(names, {"type": "string", **new["propertyNames"]}, f"{at}/(name)")


def _resolved(schema: Schema, root: Schema) -> Schema:
    while "$ref" in schema:
        target: Any = root
        for part in str(schema["$ref"]).removeprefix("#/").split("/"):
            target = target[part]
        schema = target
    by_pattern: Schema = schema.get("patternProperties", {})
    if len(by_pattern) == 1 and "additionalProperties" not in schema:
        # pydantic's way to write a mapping whose keys have a form; it refuses keys of another form.
        [(pattern, values)] = by_pattern.items()
        mapping = {name: value for name, value in schema.items() if name != "patternProperties"}
        return {**mapping, "additionalProperties": values, "propertyNames": {"type": "string", "pattern": pattern}}
    return schema


def _forms(schema: Schema, root: Schema) -> list[Schema]:
    """The alternatives of a schema, flattened; a schema without alternatives is its own only form."""
    schema = _resolved(schema, root)
    alternatives = schema.get("anyOf") or schema.get("oneOf")
    if alternatives is None:
        return [schema]
    return [form for alternative in alternatives for form in _forms(alternative, root)]


_ALL_TYPES = frozenset({"string", "integer", "number", "boolean", "null", "array", "object"})


def _types(schema: Schema) -> frozenset[str]:
    given = schema.get("type")
    if given is None:
        values = _values(schema)
        return _ALL_TYPES if values is None else frozenset(_type_of(value) for value in values)
    return frozenset([given] if isinstance(given, str) else given)


def _types_within(old: frozenset[str], new: frozenset[str]) -> bool:
    return old <= (new | {"integer"} if "number" in new else new)


def _type_words(schema: Schema) -> str:
    types = _types(schema)
    return "anything" if types == _ALL_TYPES else " or ".join(sorted(types))


def _values(schema: Schema) -> list[Any] | None:
    if "const" in schema:
        return [schema["const"]]
    return list(schema["enum"]) if "enum" in schema else None


def _type_of(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"


def _takes(schema: Schema, value: Any) -> bool:
    """Does the schema take this one scalar? Values of an enum are scalars."""
    if not _types_within(frozenset({_type_of(value)}), _types(schema)):
        return False
    values = _values(schema)
    if values is not None:
        return any(value == one and _type_of(value) == _type_of(one) for one in values)
    if isinstance(value, str):
        fits = schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value))
        return fits and re.search(schema.get("pattern", ""), value) is not None and "format" not in schema
    if isinstance(value, int | float) and not isinstance(value, bool):
        floor, ceiling = _bound(schema, _FLOORS[2:], 1), _bound(schema, _CEILINGS[2:], -1)
        point = (value, False)
        return not (floor and _tighter(floor, point, 1)) and not (ceiling and _tighter(ceiling, point, -1))
    return True


_Bound: TypeAlias = tuple[float, bool]
"""A limit, and whether the limit itself is excluded."""


def _bound(schema: Schema, names: tuple[str, ...], sign: int) -> _Bound | None:
    """The tightest of these limits. A floor of zero items or characters is none."""
    given = [(schema[name], name.startswith("exclusive")) for name in names if name in schema]
    given = [(limit, excluded) for limit, excluded in given if not (sign == 1 and limit == 0 and _counts(schema))]
    return max(given, key=lambda bound: (sign * bound[0], bound[1]), default=None)


def _counts(schema: Schema) -> bool:
    return not {"minimum", "exclusiveMinimum"} & set(schema)


def _tighter(one: _Bound, other: _Bound, sign: int) -> bool:
    return (sign * one[0], one[1]) > (sign * other[0], other[1])


def _bound_words(names: tuple[str, ...], schema: Schema) -> str:
    return ", ".join(f"{name} {schema[name]}" for name in names if name in schema) or f"no {names[0]}"


def _shape(schema: Schema, root: Schema) -> object:
    """A schema without its notes, to tell a renamed field from a removed one."""
    schema = _resolved(schema, root)

    def bare(value: Any) -> Any:
        if isinstance(value, Mapping):
            kept: Schema = _resolved(value, root)  # pyright: ignore[reportUnknownArgumentType]
            return {name: bare(inner) for name, inner in sorted(kept.items()) if name not in _NOTES}
        return [bare(inner) for inner in value] if isinstance(value, list) else value  # pyright: ignore[reportUnknownVariableType]

    return bare(schema)
