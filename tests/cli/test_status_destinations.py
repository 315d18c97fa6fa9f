"""What is said of a destination; how each row looks is in `test_status_lines`."""

from forwarder.cli.status_destinations import destination_state
from forwarder.core.monitoring.status import CanaryReport, DestinationReport, RecentReport


def test_a_missed_canary_is_not_said_to_be_ok() -> None:
    report = DestinationReport(canary=CanaryReport(missed=True))
    assert destination_state("bot", report, has_waiting=False) == "CANARY MISSED; last canary: none yet"
    report = DestinationReport(canary=CanaryReport(last_ms=1.5, last_at="2026-01-01T00:00:00+00:00"))
    assert destination_state("bot", report, has_waiting=False) == "ok; canary 1.5 ms"


def test_one_that_the_daemon_does_not_have_is_said_and_is_no_trouble() -> None:
    assert destination_state("old", None, has_waiting=True) == "not in the config"


def test_one_that_refuses_everything_is_not_said_to_be_ok() -> None:
    report = DestinationReport(last_failure="HTTP 400", recent=RecentReport(failed_attempts=3))
    assert destination_state("bot", report, has_waiting=False) == "REFUSES EVERYTHING: HTTP 400"


def test_one_that_falls_behind_says_why_and_by_how_much() -> None:
    slow = DestinationReport(under_way=8, may_be_under_way=8, recent=RecentReport(latency_p99_ms=81_000))
    assert destination_state("bot", slow, has_waiting=True) == (
        "FALLS BEHIND: it takes no more at the same time, and deliveries take up to 81.0 s"
    )
    limited = DestinationReport(limited_for_s=2.5, last_failure="HTTP 500", recent=slow.recent)
    assert destination_state("bot", limited, has_waiting=True) == (
        "FALLS BEHIND: its rate limit is reached, and deliveries take up to 81.0 s; the last attempt failed: HTTP 500"
    )
