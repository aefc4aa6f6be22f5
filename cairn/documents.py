"""The documents of the public doors: OpenAPI 3.1 from the routes, AsyncAPI 3 from the facts."""

import importlib
import inspect
import json
from typing import Any

from fastapi import FastAPI
from pydantic.json_schema import models_json_schema

import contracts.events
from cairn.api import SERVICES, compose
from cairn.version import version
from contracts.envelope import CONTENT_TYPE, SPEC_VERSION, TYPE_PATTERN, Fact, schema_uri, source_of
from contracts.topics import PARTITIONS, Topic, topic_of
from kit.dead_letters import ORIGIN_HEADERS, REDRIVE_FOR

# Importing the package fills the registry.
assert contracts.events.__all__

_HEADERS: dict[str, Any] = {
    "type": "object",
    "required": ["ce_specversion", "ce_id", "ce_type", "ce_source", "ce_time", "ce_subject", "ce_sequence"],
    "properties": {
        "ce_specversion": {"const": SPEC_VERSION},
        "ce_id": {"type": "string", "format": "uuid", "description": "UUIDv7; de-duplicate by it."},
        "ce_type": {"type": "string", "pattern": TYPE_PATTERN.pattern},
        "ce_source": {"type": "string", "pattern": "^/cairn/[a-z]+$"},
        "ce_time": {"type": "string", "format": "date-time"},
        "ce_subject": {"type": "string", "description": "The case or program; also the record's key."},
        "ce_dataschema": {"type": "string", "format": "uri"},
        "ce_sequence": {"type": "string", "description": "Counts the source's facts about the subject from 1."},
        "ce_correlationid": {"type": "string", "description": "The request id that began it all."},
        "ce_causationid": {"type": "string", "description": "The fact, step or request that caused this one."},
        "traceparent": {"type": "string", "description": "W3C Trace Context."},
        "content-type": {"const": CONTENT_TYPE},
        REDRIVE_FOR: {
            "type": "string",
            "description": "Only on a record sent again: the one consumer it is for. Every other one steps over it.",
        },
    },
}
_DEAD_LETTER: dict[str, Any] = {
    "name": "dead-letter",
    "title": "Dead letter",
    "summary": "A record that a consumer could not take: its own bytes, key and headers, and why.",
    "description": (
        "The copy of a row of the consumer's schema, for whoever watches. It is sent again or skipped there, by "
        "`cairn dlq redrive` or `cairn dlq skip`; consuming it here settles nothing."
    ),
    "contentType": "application/octet-stream",
    "headers": {
        "type": "object",
        "required": list(ORIGIN_HEADERS),
        "properties": {name: {"type": "string"} for name in ORIGIN_HEADERS},
        "additionalProperties": {"description": "The record's own headers as they came, readable or not."},
    },
    "payload": {"description": "The record's own value as it came; it may be of any form, or missing."},
    "bindings": {"kafka": {"key": {"description": "The record's own key"}, "bindingVersion": "0.5.0"}},
}


class _Unopened:
    """Stands for anything a door would open: the shape of the routes does not depend on it."""

    def __getattr__(self, name: str) -> "_Unopened":
        return self

    def __call__(self, *_: object, **__: object) -> "_Unopened":
        return self


def documents() -> dict[str, str]:
    """File name → content."""
    return {
        "openapi.json": _text(openapi()),
        "asyncapi.json": _text(asyncapi()),
    }


def _text(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def openapi() -> dict[str, Any]:
    """Every door and every webhook, described without opening a connection."""
    return application().openapi()


def application() -> FastAPI:
    """The composed application as the `api` process serves it, over doors that nobody may enter."""
    routers: list[Any] = []
    for service in SERVICES:
        main = importlib.import_module(f"services.{service}.main")
        if hasattr(main, "open_doors"):
            router = importlib.import_module(f"services.{service}.api").router
            unopened = {name: _Unopened() for name in inspect.signature(router).parameters}
            routers.append(router(**unopened))
    return compose(routers)


def asyncapi() -> dict[str, Any]:
    """Every topic with the facts it carries."""
    types = dict(sorted(Fact.registry.items()))
    references, definitions = models_json_schema(
        [(fact, "validation") for fact in types.values()], ref_template="#/components/schemas/{model}"
    )
    messages = {name: _message(name, fact, references[fact, "validation"]) for name, fact in types.items()}
    owners = [topic for topic in Topic if topic is not Topic.DEAD_LETTERS]
    dead = _channel(Topic.DEAD_LETTERS, []) | {"messages": {"dead-letter": _reference("messages", "dead-letter")}}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Cairn: facts",
            "version": version(),
            "description": "CloudEvents 1.0 in Kafka's binary content mode. Facts about one case keep their order.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": CONTENT_TYPE,
        "channels": {topic.value: _channel(topic, list(types)) for topic in owners} | {Topic.DEAD_LETTERS.value: dead},
        "operations": {
            f"{topic.name.lower()}.publishes": _sending(
                topic, f"The {topic.name.lower()} service publishes what happened."
            )
            for topic in owners
        }
        | {"dead-letters.publishes": _sending(Topic.DEAD_LETTERS, "Any consumer tells what it could not take.")},
        "components": {
            "messages": messages | {"dead-letter": _DEAD_LETTER},
            "schemas": {"Envelope": _HEADERS, **definitions.get("$defs", {})},
        },
    }


def _reference(kind: str, name: str) -> dict[str, str]:
    return {"$ref": f"#/components/{kind}/{name}"}


def _sending(topic: Topic, summary: str) -> dict[str, Any]:
    return {"action": "send", "channel": {"$ref": f"#/channels/{topic.value}"}, "summary": summary}


def _channel(topic: Topic, types: list[str]) -> dict[str, Any]:
    return {
        "address": topic.value,
        "messages": {name: _reference("messages", name) for name in types if topic_of(name) is topic},
        "bindings": {"kafka": {"topic": topic.value, "partitions": PARTITIONS, "bindingVersion": "0.5.0"}},
    }


def _message(name: str, fact: type[Fact], payload: Any) -> dict[str, Any]:
    return {
        "name": name,
        "title": fact.__name__,
        "summary": " ".join((fact.__doc__ or "").split()),
        "contentType": CONTENT_TYPE,
        "headers": _reference("schemas", "Envelope"),
        "payload": payload,
        "correlationId": {"location": "$message.header#/ce_correlationid"},
        "bindings": {"kafka": {"key": {"type": "string"}, "bindingVersion": "0.5.0"}},
        "x-dataschema": schema_uri(name),
        "x-source": source_of(name),
    }
