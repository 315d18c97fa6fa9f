"""The exposition: read by the official parsers, in the format that is asked for, and bounded."""

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics_families

from forwarder.core.monitoring.status import StatusReport
from forwarder.web.metrics import MOST_DESTINATIONS, MOST_ROUTES, MetricsWriter, without_daemon
from tests.support.metrics import documented, measured, of_destinations, samples_of, written
from tests.support.paths import ROOT
from tests.support.prometheus import promtool, why_no_prometheus

SCRAPE = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=0.0.4;q=0.3,*/*;q=0.1"
)
"""What Prometheus sends."""


def test_without_a_wish_the_format_is_that_of_prometheus() -> None:
    found = MetricsWriter().write(measured())
    assert found.content_type == "text/plain; version=0.0.4; charset=utf-8"
    assert samples_of(found.text.decode())["forwarder_up",] == 1


def test_open_metrics_is_written_where_it_is_asked_for() -> None:
    found = MetricsWriter().write(measured(), SCRAPE)
    assert found.content_type.startswith("application/openmetrics-text; version=1.0.0; charset=utf-8")
    text = found.text.decode()
    assert text.endswith("# EOF\n")
    families = open_metrics_families(text)  # type: ignore[no-untyped-call] # the library has no types there
    names = {sample.name for family in families for sample in family.samples}
    assert names == {name for name, *_ in written()}


def test_where_no_daemon_runs_only_that_is_reported() -> None:
    assert samples_of(without_daemon().text.decode()) == {("forwarder_up",): 0}


def test_the_process_is_reported_by_the_library() -> None:
    found = written()
    assert found["process_resident_memory_bytes",] > 1 << 20
    assert {"process_cpu_seconds_total", "process_open_fds", "process_start_time_seconds"} <= {
        name for name, *_ in found
    }


@pytest.mark.skipif(why_no_prometheus() is not None, reason=why_no_prometheus() or "has Prometheus")
def test_promtool_finds_no_fault_in_any_metric() -> None:
    assert promtool("check", "metrics", stdin=MetricsWriter().write(measured()).text) == (0, "")


def test_ten_thousand_destinations_and_routes_make_no_more_series_than_the_bound() -> None:
    status = of_destinations(10_000, delivered=1)
    few = len(written(measured(of_destinations(MOST_DESTINATIONS, delivered=1), None)))
    found = written(measured(status, None))
    assert len(found) < few + 60
    delivered = {key: value for key, value in found.items() if key[0] == "forwarder_destination_deliveries_total"}
    assert sum(value for key, value in delivered.items() if key[-1] == "delivered") == 10_000
    assert delivered["forwarder_destination_deliveries_total", "other", "delivered"] == 10_000 - MOST_DESTINATIONS
    assert found["forwarder_destination_breaker_state", "other", "closed"] == 10_000 - MOST_DESTINATIONS


def test_ten_thousand_routes_share_a_label_value_beyond_the_bound() -> None:
    routes = {f"r{number:05}": number for number in range(1, 10_001)}
    status = StatusReport(routes=routes)
    found = {key: value for key, value in written(measured(status, None)).items() if "route_matches" in key[0]}
    assert len(found) == MOST_ROUTES + 1
    assert found["forwarder_route_matches_total", "r10000"] == 10_000
    assert sum(found.values()) == sum(routes.values())


def test_every_metric_is_in_the_docs_with_its_labels_and_its_type() -> None:
    docs = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8").splitlines()
    rows = [line for line in docs if line.startswith("| `forwarder_")]
    assert rows == documented()
