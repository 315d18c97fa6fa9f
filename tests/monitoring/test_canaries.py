"""When canaries are sent, when one is late or lost, and what is reported of it: with a clock that is a number."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from forwarder.core.delivery import Answered, Attempt, Delivery, DeliveryId, DestinationName, Trigger, new_delivery
from forwarder.core.destinations.destination import CanaryPolicy
from forwarder.core.dispatch.retry import Dead, Decision, Done, Expired, Postponed, RetryAt
from forwarder.core.event import Event, decode_event
from forwarder.core.monitoring.notices import Notice
from forwarder.monitoring import canaries
from forwarder.monitoring.canaries import Canaries

BOT, OTHER = DestinationName("bot"), DestinationName("other")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
POLICY = CanaryPolicy(every=timedelta(minutes=10), within=timedelta(minutes=1))


@dataclass
class Clock:
    """The seconds in which the loop ran."""

    now_s: float = 1000.0
    stands_still: bool = False

    def tick(self) -> bool:
        return not self.stands_still

    def __call__(self) -> float:
        return self.now_s


@dataclass
class Scene:
    """The canaries of some destinations, what they send, and what is reported of them."""

    clock: Clock
    canaries: Canaries
    posted: list[Delivery]
    notices: list[Notice]
    paused: set[DestinationName]

    def after(self, seconds: float) -> list[Delivery]:
        """Let time pass and look once; return the canaries that were sent then."""
        before = len(self.posted)
        self.clock.now_s += seconds
        self.canaries._look_unless_late()
        return self.posted[before:]

    def ends(self, delivery: Delivery, decision: Decision, *, status: int = 200) -> None:
        """Report an attempt of a canary."""
        made = Attempt(number=1, started_at=NOW, duration=timedelta(), outcome=Answered(status=status))
        self.canaries.note_attempt(delivery, made, decision)

    def levels(self) -> list[str]:
        """Return the levels of what was reported: `error` for a canary that was missed, `ok` for the first one in time after it."""
        assert {notice.kind for notice in self.notices} <= {"canary"}
        return [notice.level for notice in self.notices]

    def last(self) -> tuple[int, bool, str | None]:
        """Return how many were sent, whether the last is in flight, and why it is not delivered."""
        report = self.canaries.status(BOT)
        assert report is not None
        return report.sent, report.in_flight, report.reason

    def is_missed(self) -> bool:
        report = self.canaries.status(BOT)
        assert report is not None
        return report.missed


Begin = Callable[..., Scene]


@pytest.fixture
def begin(monkeypatch: pytest.MonkeyPatch) -> Begin:
    def begin(**policies: CanaryPolicy) -> Scene:
        clock = Clock()
        posted: list[Delivery] = []
        sent: list[Notice] = []
        paused: set[DestinationName] = set()
        monkeypatch.setattr(canaries, "RunningClock", lambda _every: clock)

        def post(event: Event, to: DestinationName) -> DeliveryId:
            sent = new_delivery(event, to, (), event_seq=len(posted) + 1, accepted_at=NOW, trigger=Trigger.CANARY)
            posted.append(sent)
            return sent.id

        made = Canaries(
            policies={DestinationName(name): policy for name, policy in policies.items()},
            is_paused=paused.__contains__,
            post=post,
            notify=sent.append,
            clock=lambda: NOW,
        )
        scene = Scene(clock, made, posted, sent, paused)
        scene.after(0)
        return scene

    return begin


@pytest.fixture
def scene(begin: Begin) -> Scene:
    return begin(bot=POLICY)


def sent(scene: Scene) -> Delivery:
    """Let the first canary be sent."""
    (first,) = scene.after(2)
    return first


def event_like(delivery: Delivery, source: str = "forwarder") -> Event:
    return decode_event(delivery.body.replace(b'"forwarder"', f'"{source}"'.encode()))


def test_the_first_is_sent_soon_after_the_start_and_the_next_after_the_interval(scene: Scene) -> None:
    assert scene.after(1.9) == []
    (first,) = scene.after(0.1)
    assert (first.destination, first.trigger) == (BOT, Trigger.CANARY)
    scene.ends(first, Done())
    assert scene.after(599.9) == []
    (second,) = scene.after(0.1)
    assert second.id != first.id


def test_a_person_can_have_the_next_one_sent_at_once(scene: Scene) -> None:
    assert scene.canaries.send_soon(BOT)
    (sent,) = scene.after(0)
    assert scene.canaries.send_soon(BOT)
    assert scene.after(1) == []  # one is in flight
    scene.ends(sent, Done())
    assert scene.canaries.send_soon(BOT)
    assert len(scene.after(1)) == 1
    assert not scene.canaries.send_soon(OTHER)


def test_there_is_one_in_flight_at_a_time(scene: Scene) -> None:
    first = sent(scene)
    assert scene.after(3600) == []
    scene.ends(first, Expired(reason="expired: 10 min old"))
    assert len(scene.after(0)) == 1


def test_one_that_arrives_in_time_is_measured_and_nobody_is_notified(scene: Scene) -> None:
    first = sent(scene)
    scene.clock.now_s += 0.5
    scene.ends(first, Done())
    report = scene.canaries.status(BOT)
    assert report is not None
    assert (report.every_s, report.last_ms, report.missed) == (600, 500, False)
    assert report.last_at is not None
    assert scene.notices == []


def test_one_that_is_late_is_reported_once_with_the_reason_of_its_last_attempt(scene: Scene) -> None:
    first = sent(scene)
    scene.ends(first, RetryAt(at=NOW, reason="HTTP 503"), status=503)
    assert scene.after(59.9) == []
    assert scene.notices == []
    with capture_logs() as lines:
        scene.after(0.1)
        scene.after(100)
    assert scene.levels() == ["error"]
    assert "HTTP 503" in scene.notices[0].text
    assert [(line["event"], line["reason"]) for line in lines] == [("canary.missed", "HTTP 503")]
    assert scene.is_missed()


def test_one_of_which_no_attempt_has_ended_is_reported_as_that(scene: Scene) -> None:
    sent(scene)
    scene.after(60)
    assert "no attempt has finished yet" in scene.notices[0].text


@pytest.mark.parametrize("decision", [Dead(reason="HTTP 400: no"), Expired(reason="expired: 10 min old")])
def test_one_that_is_given_up_is_reported_at_once(scene: Scene, decision: Dead | Expired) -> None:
    scene.ends(sent(scene), decision, status=400)
    assert scene.levels() == ["error"]
    assert decision.reason in scene.notices[0].text


def test_one_that_expired_before_its_attempt_is_given_up_as_well(scene: Scene) -> None:
    scene.canaries.note_too_old(sent(scene), "expired: 10 min old")
    assert scene.levels() == ["error"]


def test_the_next_one_in_time_ends_it_and_that_is_reported(scene: Scene) -> None:
    scene.ends(sent(scene), Dead(reason="HTTP 400"), status=400)
    (second,) = scene.after(600)
    scene.clock.now_s += 1
    scene.ends(second, Done())
    assert scene.levels() == ["error", "ok"]
    assert not scene.is_missed()
    (third,) = scene.after(600)
    scene.ends(third, Done())
    assert len(scene.notices) == 2


def test_of_several_that_are_missed_in_a_row_the_first_alone_is_reported(scene: Scene) -> None:
    scene.ends(sent(scene), Dead(reason="HTTP 400"), status=400)
    (second,) = scene.after(600)
    scene.ends(second, Dead(reason="HTTP 400"), status=400)
    assert scene.levels() == ["error"]


def test_after_one_that_arrived_late_another_is_sent_at_once_to_see_whether_it_works_again(scene: Scene) -> None:
    first = sent(scene)
    scene.after(60)
    scene.clock.now_s += 5
    scene.ends(first, Done())
    assert scene.is_missed()
    (hurried,) = scene.after(0)
    scene.clock.now_s += 61
    scene.ends(hurried, Done())  # late too: it is not sent out of turn again and again
    assert scene.after(0) == []
    (regular,) = scene.after(600)
    scene.ends(regular, Done())
    assert scene.levels() == ["error", "ok"]


def test_one_that_arrived_late_before_anybody_looked_is_missed_by_how_long_it_took(scene: Scene) -> None:
    first = sent(scene)
    scene.clock.now_s += 90
    scene.ends(first, Done())
    assert scene.levels() == ["error"]
    assert "it took 90 s" in scene.notices[0].text


def test_a_paused_destination_gets_none_and_none_of_its_is_late(scene: Scene) -> None:
    first = sent(scene)
    scene.paused.add(BOT)
    assert scene.after(3600) == []
    scene.paused.clear()
    scene.after(59)
    assert scene.notices == []
    scene.ends(first, Done())
    (second,) = scene.after(0)
    scene.paused.add(BOT)
    scene.ends(second, Postponed(at=None, reason="no network"))
    assert scene.after(3600) == []


def test_while_the_process_is_suspended_nothing_is_late(scene: Scene) -> None:
    sent(scene)
    scene.clock.stands_still = True
    scene.after(3600)
    assert scene.notices == []
    scene.clock.stands_still = False
    scene.after(0)
    assert scene.levels() == ["error"]


def test_other_deliveries_say_nothing_of_a_canary(scene: Scene) -> None:
    first = sent(scene)
    for other in (
        new_delivery(event_like(first), BOT, (), event_seq=9, accepted_at=NOW),
        new_delivery(event_like(first, "x"), BOT, (), event_seq=9, accepted_at=NOW, trigger=Trigger.CANARY),
        new_delivery(event_like(first), OTHER, (), event_seq=9, accepted_at=NOW, trigger=Trigger.CANARY),
    ):
        scene.ends(other, Dead(reason="HTTP 400"))
    assert scene.notices == []
    scene.ends(first, Done())
    report = scene.canaries.status(BOT)
    assert report is not None
    assert report.last_ms == 0


def test_a_reload_begins_and_ends_the_canaries_of_destinations(begin: Begin) -> None:
    scene = begin(bot=POLICY)
    sent(scene)
    scene.canaries.follow({OTHER: POLICY})
    scene.after(0)
    assert scene.canaries.status(BOT) is None
    (first,) = scene.after(2)
    assert first.destination == OTHER


def test_a_changed_interval_counts_from_the_last_canary(scene: Scene) -> None:
    scene.ends(sent(scene), Done())
    scene.canaries.follow({BOT: CanaryPolicy(every=timedelta(minutes=2), within=timedelta(minutes=1))})
    assert scene.after(119) == []
    assert len(scene.after(1)) == 1
    report = scene.canaries.status(BOT)
    assert report is not None
    assert report.every_s == 120


def test_each_destination_has_its_own_schedule(begin: Begin) -> None:
    scene = begin(bot=POLICY, other=CanaryPolicy(every=timedelta(minutes=1), within=timedelta(seconds=10)))
    one, two = scene.after(2)
    assert {one.destination, two.destination} == {BOT, OTHER}
    scene.ends(one, Done())
    scene.ends(two, Done())
    assert [each.destination for each in scene.after(60)] == [OTHER]


def test_the_report_says_why_the_last_canary_is_not_delivered(begin: Begin) -> None:
    scene = begin(bot=POLICY)
    scene.after(0)
    assert scene.last() == (0, False, None)
    (canary,) = scene.after(2)
    assert scene.last() == (1, True, None)
    scene.ends(canary, RetryAt(at=NOW, reason="HTTP 503"), status=503)
    assert scene.last() == (1, True, "HTTP 503")
    scene.ends(canary, Dead(reason="HTTP 404: gone"), status=404)
    assert scene.last() == (1, False, "HTTP 404: gone")
    (canary,) = scene.after(600)
    assert scene.last() == (2, True, None)
    scene.ends(canary, Done())
    assert scene.last() == (2, False, None)
