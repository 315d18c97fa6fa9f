"""The mark and the words of each state of a stream, a destination and the outbox."""

import pytest

from forwarder.core.monitoring.status import (
    CanaryReport,
    DestinationReport,
    OutboxReport,
    PauseReport,
    RecentReport,
    StreamReport,
)
from forwarder.web.page.health import (
    HealthMark,
    HealthWords,
    health_of_destination,
    health_of_outbox,
    health_of_stream,
)

PERSON = PauseReport(since="2026-01-01T00:00:00+00:00", by="person", why="a test")
GONE = PauseReport(since="2026-01-01T00:00:00+00:00", by="receiver", why="HTTP 410")


@pytest.mark.parametrize(
    ("stream", "mark", "word", "more"),
    [
        (StreamReport(condition="open"), "ok", "open", ()),
        (StreamReport(condition="connecting"), "warn", "connecting", ()),
        (StreamReport(condition="waiting", reason="refused"), "bad", "away", ("refused",)),
        (StreamReport(condition="yielded", fault="replaced", reason="4001"), "bad", "replaced", ("4001",)),
    ],
)
def test_streams(stream: StreamReport, mark: str, word: str, more: tuple[str, ...]) -> None:
    assert health_of_stream(stream) == HealthWords(HealthMark(mark), word, more)


@pytest.mark.parametrize(
    ("destination", "mark", "word", "more"),
    [
        (DestinationReport(), "ok", "ok", ()),
        (DestinationReport(paused=PERSON), "idle", "paused by hand", ("a test",)),
        (DestinationReport(paused=GONE), "bad", "paused by itself: the receiver is gone", ("HTTP 410",)),
        (DestinationReport(paused=PauseReport(by="a later version")), "bad", "paused by a later version", ()),
        (DestinationReport(ours="no network"), "bad", "not reachable from here", ("no network",)),
        (DestinationReport(breaker="open", next_probe_in_s=1.5), "bad", "down", ("next probe in 1.5 s",)),
        (DestinationReport(failing_since="2026-01-01T00:00:00+00:00"), "warn", "failing", ()),
        (DestinationReport(canary=CanaryReport(missed=True)), "warn", "canary missed", ()),
        (
            DestinationReport(failing_since="2026-01-01T00:00:00+00:00", canary=CanaryReport(missed=True)),
            "warn",
            "failing",
            ("the last canary is missing",),
        ),
        (
            DestinationReport(last_failure="HTTP 400", recent=RecentReport(failed_attempts=3)),
            "warn",
            "refuses everything",
            (),
        ),
        (DestinationReport(quiet_until="2026-01-01T00:00:00+00:00"), "idle", "quiet hours", ()),
        (DestinationReport(held_for_s=12), "ok", "ok", ("the receiver asks to wait another 12 s",)),
        (
            DestinationReport(under_way=1, may_be_under_way=1, recent=RecentReport(latency_p99_ms=81_000)),
            "warn",
            "falls behind",
            (),
        ),
        (DestinationReport(limited_for_s=2.5), "ok", "ok", ("rate limited: the next one goes in 2.5 s",)),
    ],
)
def test_destinations(destination: DestinationReport, mark: str, word: str, more: tuple[str, ...]) -> None:
    assert health_of_destination(destination, waiting=1) == HealthWords(HealthMark(mark), word, more)


def test_a_rate_limit_is_no_news_where_nothing_waits() -> None:
    assert health_of_destination(DestinationReport(limited_for_s=2.5), waiting=0).more == ()


def test_the_outbox() -> None:
    assert health_of_outbox(OutboxReport()) == HealthWords(HealthMark.OK, "ok")
    assert health_of_outbox(OutboxReport(health="degraded", trouble="disk full")) == HealthWords(
        HealthMark.BAD, "degraded", ("disk full",)
    )
