"""What the demo prints: a line for everything that happens, the rules at the beginning and the sum at the end."""

import io
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

from forwarder.core.delivery import Answered, Attempt, Delivery, DestinationName, new_delivery
from forwarder.core.dispatch.retry import Dead, RetryAt
from forwarder.core.event import decode_event
from forwarder.core.monitoring.counters import Counters
from forwarder.demo.result import DemoResult
from forwarder.demo.screen import Screen
from forwarder.demo.story import CONFIG

NOW = datetime(2026, 1, 1, tzinfo=UTC)
EVENT = decode_event(
    b'{"mid":"1","sid":"2","source":"fast-x","timestamp":1,'
    b'"payload":{"text":"to the \\u001b[2Jmoon ' + b"x" * 200 + b'","author":{"screen_name":"alice"}}}'
)


def delivery() -> Delivery:
    return new_delivery(EVENT, DestinationName("bot"), ("archive", "cashtags"), event_seq=1, accepted_at=NOW)


class Printed:
    """A screen, and what it has printed."""

    def __init__(self, *, is_terminal: bool = False) -> None:
        self._text = io.StringIO()
        self.screen = Screen(Console(file=self._text, width=160, force_terminal=is_terminal))

    def lines(self) -> list[str]:
        """Return the lines that were printed since the last call."""
        found = self._text.getvalue().splitlines()
        self._text.seek(0)
        self._text.truncate()
        return found


@pytest.fixture
def printed() -> Printed:
    return Printed()


def test_the_rules_are_shown_as_the_config_has_them(printed: Printed) -> None:
    printed.screen.open(CONFIG)
    text = "\n".join(printed.lines())
    assert "the rules of this demo" in text
    assert "name: cashtags" in text
    assert r"{regex: '\b0x[0-9a-f]{40}\b'}" in text
    assert "api_key" not in text


def test_a_delivery_is_one_line_with_its_event_its_routes_and_the_time_it_took(printed: Printed) -> None:
    printed.screen.show_delivered(1.5, delivery(), 2.345)
    (line,) = printed.lines()
    assert line.startswith("  1.500  fast-x")
    assert "@alice" in line
    assert "archive, cashtags → bot ✓ 2.3 ms" in line
    assert "\x1b" not in line
    assert len(line) <= 160


def test_a_delivery_whose_time_is_not_known_is_shown_without_one(printed: Printed) -> None:
    printed.screen.show_delivered(1.5, delivery(), None)
    assert printed.lines()[0].rstrip().endswith("→ bot ✓")


@pytest.mark.parametrize(
    ("decision", "shown"),
    [
        (RetryAt(at=NOW, reason="connection refused: nothing listens there"), "✗ connection refused; kept"),
        (Dead(reason="HTTP 400"), "✗ dead; kept"),
    ],
)
def test_a_failure_is_shown_in_a_few_words(printed: Printed, decision: RetryAt | Dead, shown: str) -> None:
    printed.screen.show_failure(0.0, delivery(), decision)
    assert shown in printed.lines()[0]


def test_what_had_to_wait_is_shown_with_its_attempts_and_its_delay(printed: Printed) -> None:
    made = Attempt(number=4, started_at=NOW, duration=timedelta(), outcome=Answered(status=200))
    printed.screen.show_recovered(9.0, delivery(), made, late=timedelta(seconds=5.25))
    assert "↻ attempt 4, 5.2 s late" in printed.lines()[0]


def test_what_is_not_delivered_is_shown_with_the_reason(printed: Printed) -> None:
    printed.screen.show_duplicate(0.0, EVENT)
    printed.screen.show_unmatched(0.0, EVENT)
    one, two = printed.lines()
    assert "duplicate, dropped" in one
    assert "no rule matches" in two


def test_an_outage_is_a_line_across_the_screen(printed: Printed) -> None:
    printed.screen.show_down("alerts", timedelta(seconds=5))
    printed.screen.show_up("alerts", waiting=7)
    down, up = printed.lines()
    assert "alerts goes down for 5 s" in down
    assert "alerts is up again; 7 waiting" in up


def test_the_status_line_is_for_a_terminal_alone(printed: Printed) -> None:
    printed.screen.show_state({"bot": 3}, waiting=1)
    assert printed.lines() == []


def test_on_a_terminal_it_shows_who_is_down_and_how_many_wait() -> None:
    printed = Printed(is_terminal=True)
    printed.screen.open(CONFIG)
    printed.screen.show_down("alerts", timedelta(seconds=5))
    printed.screen.show_state({"bot": 3, "alerts": 1}, waiting=2)
    assert printed.screen._live is not None
    shown = str(printed.screen._live.get_renderable())
    assert "bot up 3 delivered" in shown
    assert "alerts down 1 delivered" in shown
    assert "2 waiting" in shown
    printed.screen.close(DemoResult())
    assert not printed.screen._live.is_started


def test_the_sum_at_the_end(printed: Printed) -> None:
    counters = Counters(seen=10, matched=6, unmatched=3, duplicates=1)
    result = DemoResult(
        counters=counters,
        seconds=4.0,
        delivered={"bot": 5, "alerts": 2},
        waited=2,
        waited_s=[4.2, 1.5],
        latencies_ms=[1.0, 2.0, 3.0],
        waited_at_return=2,
        caught_up_s=0.75,
    )
    printed.screen.close(result)
    text = " ".join(" ".join(printed.lines()).replace("│", " ").split())
    assert "10 in 4.0 s: 6 matched a rule, 3 no rule, 1 dropped as a duplicate" in text
    assert "5 to bot, 2 to alerts" in text
    assert (
        "2 deliveries waited in the outbox, for 1.5 to 4.2 s; the last one arrived 0.8 s after the receiver was up again"
        in text
    )
    assert "POST received; of 3 that did not wait for the outage)" in text
    assert "lost 0" in text
    printed.screen.close(DemoResult(waited=3, waited_at_return=1, caught_up_s=0.75))
    text = " ".join(" ".join(printed.lines()).replace("│", " ").split())
    assert "3 deliveries waited in the outbox, 1 of them when it was up again; the last one arrived" in text


def test_without_an_outage_nothing_is_said_of_one(printed: Printed) -> None:
    printed.screen.close(DemoResult(lost=2))
    text = "\n".join(printed.lines())
    assert "outage" not in text
    assert "lost" in text
