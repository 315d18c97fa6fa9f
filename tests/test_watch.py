"""Who is told of what, and when: the watch alone, with a clock of its own."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from forwarder.core.delivery import DestinationName, new_delivery
from forwarder.core.destination import Destination, OnFailure
from forwarder.core.event import Event
from forwarder.core.news import Failing, PausedItself, TooOld
from forwarder.core.retry import NAMED_POLICIES, OnExpiry
from forwarder.core.standing import Pause, PausedBy
from forwarder.watch import Watch
from tests.support.lanes import destination, event

BOT: Destination = destination(
    "http://127.0.0.1:9000/hook", retry=replace(NAMED_POLICIES["live"], on_expiry=OnExpiry.DIGEST)
)


class Scene:
    """A watch, the time it reads, and the titles of what it tells."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self.told: list[str] = []
        self.watch = Watch(
            {},
            keep=lambda _name, _standing: None,
            post=self._post,
            on_failure=lambda _name: OnFailure(to=DestinationName("alerts"), after=timedelta(seconds=5)),
            clock=lambda: self.now,
        )

    def _post(self, told: Event, _to: DestinationName, _made_by: str) -> None:
        assert isinstance(told.payload, dict)
        self.told.append(str(told.payload["title"]))

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


def test_a_digest_comes_although_there_is_no_end_of_what_expires(scene: Scene) -> None:
    for second in scene.pass_(1500):
        late = new_delivery(event(second), BOT.name, ("r",), event_seq=second, accepted_at=scene.now, order_key=None)
        scene.watch.hear(BOT, TooOld(delivery=late, reason="expired: 1 h old"))
    assert scene.told == ["600 too old to send"] * 2
