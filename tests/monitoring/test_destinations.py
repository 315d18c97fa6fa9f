"""Who is notified of what, and when: the watch alone, with a clock of its own."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs

from forwarder.core.commands import PauseChange
from forwarder.core.delivery import DestinationName, new_delivery
from forwarder.core.destinations.destination import Destination, FailureRecipients, OnFailure
from forwarder.core.dispatch.destination_state import DestinationState, FailureStretch, Pause, PausedBy
from forwarder.core.dispatch.lane_events import (
    BreakerClosed,
    BreakerOpened,
    ExpiredUnsent,
    FailedForLonger,
    Failing,
    PausedItself,
    Recovered,
    StretchEnded,
)
from forwarder.core.dispatch.retry import NAMED_POLICIES, Dead, OnExpiry
from forwarder.core.event import Event
from forwarder.core.monitoring.notices import CANARY_BACK, CANARY_MISSED
from forwarder.monitoring.destinations import DestinationMonitor
from tests.support.lanes import destination, event
from tests.support.outbox import attempt

BOT: Destination = destination(
    "http://127.0.0.1:9000/hook", retry=replace(NAMED_POLICIES["live"], on_expiry=OnExpiry.DIGEST)
)


ALERTS, PAGER = (OnFailure(to=DestinationName(name), after=timedelta(seconds=5)) for name in ("alerts", "pager"))
PAUSE = Pause(since=datetime(2026, 1, 1, tzinfo=UTC), by=PausedBy.FAILURES, why="nothing but failures for 5 d")


class Scene:
    """A watch, the times it reads, and the titles of its notices."""

    def __init__(self, states: Mapping[DestinationName, DestinationState] | None = None) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self.wall = timedelta()
        """What the wall clock is ahead."""
        self.titles: list[str] = []
        self.sent_to: list[str] = []
        self.kept: list[DestinationState] = []
        self.watch = DestinationMonitor(
            states or {},
            keep=lambda _name, state: self.kept.append(state),
            post=self._post,
            recipients=self.recipients(),
            clock=lambda: self.now + self.wall,
            steady=lambda: self.now,
        )

    @staticmethod
    def recipients(*others: OnFailure, own: OnFailure | None = ALERTS) -> FailureRecipients:
        """Return whom the config names, by the only destination that fails here and elsewhere."""
        named = {} if own is None else {BOT.name: own}
        return FailureRecipients(of_destination=named, all=others or (ALERTS,))

    def _post(self, notice: Event, to: DestinationName, _made_by: str) -> None:
        assert isinstance(notice.payload, dict)
        self.titles.append(str(notice.payload["title"]))
        self.sent_to.append(to)

    def pass_(self, seconds: int) -> Iterator[int]:
        """Let the time pass, a look each second, after what the caller does in it."""
        for second in range(seconds):
            yield second
            self.now += timedelta(seconds=1)
            self.watch.look()


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_a_destination_that_is_paused_is_reported_as_that_and_not_as_failing_too(scene: Scene) -> None:
    scene.watch.state_changed(BOT, Failing(reason="HTTP 410"))
    scene.watch.state_changed(BOT, PausedItself(pause=Pause(since=scene.now, by=PausedBy.RECEIVER, why="HTTP 410")))
    for _ in scene.pass_(60):
        pass
    assert scene.titles == [f"{BOT.name} is paused"]


def test_a_pause_is_reported_to_all_recipients_where_the_destination_names_none(
    scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    scene.watch.follow(scene.recipients(ALERTS, PAGER, OnFailure(to=BOT.name, after=timedelta()), own=None))
    scene.watch.state_changed(BOT, PausedItself(pause=PAUSE))
    assert scene.titles == [f"{BOT.name} is paused"] * 2
    assert scene.sent_to == ["alerts", "pager"]
    said = capsys.readouterr().out
    assert "destination.paused" in said
    assert f"forwarder resume {BOT.name}" in said


def test_nor_to_one_that_is_paused_itself_where_there_is_another() -> None:
    scene = Scene({DestinationName("alerts"): DestinationState(pause=PAUSE)})
    scene.watch.follow(scene.recipients(ALERTS, PAGER))
    scene.watch.state_changed(BOT, PausedItself(pause=PAUSE))
    assert scene.sent_to == ["pager"]


def test_and_where_all_of_them_are_it_waits_for_them() -> None:
    scene = Scene({DestinationName("alerts"): DestinationState(pause=PAUSE)})
    scene.watch.state_changed(BOT, PausedItself(pause=PAUSE))
    assert scene.sent_to == ["alerts"]


def test_a_start_says_which_destinations_are_paused_without_a_persons_doing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    by_hand = Pause(since=PAUSE.since, by=PausedBy.PERSON)
    names = [BOT.name, DestinationName("other"), DestinationName("third")]
    scene = Scene({names[0]: DestinationState(pause=PAUSE), names[1]: DestinationState(pause=by_hand)})
    scene.watch.report_pauses(names)
    said = capsys.readouterr().out
    assert said.count("destination.paused") == 1
    assert PAUSE.why in said


@pytest.mark.parametrize("by", [timedelta(days=1), timedelta(days=-1)])
def test_a_clock_that_is_set_makes_no_failure_longer_or_shorter(scene: Scene, by: timedelta) -> None:
    scene.watch.state_changed(BOT, Failing(reason="HTTP 503"))
    scene.wall += by
    for second in scene.pass_(6):
        assert scene.titles == ([f"{BOT.name} is failing"] if second > 4 else [])
    assert len(scene.titles) == 1
    scene.watch.state_changed(BOT, Recovered())
    assert scene.titles[1:] == [f"{BOT.name} recovered"]


def test_a_resume_forgets_the_days_that_paused_it_and_not_since_when_it_fails(scene: Scene) -> None:
    began = scene.now
    stretch = FailureStretch(began=scene.now, last=scene.now, attempts=3)
    scene.watch.state_changed(BOT, Failing(reason="HTTP 503"))
    scene.watch.state_changed(BOT, FailedForLonger(stretch=stretch))
    scene.watch.state_changed(BOT, PausedItself(pause=PAUSE))
    assert scene.kept[-1].stretch == stretch
    scene.watch.note_change(PauseChange(verb="resume", destination=BOT.name, now_ms=0))
    assert scene.kept[-1] == DestinationState(failing_since=began)


def test_after_a_resume_a_failure_is_reported_only_after_its_time_and_with_its_whole_length(scene: Scene) -> None:
    scene.watch.state_changed(BOT, Failing(reason="HTTP 503"))
    scene.watch.note_change(PauseChange(verb="pause", destination=BOT.name, now_ms=1))
    for _ in scene.pass_(3600):
        pass
    scene.watch.note_change(PauseChange(verb="resume", destination=BOT.name, now_ms=2))
    for second in scene.pass_(6):
        assert scene.titles == ([f"{BOT.name} is failing"] if second > 4 else [])
    assert len(scene.titles) == 1


@pytest.mark.parametrize("is_by_itself", [False, True])
def test_the_time_of_an_outage_goes_on_over_a_pause(scene: Scene, is_by_itself: bool) -> None:
    with capture_logs() as lines:
        scene.watch.state_changed(BOT, Failing(reason="HTTP 500"))
        if is_by_itself:
            scene.watch.state_changed(BOT, PausedItself(pause=PAUSE))
        else:
            scene.watch.state_changed(BOT, BreakerOpened(reason="HTTP 500"))
            scene.watch.note_change(PauseChange(verb="pause", destination=BOT.name, now_ms=1))
        for _ in scene.pass_(100):
            pass
        scene.watch.note_change(PauseChange(verb="resume", destination=BOT.name, now_ms=2))
        for _ in scene.pass_(2):
            pass
        scene.watch.state_changed(BOT, Recovered())
        scene.watch.state_changed(BOT, BreakerClosed(after=None))
    assert [line["after_s"] for line in lines if line["event"] == BACK] == [102.0]


def test_a_pause_ends_by_itself_only_where_it_has_an_end_and_only_then(scene: Scene) -> None:
    now_ms = round(scene.now.timestamp() * 1000)
    ends = PauseChange(verb="pause", destination=BOT.name, now_ms=now_ms, until_ms=now_ms + 60_000)
    endless = PauseChange(verb="pause", destination="other", now_ms=now_ms)
    for asked in (ends, endless):
        assert not scene.watch.has_pause(asked)
        scene.watch.note_change(asked)
        assert scene.watch.has_pause(asked)
    assert not scene.watch.has_pause(PauseChange(verb="pause", destination=BOT.name, now_ms=now_ms))
    assert not scene.watch.has_pause(PauseChange(verb="resume", destination=BOT.name, now_ms=now_ms))
    assert scene.watch.has_pause(PauseChange(verb="resume", destination="third", now_ms=now_ms))
    scene.wall = timedelta(seconds=59)
    assert scene.watch.due_to_resume() == []
    scene.wall = timedelta(seconds=60)
    assert scene.watch.due_to_resume() == [BOT.name]


def test_another_end_of_a_pause_leaves_its_beginning(scene: Scene) -> None:
    now_ms = round(scene.now.timestamp() * 1000)
    began = scene.now
    scene.watch.note_change(PauseChange(verb="pause", destination=BOT.name, now_ms=now_ms))
    scene.wall = timedelta(hours=1)
    scene.watch.note_change(PauseChange(verb="pause", destination=BOT.name, now_ms=now_ms, until_ms=now_ms + 7_200_000))
    assert scene.kept[-1].pause == Pause(since=began, by=PausedBy.PERSON, until=began + timedelta(hours=2))


def test_the_end_of_a_stretch_is_kept_at_once_where_the_stretch_was(scene: Scene) -> None:
    """It is failing all the same: nothing was delivered."""
    stretch = FailureStretch(began=scene.now, last=scene.now, attempts=3)
    scene.watch.state_changed(BOT, Failing(reason="HTTP 503"))
    began = scene.now
    scene.watch.state_changed(BOT, FailedForLonger(stretch=stretch))
    scene.watch.state_changed(BOT, StretchEnded())
    assert not scene.kept
    scene.watch.state_changed(BOT, FailedForLonger(stretch=stretch))
    for _ in scene.pass_(31):
        pass
    assert scene.kept[-1].stretch == stretch
    scene.watch.state_changed(BOT, StretchEnded())
    assert replace(scene.kept[-1], reported_at=None) == DestinationState(failing_since=began)
    assert scene.titles == [f"{BOT.name} is failing"]
    scene.watch.state_changed(BOT, Recovered())
    assert scene.titles[1:] == [f"{BOT.name} recovered"]


def test_a_digest_comes_although_there_is_no_end_of_what_expires(scene: Scene) -> None:
    for second in scene.pass_(1500):
        late = new_delivery(event(second), BOT.name, ("r",), event_seq=second, accepted_at=scene.now, order_key=None)
        scene.watch.state_changed(BOT, ExpiredUnsent(delivery=late, reason="expired: 1 h old"))
    assert scene.titles == ["600 events expired"] * 2


BACK = "destination.back"


def test_a_probe_after_an_edit_of_a_destination_that_was_never_down_is_no_news(scene: Scene) -> None:
    with capture_logs() as lines:
        scene.watch.state_changed(BOT, BreakerClosed(after=None))
        scene.watch.state_changed(BOT, Failing(reason="HTTP 500"))  # one failure is no outage
        scene.watch.state_changed(BOT, Recovered())
        scene.watch.state_changed(BOT, BreakerClosed(after=None))
    assert (lines, scene.titles) == ([], [])


def test_the_time_of_an_outage_counts_from_its_first_failure_also_over_an_edit(scene: Scene) -> None:
    with capture_logs() as lines:
        scene.watch.state_changed(BOT, Failing(reason="HTTP 500"))
        for _ in scene.pass_(3):
            pass
        scene.watch.state_changed(BOT, BreakerOpened(reason="HTTP 500"))
        for _ in scene.pass_(100):
            pass
        scene.watch.state_changed(BOT, BreakerOpened(reason="HTTP 500"))  # the new lane after an edit
        for _ in scene.pass_(20):
            pass
        scene.watch.state_changed(BOT, Recovered())
        scene.watch.state_changed(BOT, BreakerClosed(after=timedelta(seconds=20)))
        scene.watch.state_changed(BOT, BreakerClosed(after=None))  # and a later edit
    assert [(line["after_s"], line["log_level"]) for line in lines if line["event"] == BACK] == [(123.0, "warning")]


def test_an_outage_of_before_a_restart_ends_with_its_whole_time() -> None:
    began = datetime(2025, 12, 31, 23, tzinfo=UTC)
    scene = Scene({BOT.name: DestinationState(failing_since=began)})
    with capture_logs() as lines:
        scene.watch.state_changed(BOT, Recovered())
        scene.watch.state_changed(BOT, BreakerClosed(after=None))
    assert [line["after_s"] for line in lines if line["event"] == BACK] == [3600.0]


def test_one_that_was_never_down_is_not_back_after_a_resume(scene: Scene) -> None:
    name = str(BOT.name)
    scene.watch.note_change(PauseChange(verb="pause", destination=name, why="moving", now_ms=1))
    scene.watch.note_change(PauseChange(verb="resume", destination=name, why="", now_ms=2))
    with capture_logs() as lines:
        scene.watch.state_changed(BOT, Recovered())
        scene.watch.state_changed(BOT, BreakerClosed(after=None))
        scene.watch.state_changed(BOT, BreakerClosed(after=None))
    assert lines == []


LATE_CANARY = CANARY_MISSED.about(BOT.name, time=timedelta(seconds=3), reason="HTTP 500")
CANARY_AGAIN = CANARY_BACK.about(BOT.name, duration_ms=12)


def test_an_outage_that_a_canary_notices_first_is_reported_once_and_its_end_too(scene: Scene) -> None:
    scene.watch.state_changed(BOT, Failing(reason="HTTP 500"))
    scene.watch.notify_of_canary(LATE_CANARY)
    for _ in scene.pass_(60):
        pass
    assert scene.titles == [f"a test event for {BOT.name} is missing"]
    scene.watch.notify_of_canary(CANARY_AGAIN)  # the same success ends the failure
    scene.watch.state_changed(BOT, Recovered())
    assert scene.titles[1:] == [f"{BOT.name} recovered"]
    scene.watch.notify_of_canary(CANARY_AGAIN)
    assert len(scene.titles) == 2


def test_a_canary_adds_nothing_to_a_failure_that_is_reported(scene: Scene) -> None:
    scene.watch.state_changed(BOT, Failing(reason="HTTP 500"))
    for _ in scene.pass_(60):
        pass
    scene.watch.notify_of_canary(LATE_CANARY)
    scene.watch.state_changed(BOT, Recovered())
    scene.watch.notify_of_canary(CANARY_AGAIN)
    assert scene.titles == [f"{BOT.name} is failing", f"{BOT.name} recovered"]


def test_a_failure_that_begins_after_a_missed_canary_ends_with_one_notice(scene: Scene) -> None:
    scene.watch.notify_of_canary(LATE_CANARY)
    scene.watch.state_changed(BOT, Failing(reason="HTTP 500"))
    for _ in scene.pass_(60):
        pass
    scene.watch.state_changed(BOT, Recovered())
    scene.watch.notify_of_canary(CANARY_AGAIN)
    assert scene.titles == [f"a test event for {BOT.name} is missing", f"{BOT.name} recovered"]


def test_a_canary_that_is_only_slow_is_reported_with_its_end(scene: Scene) -> None:
    scene.watch.notify_of_canary(LATE_CANARY)
    scene.watch.state_changed(BOT, Failing(reason="HTTP 500"))
    scene.watch.state_changed(BOT, Recovered())  # a short failure of its own
    scene.watch.notify_of_canary(CANARY_AGAIN)
    assert scene.titles == [f"a test event for {BOT.name} is missing", f"test events for {BOT.name} arrive again"]


def test_dead_letters_are_reported_once_an_hour_also_over_a_restart(scene: Scene) -> None:
    def die(where: Scene) -> None:
        delivery = new_delivery(event(1), BOT.name, ("r",), event_seq=1, accepted_at=where.now)
        where.watch.note_attempt(BOT, delivery, attempt(400), Dead(reason="HTTP 400"))
        where.watch.look()

    die(scene)
    assert scene.titles == [f"events for {BOT.name} could not be delivered"]
    restarted = Scene({BOT.name: scene.kept[-1]})
    die(restarted)
    assert restarted.titles == []
    restarted.now += timedelta(hours=1)
    restarted.watch.look()
    assert restarted.titles == scene.titles
