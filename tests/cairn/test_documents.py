"""The committed documents of the public doors are what the code says, valid, and whole."""

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from cairn.documents import documents
from cairn.stack.layout import ROOT
from contracts.envelope import Fact
from contracts.topics import Topic
from contracts.webhooks import MESSAGES


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    return documents()


@pytest.mark.parametrize("name", ["openapi.json", "asyncapi.json"])
def test_the_committed_document_is_what_the_code_says(made: dict[str, str], name: str) -> None:
    assert (ROOT / "docs" / "api" / name).read_text() == made[name], "run `cairn docs` and commit the result"


def test_openapi_is_valid_and_describes_every_webhook(made: dict[str, str]) -> None:
    document = json.loads(made["openapi.json"])
    OpenAPIV31SpecValidator(document).validate()
    assert document["openapi"].startswith("3.1")
    assert set(document["webhooks"]) == {message.model_fields["type"].default for message in MESSAGES}
    operations = [op["operationId"] for path in document["paths"].values() for op in path.values()]
    assert len(set(operations)) == len(operations) > 20
    assert_references_resolve(document)
    # Webhooks are judged as paths are.
    document["webhooks"]["case.closed"]["post"]["parameters"][0]["in"] = "nowhere"
    assert list(OpenAPIV31SpecValidator(document).iter_errors())


def test_every_post_takes_an_idempotency_key(made: dict[str, str]) -> None:
    document = json.loads(made["openapi.json"])
    posts = {path: methods["post"] for path, methods in document["paths"].items() if "post" in methods}
    without = [
        path
        for path, post in posts.items()
        if not any(p["name"] == "Idempotency-Key" and p["required"] for p in post.get("parameters", []))
    ]
    assert not without


def test_asyncapi_is_valid_by_its_own_schema(made: dict[str, str]) -> None:
    schema = json.loads((Path(__file__).parent / "asyncapi" / "3.0.0.json").read_text())
    document = json.loads(made["asyncapi.json"])
    judge = Draft7Validator(schema)
    assert [
        f"{'/'.join(map(str, fault.absolute_path))}: {fault.message}" for fault in judge.iter_errors(document)
    ] == []
    # Also what stands far inside is judged.
    document["components"]["messages"]["dead-letter"]["bindings"]["kafka"]["key"] = 1
    assert not judge.is_valid(document)


def test_asyncapi_carries_every_fact_on_its_topic_and_every_reference_resolves(made: dict[str, str]) -> None:
    document = json.loads(made["asyncapi.json"])
    assert document["asyncapi"] == "3.0.0"
    assert {each["address"] for each in document["channels"].values()} == {topic.value for topic in Topic}
    assert set(document["channels"][Topic.DEAD_LETTERS.value]["messages"]) == {"dead-letter"}
    assert set(document["components"]["messages"]) == {*Fact.registry, "dead-letter"}
    sent = {operation["channel"]["$ref"].rpartition("/")[2] for operation in document["operations"].values()}
    assert sent == {topic.value for topic in Topic}
    for name in Fact.registry:
        [channel] = [key for key, each in document["channels"].items() if name in each["messages"]]
        assert name.startswith(f"{channel}.")
    assert_references_resolve(document)


def assert_references_resolve(document: dict[str, Any]) -> None:
    """The validators follow no reference into a schema: each is followed here."""
    references = set(_references(document))
    assert len(references) > 20
    for reference in references:
        found: Any = document
        for step in reference.removeprefix("#/").split("/"):
            found = found[step.replace("~1", "/").replace("~0", "~")]
        assert found


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)


def test_the_documents_tell_the_version_of_the_distribution(made: dict[str, str]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for document in made.values():
        assert json.loads(document)["info"]["version"] == project["version"]
