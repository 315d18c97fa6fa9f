"""The deliveries of a minute as the fields of one line."""

from datetime import UTC, datetime, timedelta

from forwarder.core.delivery import DestinationName
from forwarder.core.monitoring.counters import Counters
from forwarder.core.monitoring.delivery_figures import DeliveryFigures
from forwarder.core.monitoring.delivery_summary import DeliverySummary

NOW = datetime(2026, 1, 1, tzinfo=UTC)
BOT, OPS = DestinationName("bot"), DestinationName("ops")


def deliver(figures: DeliveryFigures, to: DestinationName, *took_ms: int) -> None:
    for each in took_ms:
        figures.note_delivered(to, timedelta(milliseconds=each), None, NOW)


def test_it_has_what_was_delivered_in_all_and_by_destination_and_what_was_counted_meanwhile() -> None:
    counters = Counters(failed_attempts=100, postponed=100, dead=100, expired=100, skipped=100)
    figures = DeliveryFigures()
    summary = DeliverySummary(counters, figures, now_s=1000.0)
    deliver(figures, OPS, 10)
    deliver(figures, BOT, *[10] * 97, 2000, 2000)
    counters.failed_attempts += 5
    counters.postponed += 4
    counters.dead += 3
    counters.expired += 2
    counters.skipped += 1
    fields = summary.take(1060.04)
    assert fields is not None
    median_ms, p99_ms = fields.pop("duration_p50_ms"), fields.pop("duration_p99_ms")
    assert fields == {
        "delivered": 100,
        "destinations": {"bot": 99, "ops": 1},
        "other_destinations": 0,
        "failed_attempts": 5,
        "postponed": 4,
        "dead": 3,
        "expired": 2,
        "skipped": 1,
        "over_s": 60.0,
    }
    assert isinstance(median_ms, float)
    assert 10 <= median_ms < 12
    assert p99_ms == 2000


def test_the_ten_destinations_with_the_most_deliveries_are_named_and_the_others_counted() -> None:
    figures = DeliveryFigures()
    summary = DeliverySummary(Counters(), figures, now_s=0.0)
    for number in range(1, 14):
        deliver(figures, DestinationName(f"bot{number}"), *[1] * number)
    fields = summary.take(60.0)
    assert fields is not None
    assert fields["delivered"] == sum(range(1, 14))
    assert fields["destinations"] == {f"bot{number}": number for number in range(13, 3, -1)}
    assert fields["other_destinations"] == 3


def test_each_summary_begins_where_the_one_before_ended() -> None:
    counters = Counters()
    figures = DeliveryFigures()
    summary = DeliverySummary(counters, figures, now_s=0.0)
    deliver(figures, BOT, 2000)
    counters.dead += 1
    assert summary.take(60.0) is not None
    deliver(figures, OPS, 1)
    fields = summary.take(75.5)
    assert fields is not None
    assert (fields["delivered"], fields["destinations"], fields["dead"]) == (1, {"ops": 1}, 0)
    assert (fields["duration_p99_ms"], fields["over_s"]) == (1, 15.5)


def test_where_nothing_was_delivered_there_is_no_line_and_what_failed_then_is_not_part_of_the_next() -> None:
    counters = Counters()
    figures = DeliveryFigures()
    summary = DeliverySummary(counters, figures, now_s=0.0)
    counters.failed_attempts += 1
    assert summary.take(60.0) is None
    deliver(figures, BOT, 1)
    fields = summary.take(120.0)
    assert fields is not None
    assert (fields["failed_attempts"], fields["over_s"]) == (0, 60.0)
