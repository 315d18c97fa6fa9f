"""Who is told of what, and when: the watch alone, with a clock of its own."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from forwarder.core.changes import PauseChange
from forwarder.core.delivery import DestinationName, new_delivery
from forwarder.core.destination import Destination, OnFailure
from forwarder.core.event import Event
from forwarder.core.news import FailedForLonger, Failing, PausedItself, StretchEnded, TooOld, Working
from forwarder.core.retry import NAMED_POLICIES, OnExpiry
from forwarder.core.standing import FailureStretch, Pause, PausedBy, Standing
from forwarder.watch import Watch
from tests.support.lanes import destination, event

BOT: Destination = destination(
    "http://127.0.0.1:9000/hook", retry=replace(NAMED_POLICIES["live"], on_expiry=OnExpiry.DIGEST)
)


ALERTS, PAGER = (OnFailure(to=DestinationName(name), after=timedelta(seconds=5)) for name in ("alerts", "pager"))
PAUSE = Pause(since=datetime(2026, 1, 1, tzinfo=UTC), by=PausedBy.FAILURES, why="nothing but failures for 5 d 0 h")


class Scene:
    """A watch, the times it reads, and the titles of what it tells."""

    def __init__(self, standings: Mapping[DestinationName, Standing] | None = None) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self.wall = timedelta()
        """What the wall clock is ahead."""
        self.told: list[str] = []
        self.told_to: list[str] = []
        self.kept: list[Standing] = []
        self.own: OnFailure | None = ALERTS
        self.others: list[OnFailure] = [ALERTS]
        self.watch = Watch(
            standings or {},
            keep=lambda _name, standing: self.kept.append(standing),
            post=self._post,
            on_failure=lambda _name: self.own,
            on_any_failure=lambda: self.others,
            clock=lambda: self.now + self.wall,
            steady=lambda: self.now,
        )

    def _post(self, told: Event, to: DestinationName, _made_by: str) -> None:
        assert isinstance(told.payload, dict)
        self.told.append(str(told.payload["title"]))
        self.told_to.append(to)

    def pass_(self, seconds: int) -> Iterator[int]:
        """Let the time pass, a look each second, after what the caller does in it."""
        for second in range(seconds):
            yield second
            self.now += timedelta(seconds=1)
            self.watch.look()


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_a_destination_that_is_paused_is_told_of_as_that_and_not_as_failing_too(scene: Scene) -> None:
    scene.watch.hear(BOT, Failing(reason="HTTP 410"))
    scene.watch.hear(BOT, PausedItself(pause=Pause(since=scene.now, by=PausedBy.RECEIVER, why="HTTP 410")))
    for _ in scene.pass_(60):
        pass
    assert scene.told == [f"{BOT.name} is paused"]


def test_a_pause_is_told_to_whoever_is_told_of_anything_where_the_destination_names_nobody(
    scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    scene.own, scene.others = None, [ALERTS, PAGER, OnFailure(to=BOT.name, after=timedelta())]
    scene.watch.hear(BOT, PausedItself(pause=PAUSE))
    assert scene.told == [f"{BOT.name} is paused"] * 2
    assert scene.told_to == ["alerts", "pager"]
    said = capsys.readouterr().out
    assert "destination.paused" in said
    assert f"forwarder resume {BOT.name}" in said


def test_nor_to_one_that_is_paused_itself_where_there_is_another() -> None:
    scene = Scene({DestinationName("alerts"): Standing(pause=PAUSE)})
    scene.others = [ALERTS, PAGER]
    scene.watch.hear(BOT, PausedItself(pause=PAUSE))
    assert scene.told_to == ["pager"]


def test_and_where_all_of_them_are_it_waits_for_them() -> None:
    scene = Scene({DestinationName("alerts"): Standing(pause=PAUSE)})
    scene.watch.hear(BOT, PausedItself(pause=PAUSE))
    assert scene.told_to == ["alerts"]


def test_a_start_says_which_destinations_are_paused_without_a_persons_doing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    by_hand = Pause(since=PAUSE.since, by=PausedBy.PERSON)
    names = [BOT.name, DestinationName("other"), DestinationName("third")]
    scene = Scene({names[0]: Standing(pause=PAUSE), names[1]: Standing(pause=by_hand)})
    scene.watch.report_pauses(names)
    said = capsys.readouterr().out
    assert said.count("destination.paused") == 1
    assert PAUSE.why in said


@pytest.mark.parametrize("by", [timedelta(days=1), timedelta(days=-1)])
def test_a_clock_that_is_set_makes_no_failure_longer_or_shorter(scene: Scene, by: timedelta) -> None:
    scene.watch.hear(BOT, Failing(reason="HTTP 503"))
    scene.wall += by
    for second in scene.pass_(6):
        assert scene.told == ([f"{BOT.name} is failing"] if second > 4 else [])
    assert len(scene.told) == 1
    scene.watch.hear(BOT, Working())
    assert scene.told[1:] == [f"{BOT.name} works again"]


def test_a_resume_forgets_for_how_long_it_failed(scene: Scene) -> None:
    stretch = FailureStretch(began=scene.now, last=scene.now, attempts=3)
    scene.watch.hear(BOT, Failing(reason="HTTP 503"))
    scene.watch.hear(BOT, FailedForLonger(stretch=stretch))
    scene.watch.hear(BOT, PausedItself(pause=PAUSE))
    assert scene.kept[-1].stretch == stretch
    scene.watch.note_change(PauseChange(verb="resume", destination=BOT.name, now_ms=0))
    assert scene.kept[-1] == Standing()


def test_the_end_of_a_stretch_is_kept_at_once_where_the_stretch_was(scene: Scene) -> None:
    """It is failing all the same: nothing was delivered."""
    stretch = FailureStretch(began=scene.now, last=scene.now, attempts=3)
    scene.watch.hear(BOT, Failing(reason="HTTP 503"))
    began = scene.now
    scene.watch.hear(BOT, FailedForLonger(stretch=stretch))
    scene.watch.hear(BOT, StretchEnded())
    assert not scene.kept
    scene.watch.hear(BOT, FailedForLonger(stretch=stretch))
    for _ in scene.pass_(31):
        pass
    assert scene.kept[-1].stretch == stretch
    scene.watch.hear(BOT, StretchEnded())
    assert replace(scene.kept[-1], told_at=None) == Standing(failing_since=began)
    assert scene.told == [f"{BOT.name} is failing"]
    scene.watch.hear(BOT, Working())
    assert scene.told[1:] == [f"{BOT.name} works again"]


def test_a_digest_comes_although_there_is_no_end_of_what_expires(scene: Scene) -> None:
    for second in scene.pass_(1500):
        late = new_delivery(event(second), BOT.name, ("r",), event_seq=second, accepted_at=scene.now, order_key=None)
        scene.watch.hear(BOT, TooOld(delivery=late, reason="expired: 1 h old"))
    assert scene.told == ["600 too old to send"] * 2
