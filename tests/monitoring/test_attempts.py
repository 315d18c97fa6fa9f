"""Each attempt is counted and logged, and whoever watches over its destination is notified."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
import structlog
from structlog.testing import CapturingLogger

from forwarder.core.delivery import Answered, Attempt, Delivery, DeliveryId, DestinationName, Trigger, new_delivery
from forwarder.core.destinations.destination import CanaryPolicy, Destination, FailureRecipients
from forwarder.core.dispatch.destination_state import Pause, PausedBy
from forwarder.core.dispatch.lane_events import ExpiredUnsent, PausedItself
from forwarder.core.dispatch.retry import Dead, Decision, Done, Expired, Postponed, RetryAt
from forwarder.core.event import Event
from forwarder.core.monitoring import notices
from forwarder.core.monitoring.counters import Counters
from forwarder.core.monitoring.live import PassingAttempt
from forwarder.logs.level import LEVEL
from forwarder.monitoring import attempts
from forwarder.monitoring.attempts import AttemptReporter
from forwarder.monitoring.canaries import Canaries
from forwarder.monitoring.destinations import DestinationMonitor
from forwarder.monitoring.live_feed import Listeners, LiveFeed
from tests.support.lanes import BOT, destination, event
from tests.support.routing import OneClock

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TARGET: Destination = destination("http://127.0.0.1:9/")


@dataclass
class Scene:
    """A reporter with what it notifies."""

    counters: Counters
    monitor: DestinationMonitor
    canaries: Canaries
    reporter: AttemptReporter
    posted: list[Delivery]
    heard: list[Decision]

    def finish(self, delivery: Delivery, decision: Decision, *, status: int = 500) -> None:
        attempt = Attempt(number=1, started_at=NOW, duration=timedelta(), outcome=Answered(status=status))
        self.reporter.attempt_finished(TARGET, delivery, attempt, decision, NOW)

    def counts(self) -> dict[str, int]:
        """Return the counts that are not zero."""
        names = ("delivered", "failed_attempts", "postponed", "dead", "expired", "missed_canaries")
        return {name: count for name in names if (count := getattr(self.counters, name))}


@pytest.fixture
def scene() -> Scene:
    counters, posted, heard = Counters(), list[Delivery](), list[Decision]()

    def post(sent: Event, to: DestinationName) -> DeliveryId:
        posted.append(new_delivery(sent, to, (), event_seq=1, accepted_at=NOW, trigger=Trigger.CANARY))
        return posted[-1].id

    monitor = DestinationMonitor(
        {},
        keep=lambda _name, _state: None,
        post=lambda _event, _to, _made_by: None,
        recipients=FailureRecipients(),
        clock=lambda: NOW,
    )
    canaries = Canaries(
        policies={BOT: CanaryPolicy(every=timedelta(hours=1), within=timedelta(minutes=1))},
        is_paused=monitor.is_paused,
        post=post,
        notify=lambda _notice: None,
        clock=lambda: NOW,
    )
    reporter = AttemptReporter(
        counters,
        watch=monitor,
        canaries=canaries,
        live=live_feed(heard),
    )
    return Scene(counters, monitor, canaries, reporter, posted, heard)


def live_feed(heard: list[Decision]) -> LiveFeed:
    """Return a feed with a listener that keeps the decisions."""
    return LiveFeed(
        OneClock(lambda: NOW), Listeners(on_attempt=lambda _delivery, _attempt, decision: heard.append(decision))
    )


def delivery(trigger: Trigger = Trigger.FIRST) -> Delivery:
    return new_delivery(event(1), BOT, ("r",), event_seq=1, accepted_at=NOW, trigger=trigger)


def notice() -> Delivery:
    own = notices.as_event(notices.RECOVERED.about(BOT, time=timedelta(minutes=5)), now=NOW, number=1)
    return new_delivery(own, BOT, ("failure notice",), event_seq=1, accepted_at=NOW)


def made(*, number: int = 1, note: str = "", took: timedelta = timedelta()) -> Attempt:
    return Attempt(number=number, started_at=NOW, duration=took, outcome=Answered(status=200, note=note))


RETRY = RetryAt(at=NOW, reason="HTTP 503")
DEAD, EXPIRED = Dead(reason="HTTP 400"), Expired(reason="expired: 1 h old")


@pytest.mark.parametrize(
    ("decision", "counts", "level"),
    [
        (Done(), {"delivered": 1}, "debug"),
        (RETRY, {"failed_attempts": 1}, "info"),
        (Postponed(at=None, reason="no network"), {"postponed": 1}, "info"),
        (DEAD, {"failed_attempts": 1, "dead": 1}, "warning"),
        (EXPIRED, {"failed_attempts": 1, "expired": 1}, "warning"),
    ],
    ids=["delivered", "retry", "postponed", "dead", "expired"],
)
def test_each_decision_is_counted_logged_and_handed_on(
    scene: Scene, lines: Callable[[int], CapturingLogger], decision: Decision, counts: dict[str, int], level: str
) -> None:
    kept = lines(DEBUG)
    scene.reporter = AttemptReporter(
        scene.counters,
        watch=scene.monitor,
        canaries=scene.canaries,
        live=live_feed(scene.heard),
    )
    scene.finish(delivery(), decision)
    assert scene.counts() == counts
    assert scene.heard == [decision]
    (line,) = kept.calls
    assert (line.method_name, line.kwargs["destination"]) == (level, BOT)


@pytest.mark.parametrize("decision", [DEAD, EXPIRED])
def test_a_canary_that_is_given_up_is_neither_dead_nor_expired(scene: Scene, decision: Decision) -> None:
    scene.finish(delivery(Trigger.CANARY), decision)
    assert scene.counts() == {"failed_attempts": 1, "missed_canaries": 1}


def test_the_last_failure_is_known_until_the_destination_recovers(scene: Scene) -> None:
    scene.finish(delivery(), Done(), status=200)
    assert scene.monitor.failures.get(BOT) is None
    scene.finish(delivery(), RETRY, status=503)
    assert scene.monitor.failures.get(BOT) == "HTTP 503"


def test_a_canary_that_arrives_is_noted_as_one(scene: Scene) -> None:
    scene.canaries._look(0.0)
    scene.canaries._look(10.0)
    (canary,) = scene.posted
    scene.finish(canary, Done(), status=200)
    report = scene.canaries.status(BOT)
    assert report is not None
    assert report.last_at is not None


def test_what_expires_before_its_attempt_is_counted_without_a_failed_attempt(scene: Scene) -> None:
    scene.reporter.state_changed(TARGET, ExpiredUnsent(delivery=delivery(), reason=EXPIRED.reason))
    assert scene.counts() == {"expired": 1}
    scene.reporter.state_changed(TARGET, ExpiredUnsent(delivery=delivery(Trigger.CANARY), reason=EXPIRED.reason))
    assert scene.counts() == {"expired": 1, "missed_canaries": 1}


def test_a_canary_that_expires_before_its_attempt_is_missed(scene: Scene) -> None:
    scene.canaries._look(0.0)
    scene.canaries._look(10.0)
    (canary,) = scene.posted
    scene.reporter.state_changed(TARGET, ExpiredUnsent(delivery=canary, reason=EXPIRED.reason))
    report = scene.canaries.status(BOT)
    assert report is not None
    assert report.missed


def test_a_change_of_a_destinations_state_is_known_to_its_monitor(scene: Scene) -> None:
    pause = Pause(since=NOW, by=PausedBy.RECEIVER, why="HTTP 410")
    scene.reporter.state_changed(TARGET, PausedItself(pause=pause))
    assert scene.monitor.is_paused(BOT)
    assert scene.counts() == {}


def test_nobody_has_to_listen(scene: Scene) -> None:
    reporter = reporter_of(scene)
    reporter.attempt_finished(TARGET, delivery(), made(), Done(), NOW)
    assert scene.counts() == {"delivered": 1}


# What is logged of what was delivered

DEBUG, INFO = logging.DEBUG, logging.INFO


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], CapturingLogger]:
    """Have the lines of reporters that are made from now on kept, from a level on."""

    def keep(level: int) -> CapturingLogger:
        kept = CapturingLogger()
        wrapper = structlog.make_filtering_bound_logger(level)
        fields = lambda _logger, _method, fields: ((fields.pop("event"),), fields)  # noqa: E731 - one short expression
        monkeypatch.setattr(attempts, "log", structlog.wrap_logger(kept, processors=[fields], wrapper_class=wrapper))
        monkeypatch.setattr(LEVEL, "is_debug", level <= DEBUG)
        return kept

    return keep


def reporter_of(scene: Scene, now_s: Callable[[], float] = lambda: 0.0) -> AttemptReporter:
    return AttemptReporter(
        scene.counters, watch=scene.monitor, canaries=scene.canaries, live=LiveFeed(OneClock(lambda: NOW)), now_s=now_s
    )


@pytest.mark.parametrize("trigger", [Trigger.FIRST, Trigger.REPLAY, Trigger.RECOVERED, Trigger.CANARY])
def test_above_debug_no_line_is_made_of_a_delivery_that_nothing_happened_to(
    scene: Scene,
    lines: Callable[[int], CapturingLogger],
    monkeypatch: pytest.MonkeyPatch,
    trigger: Trigger,
) -> None:
    kept = lines(INFO)
    reporter = reporter_of(scene)
    monkeypatch.delattr(attempts, "describe")
    reporter.attempt_finished(TARGET, delivery(trigger), made(), Done(), NOW)
    assert kept.calls == []
    assert scene.counts() == {"delivered": 1}


@pytest.mark.parametrize(
    ("sent", "attempt"),
    [
        (delivery(), made(number=2)),
        (delivery(Trigger.CANARY), made(number=2)),
        (delivery(Trigger.MANUAL), made()),
        (delivery(Trigger.RESEND), made()),
        (notice(), made()),
        (delivery(), made(note="sent again without pictures")),
    ],
    ids=["after a failure", "canary after a failure", "dead letter", "resend", "notice", "unusual"],
)
def test_what_the_log_has_spoken_of_before_and_what_was_unusual_is_logged_at_info_when_it_is_delivered(
    scene: Scene, lines: Callable[[int], CapturingLogger], sent: Delivery, attempt: Attempt
) -> None:
    kept = lines(INFO)
    reporter_of(scene).attempt_finished(TARGET, sent, attempt, Done(), NOW)
    (line,) = kept.calls
    assert (line.method_name, line.args) == ("info", ("delivery.delivered",))
    assert (line.kwargs["delivery_id"], line.kwargs["attempt"]) == (sent.id, attempt.number)


def test_at_debug_every_delivery_has_its_line(scene: Scene, lines: Callable[[int], CapturingLogger]) -> None:
    kept = lines(DEBUG)
    reporter_of(scene).attempt_finished(TARGET, delivery(), made(), Done(), NOW)
    (line,) = kept.calls
    assert (line.method_name, line.args) == ("debug", ("delivery.delivered",))
    assert line.kwargs["event_id"] == delivery().event_id


async def test_each_minute_in_which_something_was_delivered_has_a_line_and_so_has_the_rest_at_the_end(
    scene: Scene, lines: Callable[[int], CapturingLogger], monkeypatch: pytest.MonkeyPatch
) -> None:
    minutes = asyncio.Queue[float]()
    now_s = 0.0

    async def driven(every: timedelta, look: Callable[[], None]) -> None:
        nonlocal now_s
        while True:
            assert every == timedelta(minutes=1)
            now_s += await minutes.get()
            look()
            minutes.task_done()

    monkeypatch.setattr(attempts, "periodic", driven)
    kept = lines(INFO)
    reporter = reporter_of(scene, lambda: now_s)
    running = asyncio.create_task(reporter.run())

    async def pass_minute() -> None:
        minutes.put_nowait(60.0)
        await minutes.join()

    reporter.attempt_finished(TARGET, delivery(), made(took=timedelta(milliseconds=8)), Done(), NOW)
    reporter.attempt_finished(TARGET, delivery(), made(took=timedelta(milliseconds=8)), Done(), NOW)
    await pass_minute()
    await pass_minute()  # in which nothing is delivered
    reporter.attempt_finished(TARGET, delivery(), made(), Done(), NOW)
    now_s += 5
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert {line.args for line in kept.calls} == {("delivery.summary",)}
    assert {line.method_name for line in kept.calls} == {"info"}
    seen = [(line.kwargs["delivered"], line.kwargs["destinations"], line.kwargs["over_s"]) for line in kept.calls]
    assert seen == [(2, {BOT: 2}, 60.0), (1, {BOT: 1}, 5.0)]
    assert kept.calls[0].kwargs["duration_p99_ms"] == 8


def test_what_passes_is_handed_to_who_watches_and_to_nobody_else(scene: Scene) -> None:
    live = LiveFeed(OneClock(lambda: NOW))
    scene.reporter = AttemptReporter(scene.counters, watch=scene.monitor, canaries=scene.canaries, live=live)
    unwatched = delivery()
    scene.finish(unwatched, Done())
    with live.subscribe(most=10) as subscription:
        scene.finish(delivery(), RETRY)
        scene.reporter.state_changed(TARGET, ExpiredUnsent(delivery=delivery(), reason="1 h old"))
    subscription.end()
    passed = asyncio.run(subscription.take())
    assert [each.outcome for each in passed if isinstance(each, PassingAttempt)] == ["retry", "expired"]


# What is counted of each destination


@pytest.mark.parametrize(
    ("sent", "has_latency"),
    [
        (delivery(), True),
        (notice(), True),
        *((delivery(trigger), False) for trigger in Trigger if trigger not in {Trigger.FIRST, Trigger.RETRY}),
        (msgspec.structs.replace(delivery(), waits_until=NOW), False),
    ],
)
def test_only_what_was_meant_to_be_sent_at_once_has_a_latency(scene: Scene, sent: Delivery, has_latency: bool) -> None:
    now = NOW + timedelta(seconds=2)
    reporter = reporter_of(scene)
    reporter.attempt_finished(TARGET, sent, made(took=timedelta(milliseconds=5)), Done(), now)
    total = reporter.figures.by_name[BOT].total()
    assert (total.delivered, total.attempts.sum_s) == (1, 0.005)
    assert (total.latencies.count, total.latencies.sum_s) == ((1, 2.0) if has_latency else (0, 0.0))


def test_failures_and_ends_are_counted_at_their_destination(scene: Scene) -> None:
    for decision in (RETRY, DEAD, EXPIRED, Postponed(at=None, reason="no network")):
        scene.finish(delivery(), decision)
    scene.reporter.state_changed(TARGET, ExpiredUnsent(delivery=delivery(), reason=EXPIRED.reason))
    figures = scene.reporter.figures.by_name[BOT]
    assert (figures.failed, figures.postponed, figures.dead, figures.expired) == (3, 1, 1, 2)


def test_what_has_left_the_config_is_forgotten(scene: Scene) -> None:
    scene.finish(delivery(), RETRY)
    scene.counters.matches["old"] += 1
    scene.reporter.follow(frozenset({"new"}), frozenset())
    assert scene.reporter.figures.by_name == {}
    assert scene.counters.matches == {}
