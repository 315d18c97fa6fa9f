"""What the dashboard and the alert rules ask Prometheus for."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tests.support.paths import ROOT

FOLDER = ROOT / "docs" / "monitoring"
DASHBOARD, ALERTS, ALERT_TESTS = (
    FOLDER / name for name in ("grafana-dashboard.json", "alerts.yaml", "alerts-test.yaml")
)
OF_PROMETHEUS = frozenset({"job", "instance", "le"})
"""Labels that are not in an exposition, or only as a part of a histogram."""
_METRIC = re.compile(r"\b((?:forwarder|process)_[a-z_]+)(?:\{([^}]*)\})?")
_MATCHER = re.compile(r'([a-z_]+)\s*(?:=~|!~|!=|=)\s*"([^"]*)"')
_GROUPING = re.compile(r"\b(?:by|on)\s*\(([^)]*)\)")


def dashboard() -> dict[str, Any]:
    """Return the dashboard."""
    found: dict[str, Any] = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    return found


def queries(board: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the title of each panel with an expression of it, those of the annotations included."""
    for panel in board["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]
    for each in board["annotations"]["list"]:
        yield each["name"], each["expr"]


def variables(board: dict[str, Any]) -> Iterator[str]:
    """Yield the queries of the variables."""
    for each in board["templating"]["list"]:
        if each["type"] == "query":
            yield each["query"]["query"]


def filled_in(expression: str) -> str:
    """Return an expression as Grafana sends it while everything is chosen."""
    return re.sub(r"\$(job|instance|destination)\b", ".*", expression).replace("$__rate_interval", "1m")


def rules(file: Path = ALERTS) -> list[dict[str, Any]]:
    """Return the alert rules."""
    found: list[dict[str, Any]] = yaml.safe_load(file.read_text(encoding="utf-8"))["groups"][0]["rules"]
    return found


def asked_of(expression: str) -> tuple[dict[str, set[str]], set[str]]:
    """Return the labels that an expression asks of each metric, and those by which it groups."""
    metrics: dict[str, set[str]] = {}
    for name, inside in _METRIC.findall(expression):
        metrics.setdefault(name, set()).update(label for label, _ in _MATCHER.findall(inside))
    grouped = {label.strip() for inside in _GROUPING.findall(expression) for label in inside.split(",")}
    return {name: labels - OF_PROMETHEUS for name, labels in metrics.items()}, grouped - OF_PROMETHEUS


def values_asked_of(expression: str) -> Iterator[tuple[str, str, str]]:
    """Yield the metrics, labels and values that an expression names; of several values each."""
    for name, inside in _METRIC.findall(expression):
        for label, value in _MATCHER.findall(inside):
            if label not in OF_PROMETHEUS and "$" not in value:
                for each in value.split("|"):
                    yield name, label, each
