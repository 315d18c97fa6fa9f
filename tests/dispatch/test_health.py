"""When a destination pauses itself: after a long stretch of failures, and for nothing less."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from forwarder.core.delivery import Answered, Attempt, Delivery, Fault, Outcome, Unanswered, new_delivery
from forwarder.core.dispatch.destination_state import DestinationState, Pause, PausedBy
from forwarder.core.dispatch.lane_events import FailedForLonger, Failing, StretchEnded
from forwarder.core.dispatch.retry import NAMED_POLICIES, RetryPolicy, Rule, decide
from forwarder.dispatch.health import Health
from forwarder.dispatch.work_queue import tried
from tests.support.lanes import BOT, event

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)
REFUSED = Unanswered(fault=Fault.REFUSED, detail="connection refused")


class Scene:
    """The health of one destination, in a time of its own, over restarts."""

    def __init__(
        self, *, pause_after: timedelta | None = 5 * DAY, policy: RetryPolicy = NAMED_POLICIES["live"]
    ) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self.wall = timedelta()
        """What the wall clock is ahead."""
        self._policy = policy
        self._pause_after = pause_after
        self._state = DestinationState()
        self.start()

    def start(self) -> None:
        """Begin again with what was kept."""
        self.health = Health(self._state, pause_after=self._pause_after)

    @property
    def failing_since(self) -> datetime | None:
        """Since when it fails, as it is kept."""
        return self._state.failing_since

    def attempt(self, outcome: Outcome, *, took: timedelta = SECOND, attempts: int = 0) -> Pause | None:
        """Have an attempt come to that; return the pause that follows."""
        began, self.now = self.now, self.now + took
        delivery = _delivery(began, attempts)
        attempt = Attempt(number=attempts + 1, started_at=began + self.wall, duration=took, outcome=outcome)
        decision = decide(self._policy, delivery, outcome, now=self.now, chance=random.Random(0).random)  # noqa: S311 - seeded, so that it can be repeated
        change = self.health.note(attempt, decision, [], began=began, now=self.now, wall=self.now + self.wall)
        for each in change.events:
            if isinstance(each, FailedForLonger):
                self._state = DestinationState(stretch=each.stretch, failing_since=self._state.failing_since or began)
            elif isinstance(each, Failing):
                self._state = DestinationState(failing_since=began)
            elif isinstance(each, StretchEnded):
                self._state = replace(self._state, stretch=None)
        return change.pause

    def failures(self, outcome: Outcome, *, every: timedelta, lasting: timedelta) -> Iterator[Pause | None]:
        """Have attempts fail one after the other."""
        until = self.now + lasting
        while self.now < until:
            yield self.attempt(outcome)
            self.now += every - SECOND

    def first_pause(self, outcome: Outcome, *, every: timedelta, lasting: timedelta) -> Pause | None:
        """Return the first pause that follows from them."""
        return next(
            (pause for pause in self.failures(outcome, every=every, lasting=lasting) if pause is not None), None
        )


def _delivery(at: datetime, attempts: int) -> Delivery:
    return tried(new_delivery(event(1), BOT, ("r",), event_seq=1, accepted_at=at), attempts)


@pytest.mark.parametrize(
    "outcome", [Answered(status=503), Answered(status=500), Answered(status=501), Answered(status=302), REFUSED]
)
def test_failures_all_the_time_for_five_days_pause_it(outcome: Outcome) -> None:
    scene = Scene()
    began = scene.now
    pause = scene.first_pause(outcome, every=30 * SECOND, lasting=6 * DAY)
    assert pause is not None
    assert pause.by is PausedBy.FAILURES
    assert timedelta() <= scene.now - began - 5 * DAY < timedelta(minutes=1)
    assert "nothing but failures for 5 d" in pause.why
    assert outcome.reason in pause.why


def test_a_success_in_between_begins_it_again() -> None:
    scene = Scene()
    assert scene.first_pause(REFUSED, every=HOUR, lasting=4 * DAY) is None
    scene.attempt(Answered(status=200))
    assert scene.first_pause(REFUSED, every=HOUR, lasting=4 * DAY) is None


@pytest.mark.parametrize("status", [400, 405, 411, 413, 414, 415, 422])
def test_an_event_that_is_refused_is_no_failure_of_the_destination(status: int) -> None:
    scene = Scene()
    assert scene.first_pause(Answered(status=status), every=HOUR, lasting=20 * DAY) is None
    assert scene.attempt(Answered(status=503)) is None
    assert scene.first_pause(Answered(status=status), every=HOUR, lasting=20 * DAY) is None


def test_nor_is_what_the_config_says_is_dead_at_once() -> None:
    scene = Scene(policy=RetryPolicy(delays=(HOUR,), statuses={"404": Rule.DEAD}))
    assert scene.first_pause(Answered(status=404), every=HOUR, lasting=20 * DAY) is None


@pytest.mark.parametrize("status", [401, 403, 404, 408])
def test_a_destination_that_lets_nobody_in_is_paused(status: int) -> None:
    """Also the last try of three, after which the delivery is dead."""
    scene = Scene()
    assert scene.first_pause(Answered(status=status), every=HOUR, lasting=6 * DAY) is not None


@pytest.mark.parametrize(
    "outcome",
    [
        Unanswered(fault=Fault.NETWORK, detail="no network here", is_local_fault=True),
        Unanswered(fault=Fault.DNS, detail="no name server", is_local_fault=True),
        Unanswered(fault=Fault.FORMAT, detail="cannot be formatted"),
        Unanswered(fault=Fault.BLOCKED, detail="may not be connected to"),
        Answered(status=429),
    ],
)
def test_what_is_no_fault_of_the_receiver_never_counts(outcome: Outcome) -> None:
    scene = Scene()
    scene.attempt(REFUSED)
    assert scene.first_pause(outcome, every=HOUR, lasting=20 * DAY) is None
    assert scene.attempt(REFUSED) is None


LIVES = [Answered(status=400), Answered(status=422), Answered(status=429), Answered(status=404, is_final=True)]
"""Answers that deliver nothing, and show that the receiver lives."""


@pytest.mark.parametrize("failure", [Answered(status=503), Answered(status=404), REFUSED])
@pytest.mark.parametrize("sign", LIVES)
def test_single_failures_among_answers_that_show_it_lives_are_no_stretch(failure: Outcome, sign: Outcome) -> None:
    scene = Scene()
    for _ in range(40):
        assert scene.attempt(failure) is None
        assert scene.first_pause(sign, every=HOUR, lasting=12 * HOUR) is None


@pytest.mark.parametrize("sign", LIVES)
def test_and_such_an_answer_begins_it_again(sign: Outcome) -> None:
    scene = Scene()
    assert scene.first_pause(REFUSED, every=HOUR, lasting=4 * DAY) is None
    scene.attempt(sign)
    began = scene.now
    assert scene.first_pause(REFUSED, every=HOUR, lasting=6 * DAY) is not None
    assert timedelta() <= scene.now - began - 5 * DAY < 2 * HOUR


@pytest.mark.parametrize("is_before", [True, False])
@pytest.mark.parametrize("sign", LIVES)
def test_also_over_a_restart(sign: Outcome, is_before: bool) -> None:
    scene = Scene()
    assert scene.first_pause(REFUSED, every=HOUR, lasting=4 * DAY) is None
    if is_before:
        scene.attempt(sign)
    scene.start()
    if not is_before:
        scene.attempt(sign)
    assert scene.first_pause(REFUSED, every=HOUR, lasting=4 * DAY) is None


@pytest.mark.parametrize(
    "outcome",
    [
        Unanswered(fault=Fault.NETWORK, detail="no network here", is_local_fault=True),
        Unanswered(fault=Fault.FORMAT, detail="cannot be formatted"),
        Unanswered(fault=Fault.BLOCKED, detail="may not be connected to"),
    ],
)
def test_what_never_reached_it_shows_no_life(outcome: Outcome) -> None:
    scene = Scene()
    pauses = []
    for _ in range(11):
        pauses.append(scene.first_pause(REFUSED, every=HOUR, lasting=12 * HOUR))
        scene.attempt(outcome)
    assert [pause is not None for pause in pauses] == [False] * 10 + [True]


def test_answers_that_show_it_lives_deliver_nothing_so_it_fails_since_the_first_failure() -> None:
    scene = Scene()
    began = scene.now
    for _ in range(3):
        scene.attempt(REFUSED)
        scene.attempt(Answered(status=400))
    assert scene.failing_since == began


@pytest.mark.parametrize(("name", "status"), [("429", 429), ("4xx", 400), ("4xx", 429)])
def test_a_status_that_the_config_has_pause_it_does(name: str, status: int) -> None:
    pause = Scene(policy=RetryPolicy(delays=(HOUR,), statuses={name: Rule.PAUSE})).attempt(Answered(status=status))
    assert pause is not None
    assert pause.by is PausedBy.RECEIVER


@pytest.mark.parametrize("quiet", [2 * DAY, 6 * DAY, 400 * DAY])
def test_a_time_in_which_nothing_was_sent_is_no_time_of_failures(quiet: timedelta) -> None:
    scene = Scene()
    for _ in range(30):
        assert scene.first_pause(REFUSED, every=30 * SECOND, lasting=HOUR) is None
        scene.now += quiet


@pytest.mark.parametrize("down", [2 * DAY, 6 * DAY, 400 * DAY])
def test_a_stop_in_the_middle_of_failures_and_a_start_days_later_is_none(down: timedelta) -> None:
    scene = Scene()
    assert scene.first_pause(REFUSED, every=30 * SECOND, lasting=4 * DAY) is None
    scene.now += down
    scene.start()
    assert scene.first_pause(REFUSED, every=30 * SECOND, lasting=4 * DAY) is None


def test_but_a_restart_each_day_does_not_begin_it_again() -> None:
    scene = Scene()
    pauses = []
    for _ in range(6):
        pauses.append(scene.first_pause(REFUSED, every=timedelta(minutes=5), lasting=DAY))
        scene.start()
    assert [pause is not None for pause in pauses] == [False] * 5 + [True]


def test_a_clock_that_is_set_changes_nothing() -> None:
    scene = Scene()
    assert scene.attempt(REFUSED) is None
    for days in (6, -6, 3650):
        scene.wall += days * DAY
        assert scene.first_pause(REFUSED, every=HOUR, lasting=HOUR * 4) is None


def test_a_few_failures_over_days_are_too_few() -> None:
    scene = Scene()
    assert scene.first_pause(Answered(status=503), every=29 * HOUR, lasting=6 * DAY) is None


def test_attempts_that_hang_for_longer_than_a_hole_may_be_are_no_hole() -> None:
    scene = Scene(pause_after=timedelta(minutes=1))
    pauses = [scene.attempt(Unanswered(fault=Fault.TIMEOUT, detail="no answer"), took=60 * SECOND) for _ in range(10)]
    assert [pause is not None for pause in pauses] == [False] * 9 + [True]


def test_the_time_a_receiver_asks_us_to_wait_is_no_hole() -> None:
    scene = Scene(pause_after=DAY)
    busy = Answered(status=503, retry_after=12 * HOUR)
    assert scene.first_pause(busy, every=12 * HOUR, lasting=6 * DAY) is not None


def test_never_means_never() -> None:
    scene = Scene(pause_after=None)
    assert scene.first_pause(REFUSED, every=HOUR, lasting=40 * DAY) is None


def test_after_a_resume_days_of_failures_are_forgotten() -> None:
    scene = Scene()
    assert scene.first_pause(REFUSED, every=HOUR, lasting=6 * DAY) is not None
    began = scene.failing_since
    scene.health.note_resumed()
    assert scene.first_pause(REFUSED, every=HOUR, lasting=4 * DAY) is None
    assert scene.failing_since == began  # only a success ends that it fails


def test_gone_pauses_it_at_once() -> None:
    pause = Scene().attempt(Answered(status=410))
    assert pause is not None
    assert pause.by is PausedBy.RECEIVER
