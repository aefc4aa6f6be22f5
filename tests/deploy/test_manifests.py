"""Manifests are rendered and linted without an engine: references resolve, containers are confined, settings exist."""

import copy
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from cairn.bootstrap.topics import read_topics
from kit.settings import ProcessSettings
from tests.deploy.shapes import KUBERNETES, Compose

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


def base_documents() -> list[dict[str, Any]]:
    return [each for path in sorted((DEPLOY / "kustomize" / "base").glob("*.yaml")) for each in documents(path)]


def compose_file() -> dict[str, Any]:
    """What Compose reads: fragments (`x-…`) are merged into the services and mean nothing of their own."""
    (compose,) = documents(DEPLOY / "compose.yaml")
    return {key: value for key, value in compose.items() if not key.startswith("x-")}


@pytest.mark.parametrize("document", base_documents(), ids=lambda d: f"{d['kind']} {d.get('metadata', d).get('name')}")
def test_kubernetes_would_take_every_document(document: dict[str, Any]) -> None:
    KUBERNETES.validate_python(document)


def test_compose_would_take_its_file() -> None:
    Compose.model_validate(compose_file())


def misspelled(document: Any) -> list[Any]:
    """The document with each of its own fields misspelled, one at a time; names people choose are left alone."""
    chosen = {"labels", "annotations", "matchLabels", "selector", "data"}
    chosen |= {"environment", "services", "volumes", "depends_on"}
    found: list[Any] = []

    def walk(node: Any, path: list[Any], *, free: bool) -> None:
        for key, value in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
            if isinstance(node, dict) and not free:
                wrong = copy.deepcopy(document)
                place = wrong
                for step in path:
                    place = place[step]
                place[f"{key}s"] = place.pop(key)
                found.append(wrong)
            walk(value, [*path, key], free=key in chosen and isinstance(value, dict) and "matchLabels" not in value)

    walk(document, [], free=False)
    return found


@pytest.mark.parametrize("document", base_documents(), ids=lambda d: f"{d['kind']} {d.get('metadata', d).get('name')}")
def test_a_misspelled_field_is_refused(document: dict[str, Any]) -> None:
    for wrong in misspelled(document):
        with pytest.raises(ValidationError):
            KUBERNETES.validate_python(wrong)


def test_a_misspelled_field_of_compose_is_refused() -> None:
    wrongs = misspelled(compose_file())
    assert len(wrongs) > 100
    for wrong in wrongs:
        with pytest.raises(ValidationError):
            Compose.model_validate(wrong)


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


def test_no_topic_asks_for_more_copies_than_compose_has_brokers() -> None:
    services = compose_file()["services"]
    settings = services["bootstrap"]["environment"]
    brokers = [s for s in services.values() if "broker" in s.get("environment", {}).get("KAFKA_PROCESS_ROLES", "")]
    addresses = settings["CAIRN_KAFKA_BOOTSTRAP"].split(",")
    factor = ProcessSettings.model_validate(
        {"secrets_dir": DEPLOY, "kafka_replication_factor": settings.get("CAIRN_KAFKA_REPLICATION_FACTOR")},
        strict=False,
    ).kafka_replication_factor
    assert {address.split(":")[0] for address in addresses} <= services.keys()
    for topic in read_topics(settings["CAIRN_ENVIRONMENT"], factor=factor):
        assert topic.factor <= len(brokers)
        assert int(topic.config["min.insync.replicas"]) <= topic.factor


def test_records_of_the_broker_lie_in_its_volume() -> None:
    kafka = compose_file()["services"]["kafka"]
    (target,) = (volume.split(":")[1] for volume in kafka["volumes"])
    assert kafka["environment"]["KAFKA_LOG_DIRS"] == target


def owned_folders() -> dict[str, tuple[str, str]]:
    """Folders that the image's last stage makes: path → owner and group."""
    text = (DEPLOY / "Dockerfile").read_text().replace("\\\n", " ")
    final = text[text.rindex("\nFROM ") :]
    made = re.findall(r"install -d -o (\d+) -g (\d+) -m 0[0-7]{3}((?: /\S+)+)", final)
    return {path: (owner, group) for owner, group, paths in made for path in paths.split()}


def test_what_the_processes_write_to_exists_in_the_image_and_is_theirs() -> None:
    owned = owned_folders()
    for name, service in compose_file()["services"].items():
        for volume in service["volumes"] if service["image"].startswith("cairn:") else ():
            target, *mode = re.sub(r"\$\{[^}]*\}", "folder", volume).split(":")[1:]
            if mode != ["ro"]:
                assert ":".join(owned[target]) == service["user"], (name, volume)
    for document in rendered():
        security = pod_of(document).get("securityContext", {})
        for container in containers_of(document):
            for mount in container["volumeMounts"]:
                if not mount.get("readOnly") and mount["mountPath"] != "/tmp":
                    user = (str(security["runAsUser"]), str(security["runAsGroup"]))
                    assert owned[mount["mountPath"]] == user, document["metadata"]["name"]


def test_a_roll_out_makes_every_job_anew_before_the_processes() -> None:
    """A Job's template cannot be changed: applying another image over it would be refused."""
    guide = (DEPLOY / "README.md").read_text()
    resources = rendered()
    for job in (each for each in resources if each["kind"] == "Job"):
        name, namespace = job["metadata"]["name"], job["metadata"]["namespace"]
        steps = [
            f"kubectl -n {namespace} delete job {name} --ignore-not-found",
            "kubectl apply -k OVERLAY -l app.kubernetes.io/component=preparation",
            f"kubectl -n {namespace} wait --for=condition=complete --timeout=15m job/{name}",
            "kubectl apply -k OVERLAY\n",
        ]
        places = [guide.index(step) for step in steps]
        assert places == sorted(places)
        assert job["metadata"]["annotations"]["kustomize.toolkit.fluxcd.io/force"] == "enabled"
        assert job["metadata"]["annotations"]["argocd.argoproj.io/sync-options"] == "Force=true,Replace=true"
        # Processes of the release before still run beside it.
        assert all(c["args"][1:] == ["--phase", "pre"] for c in containers_of(job))
        assert guide.index("exec deployment/workflows -- cairn migrate\n") > places[-1]
        # The second step has to bring what the Job's pod refers to.
        needed = {("Namespace", namespace), ("ServiceAccount", pod_of(job)["serviceAccountName"])}
        needed |= {("ConfigMap", s["configMapRef"]["name"]) for c in containers_of(job) for s in c["envFrom"]}
        early = [r["metadata"] | {"kind": r["kind"]} for r in [*resources, job]]
        labeled = {
            (m["kind"], m["name"])
            for m in early
            if m.get("labels", {}).get("app.kubernetes.io/component") == "preparation"
        }
        assert needed | {("Job", name)} <= labeled


def test_the_image_is_multi_stage_and_not_root() -> None:
    text = (DEPLOY / "Dockerfile").read_text()
    stages = re.findall(r"^FROM (\S+)", text, re.MULTILINE)
    assert len(stages) == 2
    assert all(re.search(r":\d", stage) for stage in stages)
    final = text[text.rindex("\nFROM ") :]
    assert re.search(r"^USER 10001:10001$", final, re.MULTILINE)
    assert "--require-hashes" in text
    assert not re.search(r"^ADD ", text, re.MULTILINE)
