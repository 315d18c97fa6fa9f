"""The dashboard and the alert rules of the docs ask only for what there is, and the rules raise their alarms."""

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from forwarder.web.metrics import MetricsWriter
from tests.support.grafana import (
    ALERT_TESTS,
    ALERTS,
    FOLDER,
    asked_of,
    dashboard,
    filled_in,
    queries,
    rules,
    values_asked_of,
    variables,
)
from tests.support.metrics import measured
from tests.support.paths import ROOT
from tests.support.prometheus import promtool, why_no_prometheus

needs_prometheus = pytest.mark.skipif(why_no_prometheus() is not None, reason=why_no_prometheus() or "has Prometheus")


def exposed() -> dict[str, dict[str, set[str]]]:
    """Return the values of each label of each sample in an exposition in which every metric has a value."""
    found: dict[str, dict[str, set[str]]] = {}
    for family in text_string_to_metric_families(MetricsWriter().write(measured()).text.decode()):
        for sample in family.samples:
            labels = found.setdefault(sample.name, {})
            for label, value in sample.labels.items():
                labels.setdefault(label, set()).add(value)
    return found


def asked() -> list[tuple[str, str]]:
    board = dashboard()
    return [
        *queries(board),
        *(("variable", each) for each in variables(board)),
        *((rule["alert"], rule["expr"]) for rule in rules()),
    ]


@pytest.mark.parametrize(("title", "expression"), asked())
def test_every_metric_label_and_value_that_is_asked_for_exists(title: str, expression: str) -> None:
    there = exposed()
    metrics, grouped = asked_of(expression)
    assert metrics or title == "ForwarderGone"
    for name, labels in metrics.items():
        assert name in there, (title, name)
        assert labels <= there[name].keys(), (title, name, labels)
    if metrics:
        assert grouped <= {label for name in metrics for label in there[name]}, (title, grouped)
    for name, label, value in values_asked_of(expression):
        if not (name == "forwarder_odd_frames_total" and label == "kind"):
            assert value in there[name][label], (title, name, label, value)


def test_every_panel_asks_for_something_and_has_a_place_of_its_own() -> None:
    panels = [panel for panel in dashboard()["panels"] if panel["type"] != "row"]
    places = [
        (column, line)
        for panel in panels
        for column in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for line in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(places) == len(set(places))
    assert max(column for column, _ in places) < 24
    assert all(panel["targets"] for panel in panels)
    assert len({panel["id"] for panel in dashboard()["panels"]}) == len(dashboard()["panels"])


@needs_prometheus
def test_promtool_understands_the_rules() -> None:
    code, said = promtool("check", "rules", str(ALERTS))
    assert code == 0, said
    assert f"SUCCESS: {len(rules())} rules found" in said


@needs_prometheus
def test_each_alert_is_silent_at_first_and_fires_once_it_has_lasted_long_enough() -> None:
    code, said = promtool("test", "rules", ALERT_TESTS.name, cwd=FOLDER)
    assert code == 0, said


def test_each_alert_has_a_test_in_which_it_fires_and_one_in_which_it_does_not() -> None:
    tested = {"fires": set[str](), "silent": set[str]()}
    for case in yaml.safe_load(ALERT_TESTS.read_text(encoding="utf-8"))["tests"]:
        for each in case["alert_rule_test"]:
            tested["fires" if each["exp_alerts"] else "silent"].add(each["alertname"])
    names = {rule["alert"] for rule in rules()}
    assert tested == {"fires": names, "silent": names}


def test_a_variable_of_grafana_is_filled_in() -> None:
    expression = 'rate(a{job=~"$job", instance=~"$instance"}[$__rate_interval])'
    assert filled_in(expression) == 'rate(a{job=~".*", instance=~".*"}[1m])'


def test_each_alert_is_in_the_docs_with_its_severity() -> None:
    docs = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8").splitlines()
    rows = [line.strip("| ").split(" | ") for line in docs if line.startswith("| `Forwarder")]
    documented = [(name.strip("`"), severity) for names, _, severity in rows for name in names.split(", ")]
    assert documented == [(rule["alert"], rule["labels"]["severity"]) for rule in rules()]
