"""Manifests are rendered and linted without an engine: references resolve, containers are confined, settings exist."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from kit.settings import ProcessSettings

DEPLOY = Path(__file__).parents[2] / "deploy"
PROCESSES = {"api", "applications", "eligibility", "payments", "notifications", "workflows"}


def documents(path: Path) -> list[dict[str, Any]]:
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


def rendered() -> list[dict[str, Any]]:
    """The base as `kustomize build` would lay it out: every resource, with namespace and image tag set."""
    base = DEPLOY / "kustomize" / "base"
    (kustomization,) = documents(base / "kustomization.yaml")
    tags = {image["name"]: image["newTag"] for image in kustomization["images"]}
    found: list[dict[str, Any]] = []
    for name in kustomization["resources"]:
        for document in documents(base / name):
            document["metadata"].setdefault("namespace", kustomization["namespace"])
            for container in containers_of(document):
                container["image"] = f"{container['image']}:{tags[container['image']]}"
            found.append(document)
    return found


def pod_of(document: dict[str, Any]) -> dict[str, Any]:
    return document.get("spec", {}).get("template", {}).get("spec", {})


def containers_of(document: dict[str, Any]) -> list[dict[str, Any]]:
    pod = pod_of(document)
    return [*pod.get("initContainers", []), *pod.get("containers", [])]


def test_every_manifest_in_the_folder_is_part_of_the_base() -> None:
    base = DEPLOY / "kustomize" / "base"
    (kustomization,) = documents(base / "kustomization.yaml")
    assert {p.name for p in base.glob("*.yaml")} - {"kustomization.yaml"} == set(kustomization["resources"])


def test_every_process_is_deployed_once() -> None:
    deployments = [d for d in rendered() if d["kind"] == "Deployment"]
    assert sorted(d["metadata"]["name"] for d in deployments) == sorted(PROCESSES)
    for each in deployments:
        labels = each["spec"]["template"]["metadata"]["labels"]
        assert each["spec"]["selector"]["matchLabels"].items() <= labels.items()
        assert containers_of(each)[0]["args"] == ["run", each["metadata"]["name"]]
        assert {"livenessProbe", "readinessProbe"} <= containers_of(each)[0].keys()


@pytest.mark.parametrize("document", [d for d in rendered() if containers_of(d)], ids=lambda d: d["metadata"]["name"])
def test_containers_are_confined(document: dict[str, Any]) -> None:
    pod = pod_of(document)
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["automountServiceAccountToken"] is False
    volumes = {volume["name"] for volume in pod["volumes"]}
    for container in containers_of(document):
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert container["securityContext"]["capabilities"]["drop"] == ["ALL"]
        assert "memory" in container["resources"]["limits"]
        assert {mount["name"] for mount in container["volumeMounts"]} <= volumes
        assert re.fullmatch(r"cairn:\S+", container["image"])


def test_settings_are_real() -> None:
    known = {f"CAIRN_{name.upper()}" for name in ProcessSettings.model_fields} | {"CAIRN_EXCHANGE_DIR"}
    (compose,) = documents(DEPLOY / "compose.yaml")
    config = next(d for d in rendered() if d["kind"] == "ConfigMap")
    assert set(compose["x-cairn"]["environment"]) <= known
    assert set(config["data"]) <= known


def test_compose_holds_together() -> None:
    (compose,) = documents(DEPLOY / "compose.yaml")
    services = compose["services"]
    assert services.keys() >= PROCESSES
    for name, service in services.items():
        assert set(service.get("depends_on", {})) <= services.keys()
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source in compose["volumes"] or source.startswith(("${", "./")), (name, volume)
        assert ":latest" not in service["image"]
        assert ":" in service["image"]
        if name in PROCESSES:
            assert service["read_only"] is True
            assert service["cap_drop"] == ["ALL"]
            assert service["command"] == ["run", name]


def test_the_image_is_multi_stage_and_not_root() -> None:
    text = (DEPLOY / "Dockerfile").read_text()
    stages = re.findall(r"^FROM (\S+)", text, re.MULTILINE)
    assert len(stages) == 2
    assert all(re.search(r":\d", stage) for stage in stages)
    final = text[text.rindex("\nFROM ") :]
    assert re.search(r"^USER 10001:10001$", final, re.MULTILINE)
    assert "--require-hashes" in text
    assert not re.search(r"^ADD ", text, re.MULTILINE)
