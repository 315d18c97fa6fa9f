"""What is counted of each destination: since the start, in the last five minutes, and in the last minute."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from forwarder.core.delivery import DestinationName
from forwarder.core.monitoring.delivery_figures import RECENT, SLOT, DeliveryFigures, DestinationFigures
from forwarder.core.monitoring.status import RecentReport

NOW = datetime(2026, 1, 1, tzinfo=UTC)
BOT, OPS = DestinationName("bot"), DestinationName("ops")
MS = timedelta(milliseconds=1)


def deliver(
    figures: DeliveryFigures, *, took_ms: float = 10, latency_ms: float | None = 20, at: datetime = NOW
) -> None:
    latency = None if latency_ms is None else latency_ms * MS
    figures.note_delivered(BOT, took_ms * MS, latency, at)


def fail(figures: DeliveryFigures, *, at: datetime = NOW, is_postponed: bool = False) -> None:
    figures.note_failed(BOT, 5000 * MS, at, is_postponed=is_postponed)


def recent(figures: DeliveryFigures, at: datetime = NOW) -> RecentReport:
    return figures.by_name[BOT].recent(at)


def test_the_recent_figures_have_rate_and_quantiles_of_attempts_and_of_deliveries() -> None:
    figures = DeliveryFigures()
    for _ in range(98):
        deliver(figures)
    deliver(figures, took_ms=200, latency_ms=1000)
    fail(figures)
    assert recent(figures) == RecentReport(
        delivered=99,
        failed_attempts=1,
        success_rate=0.99,
        latency_p50_ms=20,
        latency_p99_ms=1000,
        attempt_p50_ms=10,
        attempt_p99_ms=200,
    )


def test_where_nothing_happened_nothing_is_claimed() -> None:
    assert DestinationFigures().recent(NOW) == RecentReport()
    assert RecentReport().success_rate is None


def test_what_the_network_here_ended_says_nothing_about_the_receiver() -> None:
    figures = DeliveryFigures()
    fail(figures, is_postponed=True)
    assert recent(figures) == RecentReport()
    assert figures.by_name[BOT].postponed == 1


def test_what_was_meant_to_come_late_is_delivered_but_no_latency() -> None:
    figures = DeliveryFigures()
    deliver(figures, latency_ms=None)
    assert recent(figures).delivered == 1
    assert recent(figures).latency_p50_ms is None


def test_after_five_minutes_an_attempt_is_no_longer_recent_but_still_part_of_the_total() -> None:
    figures = DeliveryFigures()
    deliver(figures)
    assert recent(figures, NOW + RECENT).delivered == 1
    assert recent(figures, NOW + RECENT + SLOT).delivered == 0
    deliver(figures, at=NOW + RECENT + SLOT)
    assert recent(figures, NOW + RECENT + SLOT).delivered == 1
    assert figures.by_name[BOT].total().delivered == 2
    assert figures.by_name[BOT].total().latencies.count == 2


@given(st.lists(st.tuples(st.floats(0, 60), st.booleans()), max_size=60), st.floats(0, 400))
def test_whenever_attempts_come_the_recent_ones_are_those_of_five_minutes_to_within_a_slot(
    steps: list[tuple[float, bool]], then_s: float
) -> None:
    figures, now, at = DeliveryFigures(), NOW, list[datetime]()
    for step_s, is_delivered in steps:
        now += timedelta(seconds=step_s)
        at.append(now)
        if is_delivered:
            deliver(figures, at=now)
        else:
            fail(figures, at=now)
    now += timedelta(seconds=then_s)
    found = figures.by_name.get(BOT, DestinationFigures())
    report = found.recent(now)
    certain = sum(now - each < RECENT for each in at)
    possible = sum(now - each < RECENT + SLOT for each in at)
    assert certain <= report.delivered + report.failed_attempts <= possible
    total = found.total()
    assert (total.delivered, total.failed) == (sum(ok for _, ok in steps), sum(not ok for _, ok in steps))
    assert total.attempts.count == len(steps)


def test_however_many_attempts_there_are_what_is_kept_is_bounded() -> None:
    figures = DeliveryFigures()
    for number in range(3000):
        deliver(figures, took_ms=1 + number % 900, at=NOW + number * timedelta(seconds=1))
    assert len(figures.by_name[BOT]._slots) <= RECENT / SLOT + 1
    assert figures.by_name[BOT].total().delivered == 3000


def test_what_was_given_up_is_counted_by_how_it_ended() -> None:
    figures = DeliveryFigures()
    figures.note_end(BOT, is_dead=True)
    figures.note_end(BOT, is_dead=True)
    figures.note_end(BOT, is_dead=False)
    assert (figures.by_name[BOT].dead, figures.by_name[BOT].expired) == (2, 1)


def test_a_destination_that_has_left_the_config_is_forgotten() -> None:
    figures = DeliveryFigures()
    deliver(figures)
    figures.note_end(OPS, is_dead=True)
    figures.follow(frozenset({BOT}))
    assert list(figures.by_name) == [BOT]


def test_each_minute_has_what_was_delivered_since_the_one_before() -> None:
    figures = DeliveryFigures()
    deliver(figures, took_ms=8)
    minute = figures.take_minute()
    assert minute.by_destination == {BOT: 1}
    assert (minute.durations.count, minute.durations.longest_s) == (1, 0.008)
    fail(figures)
    assert not figures.take_minute().by_destination
