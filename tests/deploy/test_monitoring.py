"""Alerts and dashboard ask only for metrics, and labels of them, that the code declares."""

import importlib
import json
import pkgutil
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY

import kit
import services
import workflows

DEPLOY = Path(__file__).parents[2] / "deploy"
FOREIGN = {"up": {"job", "instance"}}
"""What Prometheus itself knows of every process."""
ADDED = {"le", "job", "instance"}
_METRIC = re.compile(r"\b(cairn_[a-z_]+|up)\b")
_LABELS = re.compile(r"by \(([^)]*)\)|\{([^}]*)\}")


def rules() -> list[dict[str, Any]]:
    content = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yaml").read_text())
    return [rule for group in content["groups"] for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    return json.loads((DEPLOY / "grafana" / "cairn.json").read_text())["panels"]


def expressions() -> list[str]:
    return [rule["expr"] for rule in rules()] + [target["expr"] for each in panels() for target in each["targets"]]


@pytest.fixture(scope="module")
def declared() -> dict[str, set[str]]:
    """Every series that Cairn's modules declare, with its labels."""
    for package in (kit, services, workflows):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not found.name.endswith("__main__"):
                importlib.import_module(found.name)
    series: dict[str, set[str]] = dict(FOREIGN)
    for collector, names in REGISTRY._collector_to_names.items():
        for name in names:
            series[name] = set(getattr(collector, "_labelnames", ()))
    return series


@pytest.mark.parametrize("expression", expressions())
def test_what_is_asked_for_is_declared(expression: str, declared: dict[str, set[str]]) -> None:
    names = set(_METRIC.findall(expression))
    assert names
    assert names <= declared.keys()
    known = set().union(*(declared[name] for name in names)) | ADDED
    for grouped, matched in _LABELS.findall(expression):
        labels = re.findall(r"([a-z_]+)", grouped) if grouped else re.findall(r"([a-z_]+)\s*[=!]", matched)
        assert set(labels) <= known


def test_every_alert_says_what_to_do_and_names_only_labels_it_has() -> None:
    names = [rule["alert"] for rule in rules()]
    assert len(names) == len(set(names))
    for rule in rules():
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert {"summary", "action"} <= rule["annotations"].keys()
        asked = re.findall(r"\$labels\.([a-z_]+)", json.dumps(rule["annotations"]))
        grouped = re.findall(r"[a-z_]+", " ".join(re.findall(r"by \(([^)]*)\)", rule["expr"])))
        assert set(asked) <= {*grouped, "instance"}


def test_the_panels_do_not_lie_on_each_other() -> None:
    places = [(each["gridPos"]["x"], each["gridPos"]["y"]) for each in panels()]
    assert len(places) == len(set(places))
