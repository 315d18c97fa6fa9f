"""The text format, read by the official parser, and the numbers of a status that lacks what it may lack."""

from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from forwarder.core.metrics import DOWN, Family, MetricType, Sample, families_of, write
from forwarder.core.monitoring.status import Backlog, StatusReport, decode_status

ODD = 'a "quoted" name,\\ with a \\n that is none\nand a line = {break}'


def read(text: str) -> dict[str, list[Any]]:
    """Return the samples of each family, by the name that the parser gives it; one of another type is an error."""
    found = list(text_string_to_metric_families(text))
    assert all(family.documentation for family in found)
    assert len({family.name for family in found}) == len(found)
    return {family.name: family.samples for family in found}


def test_what_is_written_is_read_back_whatever_is_in_labels_and_help() -> None:
    family = Family("forwarder_x", MetricType.GAUGE, ODD, [Sample(value=0.1, labels={"destination": ODD, "b": "é"})])
    (found,) = text_string_to_metric_families(write([family]))
    assert found.documentation == ODD
    assert found.samples[0].labels == {"destination": ODD, "b": "é"}
    assert found.samples[0].value == 0.1


def test_a_control_character_in_a_label_is_written_as_text() -> None:
    labels = {"source": '\x1b[2J\x9b\u202e"\\é'}
    text = write([Family(name="a", help="\x1b", type=MetricType.GAUGE, samples=[Sample(labels=labels, value=1)])])
    assert text.replace("\n", "").isprintable()
    (family,) = text_string_to_metric_families(text)
    assert family.samples[0].labels == {"source": '\\u001b[2J\\u009b\\u202e"\\é'}


def test_a_family_without_values_is_left_out() -> None:
    assert write([Family("forwarder_x", MetricType.GAUGE, "Help.", [])]) == ""


def test_where_no_daemon_runs_only_that_is_reported() -> None:
    ((sample,),) = read(write(DOWN)).values()
    assert (sample.name, sample.value) == ("forwarder_up", 0)


STREAM = {
    "condition": "open",
    "connections": 3,
    "ends": {"closed": 1, "renewed": 1},
    "events": 10,
    "wins": 6,
    "copies": 4,
    "behind_ms": {"count": 4, "sum": 40, "p50": 10, "p99": 20, "max": 20},
    "missed_open": 1,
    "missed_away": 2,
    "last_event": "2026-01-01T00:00:00+00:00",
}


def status() -> StatusReport:
    names = ("seen", "matched", "unmatched", "doubles", "delivered", "dead", "expired", "skipped", "sampled", "limited")
    counts = dict.fromkeys((*names, "failed_attempts", "postponed", "missed_canaries"), 0)
    lane = {
        "breaker": "half_open",
        "paused": None,
        "ours": "no network",
        "held_for_s": 1.5,
        "under_way": 2,
        "failing_since": "2026-01-01T00:00:00+00:00",
        "canary": {"every_s": 5.0, "last_ms": None, "last_at": None, "missed": True},
    }
    usual = {
        "version": "1.2",
        "started_at": "2026-01-01T00:00:00+00:00",
        "config": {"refused": None, "in_force_since": "2026-01-01T00:00:00+00:00"},
        "since_start": {**counts, "odd_frames": {"pong": 3}},
        "streams": {"main": STREAM, "second": {**STREAM, "condition": "waiting", "last_event": None, "copies": 0}},
        "lag_ms": {"fast-x": {"count": 2, "sum": 300, "p50": 100, "p99": 200, "max": 200}},
        "outbox": {
            "health": "degraded",
            "events_in_memory": 4,
            "deliveries_in_memory": 5,
            "wal_bytes": 6,
            "commits": 7,
            "commit_lag_ms": {"count": 2, "sum": 30, "p50": 10, "p99": 20, "max": 20},
        },
        "destinations": {"bot": lane},
    }
    return decode_status(usual)


BACKLOG = Backlog(waiting={"bot": 1, "gone": 2})


def values(families: dict[str, list[Any]], name: str) -> dict[tuple[str, ...], float]:
    return {tuple(sample.labels.values()): sample.value for sample in families[name]}


def test_a_status_comes_out_as_it_is() -> None:
    found = read(write(families_of(status(), BACKLOG)))
    assert values(found, "forwarder_up") == {(): 1}
    assert values(found, "forwarder_info") == {("1.2",): 1}
    assert values(found, "forwarder_start_time_seconds") == {(): 1767225600}
    assert values(found, "forwarder_odd_frames") == {("pong",): 3}
    assert values(found, "forwarder_outbox_healthy") == {(): 0}
    assert {
        (sample.name, *sample.labels.values()): sample.value for sample in found["forwarder_commit_lag_seconds"]
    } == {
        ("forwarder_commit_lag_seconds", "0.5"): 0.01,
        ("forwarder_commit_lag_seconds", "0.99"): 0.02,
        ("forwarder_commit_lag_seconds_sum",): 0.03,
        ("forwarder_commit_lag_seconds_count",): 2,
    }
    assert values(found, "forwarder_destination_waiting") == {("bot",): 1, ("gone",): 2}
    assert values(found, "forwarder_destination_dead_letters") == {("bot",): 0}
    assert values(found, "forwarder_destination_breaker_state") == {
        ("bot", "closed"): 0,
        ("bot", "open"): 0,
        ("bot", "half_open"): 1,
    }
    assert values(found, "forwarder_destination_reachable_from_here") == {("bot",): 0}
    assert values(found, "forwarder_destination_held_seconds") == {("bot",): 1.5}
    assert values(found, "forwarder_destination_failing_since_timestamp_seconds") == {("bot",): 1767225600}
    assert values(found, "forwarder_destination_canary_missed") == {("bot",): 1}
    assert "forwarder_destination_canary_seconds" not in found


def test_what_cannot_be_read_is_left_out() -> None:
    found = read(write(families_of(status(), None)))
    assert "forwarder_destination_waiting" not in found
    assert "forwarder_destination_dead_letters" not in found
    assert values(found, "forwarder_destination_paused") == {("bot",): 0}


def test_the_streams_are_reported_each_with_its_own_numbers() -> None:
    found = read(write(families_of(status(), BACKLOG)))
    values = {(sample.name, *sample.labels.values()): sample.value for samples in found.values() for sample in samples}
    assert values["forwarder_stream_open", "main"] == 1
    assert values["forwarder_stream_open", "second"] == 0
    assert values["forwarder_stream_ends_total", "main", "renewed"] == 1
    assert values["forwarder_stream_misses_total", "main", "away"] == 2
    assert values["forwarder_stream_behind_seconds", "main", "0.99"] == 0.02
    assert ("forwarder_stream_behind_seconds_count", "second") not in values
    assert ("forwarder_stream_last_event_timestamp_seconds", "second") not in values
    assert values["forwarder_event_lag_seconds_sum", "fast-x"] == 0.3
