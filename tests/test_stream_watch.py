"""What is counted of streams beside the race itself."""

from datetime import UTC, datetime, timedelta

import pytest

from forwarder.core.config.model import StreamConfig
from forwarder.core.config.secret import Secret
from forwarder.core.event import Event, decode_event
from forwarder.stream_watch import StreamWatch

START = datetime(2026, 1, 1, tzinfo=UTC)


def streams(*names: str) -> list[StreamConfig]:
    return [StreamConfig(name=name, api_key=Secret("k"), use_fast_x=True) for name in names]


class Scene:
    def __init__(self, *names: str) -> None:
        self.now = START
        self.watch = StreamWatch(lambda: self.now)
        self.watch.follow(streams(*names))

    def event(self, number: int = 0, *, source: str = '"x"', lag_s: float = 0.0) -> Event:
        at_ms = int((self.now - timedelta(seconds=lag_s)).timestamp() * 1000)
        frame = f'{{"source":{source},"mid":"{number}","sid":"1","timestamp":{at_ms},"payload":{{}}}}'
        return decode_event(frame.encode())

    def bring(self, stream: str, event: Event, *, is_new: bool = True) -> None:
        self.watch.note_arrival(event, stream, is_new)

    def lags(self) -> dict[str, tuple[float, float]]:
        """Return by source how many there were, and the longest in milliseconds."""
        return {source: (lag["count"], lag["max"]) for source, lag in self.watch.lag().items()}


def test_lag_is_that_of_first_copies_by_source() -> None:
    scene = Scene("a", "b")
    event = scene.event(lag_s=0.5)
    scene.bring("a", event)
    scene.now += timedelta(seconds=3)
    scene.bring("b", event, is_new=False)
    scene.bring("a", scene.event(2, source='"telegram"', lag_s=7200))
    assert scene.lags() == {"telegram": (1, 7_200_000), "x": (1, 500)}


def test_a_clock_that_is_behind_makes_no_negative_lag_and_what_is_a_day_old_none_at_all() -> None:
    scene = Scene("main")
    scene.bring("main", scene.event(1, lag_s=-30))
    scene.bring("main", scene.event(2, lag_s=86_401))
    scene.bring("main", scene.event(3, source='"forwarder"'))
    assert scene.lags() == {"x": (1, 0)}


@pytest.mark.parametrize("name", [r'"\ud800"', r'"\u001b[2J"', r'"a\nb"', '"' + "s" * 41 + '"'])
def test_a_source_that_cannot_be_shown_is_one_of_the_others(name: str) -> None:
    scene = Scene("main")
    scene.bring("main", scene.event(source=name))
    scene.bring("main", scene.event(source='"é"'))
    assert scene.lags() == {"other": (1, 0), "é": (1, 0)}


def test_sources_are_not_kept_without_end() -> None:
    scene = Scene("main")
    for number in range(100):
        scene.bring("main", scene.event(source=f'"source {number}"'))
    assert len(scene.lags()) == 33
    assert scene.lags()["other"] == (68, 0)


def test_a_reload_takes_nothing_from_a_stream_that_keeps_its_name() -> None:
    scene = Scene("a", "b")
    state = scene.watch.state_of("a")
    scene.bring("a", scene.event())
    scene.watch.follow(streams("a", "c"))
    assert scene.watch.state_of("a") is state
    told = scene.watch.status()
    assert list(told) == ["a", "c"]
    assert (told["a"]["events"], told["a"]["wins"]) == (1, 1)
