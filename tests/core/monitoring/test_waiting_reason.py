"""What a delivery waits for, in words."""

from datetime import UTC, datetime, timedelta

import pytest

from forwarder.core.monitoring.status import DestinationReport, PauseReport
from forwarder.core.monitoring.waiting_reason import waiting_reason

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
PAUSED = PauseReport(since="2026-01-01T11:00:00+00:00", by="person")


def reason(
    destination: DestinationReport | None, *, kept: str | None = None, has_turn: bool = True, due_in_s: float = -1
) -> str | None:
    return waiting_reason(destination, kept=kept, has_turn=has_turn, due_at=NOW + timedelta(seconds=due_in_s), now=NOW)


@pytest.mark.parametrize(
    ("destination", "words"),
    [
        (None, "the running config has no enabled destination of this name"),
        (DestinationReport(paused=PAUSED, breaker="open"), "the destination is paused"),
        (DestinationReport(ours="no network"), "the destination cannot be reached from this machine: no network"),
        (
            DestinationReport(breaker="open", next_probe_in_s=12.4),
            "waits for a probe, 12 s",
        ),
        (DestinationReport(breaker="half_open"), "waits for a probe"),
        (DestinationReport(held_for_s=30.0, limited_for_s=3.0), "the receiver asked to wait, 30 s"),
        (DestinationReport(limited_for_s=0.3), "waits for the rate limit"),
        (DestinationReport(under_way=4, may_be_under_way=4), None),
        (DestinationReport(), None),
    ],
)
def test_the_state_of_the_destination_says_it(destination: DestinationReport | None, words: str | None) -> None:
    assert reason(destination) == words


def test_what_the_outbox_itself_keeps_comes_before_the_destination() -> None:
    assert reason(DestinationReport(paused=PAUSED), kept="waits for the full text") == "waits for the full text"


def test_its_own_turn_and_time_come_after_what_holds_everything_up() -> None:
    down = DestinationReport(breaker="open")
    assert reason(down, has_turn=False, due_in_s=60) == "waits for a probe"
    limited = DestinationReport(limited_for_s=20.0)
    assert str(reason(limited, has_turn=False, due_in_s=60)).startswith("waits for its turn")
    assert reason(limited, due_in_s=60) == "waits for its next attempt"
    assert reason(limited) == "waits for the rate limit, 20 s"
