"""Which destinations are in trouble, and in which order they are shown; how each row looks is in `test_status_lines`."""

from typing import Any

import pytest

from forwarder.cli.status_destinations import destination_state, is_in_trouble
from forwarder.core.monitoring.status import CanaryReport, DestinationReport, PauseReport, RecentReport

TROUBLES: tuple[dict[str, Any], ...] = (
    {"breaker": "open"},
    {"breaker": "half_open"},
    {"ours": "no network"},
    {"last_failure": "HTTP 400", "recent": RecentReport(failed_attempts=3)},
    {"failing_since": "2026-01-01T00:00:00+00:00"},
    {"canary": CanaryReport(missed=True)},
    {"paused": PauseReport(by="receiver")},
    {"paused": PauseReport(by="failures")},
)
WELL: tuple[dict[str, Any], ...] = (
    {},
    {"paused": PauseReport(by="person"), "breaker": "open"},
    {"last_failure": "HTTP 400"},
    {"held_for_s": 5.0},
    {"quiet_until": "2026-01-01T00:00:00+00:00"},
    {"canary": CanaryReport(missed=False)},
    {"last_failure": "HTTP 400", "recent": RecentReport(delivered=1, failed_attempts=4)},
)


@pytest.mark.parametrize("fields", TROUBLES)
def test_a_person_should_look_at_it(fields: dict[str, Any]) -> None:
    assert is_in_trouble(DestinationReport(**fields))


@pytest.mark.parametrize("fields", WELL)
def test_nobody_need_look_at_it(fields: dict[str, Any]) -> None:
    assert not is_in_trouble(DestinationReport(**fields))


def test_a_missed_canary_is_not_said_to_be_ok() -> None:
    report = DestinationReport(canary=CanaryReport(missed=True))
    assert destination_state("bot", report, has_waiting=False) == "CANARY MISSED; last canary: none yet"
    report = DestinationReport(canary=CanaryReport(last_ms=1.5, last_at="2026-01-01T00:00:00+00:00"))
    assert destination_state("bot", report, has_waiting=False) == "ok; canary 1.5 ms"


def test_one_that_the_daemon_does_not_have_is_said_and_is_no_trouble() -> None:
    assert destination_state("old", None, has_waiting=True) == "not in the config"
    assert not is_in_trouble(None)


def test_one_that_refuses_everything_is_not_said_to_be_ok() -> None:
    report = DestinationReport(last_failure="HTTP 400", recent=RecentReport(failed_attempts=3))
    assert destination_state("bot", report, has_waiting=False) == "REFUSES EVERYTHING: HTTP 400"
