"""The metrics of the destinations, and what becomes of those that share a label value."""

import pytest

from forwarder.core.monitoring.measured import Measured
from forwarder.core.monitoring.status import Backlog, StatusReport, decode_status
from forwarder.core.monitoring.verdict import HealthLevel
from forwarder.web import metrics
from tests.support.metrics import AT, AT_S, DESTINATION, histogram, measured, written

OF_BOT = {
    ("forwarder_destination_deliveries_total", "bot", "delivered"): 100,
    ("forwarder_destination_deliveries_total", "bot", "dead"): 4,
    ("forwarder_destination_deliveries_total", "bot", "expired"): 5,
    ("forwarder_destination_deliveries_total", "bot", "skipped"): 6,
    ("forwarder_destination_deliveries_total", "off", "skipped"): 7,
    ("forwarder_destination_attempts_total", "bot", "delivered"): 100,
    ("forwarder_destination_attempts_total", "bot", "failed"): 20,
    ("forwarder_destination_attempts_total", "bot", "postponed"): 3,
    ("forwarder_delivery_latency_seconds_count", "bot"): 2,
    ("forwarder_delivery_latency_seconds_bucket", "bot", "0.025"): 1,
    ("forwarder_attempt_duration_seconds_sum", "bot"): 0.004,
    ("forwarder_destination_waiting", "bot"): 1,
    ("forwarder_destination_waiting", "gone"): 2,
    ("forwarder_destination_oldest_waiting_timestamp_seconds", "bot"): AT_S,
    ("forwarder_destination_dead_letters", "bot"): 9,
    ("forwarder_destination_breaker_state", "bot", "closed"): 0,
    ("forwarder_destination_breaker_state", "bot", "open"): 0,
    ("forwarder_destination_breaker_state", "bot", "half_open"): 1,
    ("forwarder_destination_paused", "bot"): 1,
    ("forwarder_destination_paused_itself", "bot"): 1,
    ("forwarder_destination_quiet", "bot"): 1,
    ("forwarder_destination_reachable_from_here", "bot"): 0,
    ("forwarder_destination_held_seconds", "bot"): 1.5,
    ("forwarder_destination_attempts_under_way", "bot"): 2,
    ("forwarder_destination_failing_since_timestamp_seconds", "bot"): AT_S,
    ("forwarder_destination_canary_missed", "bot"): 1,
    ("forwarder_destination_canary_seconds", "bot"): 0.0015,
    ("forwarder_destination_canary_timestamp_seconds", "bot"): AT_S,
}


def test_a_destination_comes_out_as_the_status_has_it() -> None:
    found = written()
    assert {key: found.get(key) for key in OF_BOT} == OF_BOT


def test_one_that_is_well_has_zeros_and_no_moments() -> None:
    found = written(
        measured(StatusReport(destinations=decode_status({"destinations": {"bot": {}}}).destinations), None)
    )
    assert found["forwarder_destination_paused", "bot"] == 0
    assert found["forwarder_destination_deliveries_total", "bot", "dead"] == 0
    names = {name for name, *_ in found}
    assert "forwarder_destination_failing_since_timestamp_seconds" not in names
    assert "forwarder_destination_canary_missed" not in names
    assert "forwarder_destination_waiting" not in names


def test_those_that_share_a_label_value_are_added_up_and_the_oldest_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "MOST_DESTINATIONS", 1)
    status = decode_status(
        {"destinations": {"a": DESTINATION, "b": {**DESTINATION, "held_for_s": 9.0}, "best": {"delivered": 1000}}}
    )
    state = Measured(
        status=status,
        level=HealthLevel.OK,
        backlog=Backlog(waiting={"a": 1, "b": 2}, oldest={"a": "2026-01-01T00:01:00+00:00", "b": AT}),
        latencies={"a": histogram(0.02), "b": histogram(3.0), "best": histogram(1.0)},
    )
    found = written(state)
    assert {key[1] for key in found if key[0] == "forwarder_destination_paused"} == {"best", "other"}
    assert found["forwarder_destination_deliveries_total", "other", "dead"] == 8
    assert found["forwarder_destination_paused", "other"] == 2
    assert found["forwarder_destination_held_seconds", "other"] == 9
    assert found["forwarder_destination_oldest_waiting_timestamp_seconds", "other"] == AT_S
    assert found["forwarder_delivery_latency_seconds_count", "other"] == 2
    assert found["forwarder_delivery_latency_seconds_sum", "other"] == 3.02
