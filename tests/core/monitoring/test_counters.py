"""The counters as fields of a log line."""

from forwarder.core.delivery import DestinationName
from forwarder.core.event import NotAnEvent
from forwarder.core.monitoring.counters import Counters


def test_frames_that_are_no_events_are_counted_by_kind() -> None:
    counters = Counters(seen=3, delivered=2, duplicates=1)
    counters.odd_frames[NotAnEvent.INVALID_JSON] += 1
    counters.odd_frames[NotAnEvent.INVALID_JSON] += 1
    fields = counters.as_fields()
    assert (fields["seen"], fields["delivered"], fields["dead"], fields["doubles"]) == (3, 2, 0, 1)
    assert "duplicates" not in fields
    assert fields["odd_frames"] == {str(NotAnEvent.INVALID_JSON): 2}


def test_the_summary_says_how_many_events_came_in_and_their_outcomes() -> None:
    assert Counters(seen=3, delivered=2, dead=1).summary() == "3 events seen, 2 delivered, 1 dead"


def test_what_is_counted_by_name_is_no_field_of_a_log_line() -> None:
    counters = Counters()
    counters.matches["macro"] += 1
    counters.skipped_by[DestinationName("off")] += 1
    assert counters.as_fields() == Counters().as_fields()


def test_what_has_left_the_config_is_forgotten() -> None:
    bot, gone = DestinationName("bot"), DestinationName("gone")
    counters = Counters()
    for route in ("macro", "old"):
        counters.matches[route] += 2
    for name in (bot, gone):
        counters.skipped_by[name] += 3
    counters.follow(frozenset({"macro", "new"}), frozenset({bot}))
    assert counters.matches == {"macro": 2}
    assert counters.skipped_by == {bot: 3}
