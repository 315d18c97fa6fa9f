"""The metrics of events, streams, gaps, the outbox and the config come out as the status has them."""

from forwarder.core.monitoring.status import decode_status
from tests.support.metrics import AT_S, STATUS, measured, written

UNCHANGED = {
    ("forwarder_up",): 1,
    ("forwarder_info", "1.2"): 1,
    ("forwarder_start_time_seconds",): AT_S,
    ("forwarder_config_refused",): 1,
    ("forwarder_config_in_force_timestamp_seconds",): AT_S,
    ("forwarder_events_seen_total",): 11,
    ("forwarder_events_routed_total", "matched"): 6,
    ("forwarder_events_routed_total", "double"): 1,
    ("forwarder_odd_frames_total", "pong"): 3,
    ("forwarder_deliveries_total", "delivered"): 100,
    ("forwarder_attempts_failed_total",): 0,
    ("forwarder_log_lines_dropped_total",): 8,
    ("forwarder_heartbeat_failing",): 1,
    ("forwarder_tracing_failing",): 1,
    ("forwarder_tracing_spans_lost_total",): 9,
    ("forwarder_stream_open", "main"): 1,
    ("forwarder_stream_open", "second"): 0,
    ("forwarder_stream_connections_total", "main"): 3,
    ("forwarder_stream_ends_total", "renewed", "main"): 1,
    ("forwarder_stream_wins_total", "main"): 6,
    ("forwarder_stream_misses_total", "main", "away"): 2,
    ("forwarder_stream_last_event_timestamp_seconds", "main"): AT_S,
    ("forwarder_stream_behind_seconds_count", "main"): 1,
    ("forwarder_event_lag_seconds_count", "fast-x"): 2,
    ("forwarder_commit_lag_seconds_count",): 2,
    ("forwarder_outbox_healthy",): 0,
    ("forwarder_outbox_events_in_memory",): 4,
    ("forwarder_outbox_deliveries_in_memory",): 5,
    ("forwarder_outbox_wal_bytes",): 6,
    ("forwarder_outbox_commits_total",): 7,
}
"""Metrics that earlier versions had as well, with the same labels."""
NEW = {
    ("forwarder_health", "OK"): 0,
    ("forwarder_health", "DEGRADED"): 1,
    ("forwarder_health", "DOWN"): 0,
    ("forwarder_config_reloads_total", "applied"): 2,
    ("forwarder_config_reloads_total", "refused"): 1,
    ("forwarder_events_recovered_total",): 2,
    ("forwarder_route_matches_total", "macro"): 2,
    ("forwarder_stream_events_total", "fast-x", "main"): 3,
    ("forwarder_gaps_total", "second"): 2,
    ("forwarder_gaps_unrepaired",): 3,
    ("forwarder_gap_repair_off", "main"): 0,
    ("forwarder_gap_repair_off", "second"): 1,
    ("forwarder_outbox_stuck_seconds",): 2.5,
    ("forwarder_outbox_file_bytes",): 4096,
}


def test_a_status_comes_out_as_it_is() -> None:
    found = written()
    expected = UNCHANGED | NEW
    assert {key: found.get(key) for key in expected} == expected
    assert ("forwarder_stream_last_event_timestamp_seconds", "second") not in found


def test_a_histogram_counts_up_to_each_bound_and_in_all() -> None:
    found = written()
    buckets = {key[1]: value for key, value in found.items() if key[0] == "forwarder_commit_lag_seconds_bucket"}
    assert (buckets["0.005"], buckets["0.01"], buckets["0.025"], buckets["+Inf"]) == (0, 1, 2, 2)
    assert found["forwarder_commit_lag_seconds_sum",] == 0.03


def test_what_cannot_be_read_is_left_out() -> None:
    names = {name for name, *_ in written(measured(backlog=None))}
    assert "forwarder_gaps_unrepaired" not in names
    assert "forwarder_outbox_file_bytes" not in names
    assert "forwarder_outbox_wal_bytes" in names


def test_an_odd_name_of_a_source_or_a_route_is_one_label_value() -> None:
    odd = 'a "quoted" name,\\ with a \\n that is none\nand a line = {break}'
    found = written(measured(decode_status(STATUS | {"routes": {odd: 1}, "streams": {odd: {"sources": {odd: 2}}}})))
    assert found["forwarder_route_matches_total", odd] == 1
    assert found["forwarder_stream_events_total", odd, odd] == 2


def test_a_status_of_a_daemon_that_has_just_begun_is_written_as_well() -> None:
    found = written(measured(decode_status({}), None))
    assert found["forwarder_start_time_seconds",] == 0
