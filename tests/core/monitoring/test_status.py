"""The JSON of a status: its keys and types are an interface for scripts, and for a command of another version."""

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from forwarder.core.histogram import Histogram
from forwarder.core.monitoring.counters import Counters
from forwarder.core.monitoring.status import (
    Backlog,
    CountersReport,
    DelaySummary,
    StatusReport,
    UnreadableStatusError,
    decode_status,
    encode_status,
    to_milliseconds,
    to_seconds,
)
from tests.support.paths import ROOT

EXAMPLE: dict[str, Any] = json.loads((ROOT / "tests" / "data" / "status.json").read_text(encoding="utf-8"))
"""What `forwarder status --json` printed before it had a type."""


def written(value: object) -> str:
    return json.dumps(value)


def test_a_report_is_the_json_of_the_example_to_the_last_character() -> None:
    of_daemon = {key: value for key, value in EXAMPLE.items() if key not in {*Backlog.__struct_fields__, "verdict"}}
    assert written(encode_status(decode_status(EXAMPLE))) == written(of_daemon)
    backlog = msgspec.convert(EXAMPLE, Backlog)
    assert written(msgspec.to_builtins(backlog)) == written({key: EXAMPLE[key] for key in Backlog.__struct_fields__})


def kinds(report: object) -> set[str]:
    """Return the names of the types that a report is made of."""
    if isinstance(report, msgspec.Struct):
        below = [getattr(report, name) for name in report.__struct_fields__]
        return {type(report).__name__}.union(*map(kinds, below))
    return set().union(*map(kinds, report.values())) if isinstance(report, dict) else set()


def test_the_example_has_every_part_of_a_report() -> None:
    assert kinds(decode_status(EXAMPLE)) == {
        "CanaryReport",
        "ClockJumpReport",
        "ConfigReport",
        "CountersReport",
        "DelaySummary",
        "DestinationReport",
        "HangingReloadReport",
        "HeartbeatReport",
        "LogReport",
        "OutboxReport",
        "PauseReport",
        "RecentReport",
        "RefusedConfigReport",
        "StatusReport",
        "StreamReport",
        "TracingReport",
    }


def test_the_counters_are_those_that_are_counted() -> None:
    assert list(CountersReport.__struct_fields__) == list(Counters().as_fields())


def without(value: object, key: str) -> object:
    """Return a value without any key of this name."""
    if isinstance(value, dict):
        return {name: without(each, key) for name, each in value.items() if name != key}
    return value


def keys(value: object) -> set[str]:
    if not isinstance(value, dict):
        return set()
    return set(value) | {key for each in value.values() for key in keys(each)}


@pytest.mark.parametrize("key", sorted(keys(EXAMPLE)))
def test_a_key_that_another_version_does_not_have_is_no_mistake(key: str) -> None:
    fields = without(EXAMPLE, key)
    assert isinstance(fields, dict)
    decode_status(fields)


def test_an_empty_status_and_one_with_unknown_keys_are_read() -> None:
    assert decode_status({}) == StatusReport()
    assert decode_status({**EXAMPLE, "moon": {"phase": 3}}) == decode_status(EXAMPLE)


def test_a_key_of_another_kind_is_named() -> None:
    with pytest.raises(UnreadableStatusError, match=r"\$\.outbox\.commits"):
        decode_status({"outbox": {"commits": "many"}})


def test_a_summary_has_milliseconds() -> None:
    delays = Histogram()
    delays.observe(0.25)
    assert DelaySummary.of(delays) == DelaySummary(count=1, sum=250.0, p50=250.0, p99=250.0, max=250.0)


def test_moments_are_written_to_the_second_or_the_millisecond() -> None:
    at = datetime(2026, 1, 31, 17, 0, 1, 234567, tzinfo=UTC)
    assert to_seconds(at) == "2026-01-31T17:00:01+00:00"
    assert to_milliseconds(at) == "2026-01-31T17:00:01.234+00:00"
    assert to_seconds(None) is to_milliseconds(None) is None
