"""What is counted of streams, with a clock that is a number; and beside real servers, one of which drops an event without a word."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from forwarder.core.config.model.stream import ExpectConfig, StreamConfig
from forwarder.core.config.values.secret import Secret
from forwarder.core.event import Event, decode_event
from forwarder.core.matching import EVERYTHING
from forwarder.core.streams.state import StreamStates
from forwarder.emulator.server import Emulator
from forwarder.gaps.recorder import GapRecorder, gap_settings_of, gaps_left
from forwarder.monitoring.stream_stats import StreamStats
from forwarder.streams.group import StreamGroup
from forwarder.streams.websocket import WebSocketStream
from tests.support.crash import until
from tests.support.gaps import Book
from tests.support.process import KEY

START = datetime(2026, 1, 1, tzinfo=UTC)


def streams(*names: str) -> list[StreamConfig]:
    return [StreamConfig(name=name, api_key=Secret("k"), use_fast_x=True) for name in names]


class Scene:
    def __init__(self, *names: str) -> None:
        self.now = START
        self.asked: list[tuple[str, datetime, datetime]] = []
        self.states = StreamStates()
        self.watch = StreamStats(self.states, lambda: self.now, was_open=self._was_open, now_s=self._now_s)
        self.watch.follow(streams(*names))

    def _now_s(self) -> float:
        return (self.now - START).total_seconds()

    def _was_open(self, stream: str, since: datetime, until: datetime) -> bool:
        self.asked.append((stream, since, until))
        return True

    def event(self, number: int = 0, *, source: str = '"x"', lag_s: float = 0.0) -> Event:
        at_ms = int((self.now - timedelta(seconds=lag_s)).timestamp() * 1000)
        frame = f'{{"source":{source},"mid":"{number}","sid":"1","timestamp":{at_ms},"payload":{{}}}}'
        return decode_event(frame.encode())

    def bring(self, stream: str, event: Event, *, is_new: bool = True) -> None:
        self.watch.note_arrival(event, stream, is_new, self.now, self._now_s())

    def lags(self) -> dict[str, tuple[float, float]]:
        """Return by source how many there were, and the longest in milliseconds."""
        return {source: (lag.count, lag.max) for source, lag in self.watch.lag().items()}


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
    state = scene.states.of("a")
    scene.bring("a", scene.event())
    scene.watch.follow(streams("a", "c"))
    assert scene.states.of("a") is state
    status = scene.watch.status()
    assert list(status) == ["a", "c"]
    assert (status["a"].events, status["a"].wins) == (1, 1)


def test_a_miss_is_judged_by_the_time_from_the_event_to_its_first_copy() -> None:
    scene = Scene("a", "b")
    scene.bring("a", scene.event(lag_s=2))
    scene.now += timedelta(seconds=60)
    assert scene.watch.status()["b"].missed_open == 1
    assert scene.asked == [("b", START - timedelta(seconds=2), START)]


class Intake:
    """Notifies the stream statistics of each arrival, as ingest does."""

    def __init__(self, watch: StreamStats, clock: Callable[[], datetime], now_s: Callable[[], float]) -> None:
        self._watch, self._clock, self._now_s = watch, clock, now_s
        self._seen: set[str] = set()
        self.came = asyncio.Semaphore(0)

    async def take(self, frame: bytes, *, stream: str, is_public: bool = False) -> None:
        assert not is_public
        event = decode_event(frame)
        is_new = event.id not in self._seen
        self._watch.note_arrival(event, stream, is_new, self._clock(), self._now_s())
        self._seen.add(event.id)
        self.came.release()

    def note_odd_frame(self, kind: object, detail: str = "") -> None:
        raise AssertionError(kind, detail)


async def test_of_two_servers_one_drops_an_event_silently_and_misses_others_in_a_cut_that_is_noticed_later() -> None:
    ahead_s = 0.0

    def clock() -> datetime:
        return datetime.now(UTC) + timedelta(seconds=ahead_s)

    config = streams("one", "two")
    kept = gap_settings_of([(each.name, "k", False) for each in config])
    book = Book()
    left = await gaps_left(book, began=clock())
    gaps = GapRecorder(book, kept, left, repair_wanted=asyncio.Event(), clock=clock)
    states = StreamStates()
    loop = asyncio.get_running_loop()

    def now_s() -> float:
        return loop.time() + ahead_s

    watch = StreamStats(states, clock, was_open=gaps.was_open, now_s=now_s)
    watch.follow(config)
    intake = Intake(watch, clock, now_s)
    async with Emulator(api_key=KEY) as one, Emulator(api_key=KEY) as two, asyncio.TaskGroup() as group:
        held = StreamGroup(group, intake=intake, gaps=gaps, states=states, clock=clock)
        parts = [
            WebSocketStream(name=name, url=emulator.ws_url, api_key=KEY, use_fast_x=True)
            for name, emulator in (("one", one), ("two", two))
        ]
        for tried in held.start(parts):
            await tried.wait()

        async def send(number: int, *to: Emulator) -> None:
            at_ms = int(clock().timestamp() * 1000) + 1  # not before the streams were open, by a fraction
            sent = f'{{"source":"x","mid":"{number}","sid":"1","timestamp":{at_ms},"payload":{{}}}}'
            for emulator in to:
                assert await emulator.send(sent)
                await asyncio.wait_for(intake.came.acquire(), 10)

        await send(1, one, two)
        await send(2, two, one)
        await send(3, one)  # and not to two, which is open
        ahead_s += 1
        await send(4, one, two)  # so two is known to have been there all the time
        ahead_s += 1
        await send(5, one)  # two is cut meanwhile, which nobody knows yet
        two.refuse(503)
        await two.drop()
        await until(lambda: not states.of("two").is_open, limit_s=90, what="the end of two")
        await send(6, one)
        ahead_s += 60
        status = watch.status()
        held.end()
    numbers = {
        name: (each.events, each.wins, each.copies, each.missed_open, each.missed_away) for name, each in status.items()
    }
    assert numbers == {"one": (6, 5, 1, 0, 0), "two": (3, 1, 2, 1, 2)}


def test_what_meets_an_expectation_is_counted_once_for_each_event_and_a_reload_changes_what_is_expected() -> None:
    scene = Scene("a", "b")
    scene.bring("a", scene.event(1))
    assert scene.watch.met == {}
    scene.watch.follow(streams("a", "b"), [ExpectConfig(name="any", match=EVERYTHING, within=timedelta(minutes=1))])
    scene.bring("a", scene.event(2))
    scene.bring("b", scene.event(2), is_new=False)
    scene.bring("b", scene.event(3))
    assert scene.watch.met == {"any": 2}


def test_every_copy_is_counted_by_its_stream_and_source_and_of_sources_there_are_only_so_many() -> None:
    scene = Scene("a", "b")
    for number in range(40):
        scene.bring("a", scene.event(number, source=f'"s{number}"'))
    scene.bring("a", scene.event(0, source='"s0"'), is_new=False)
    scene.bring("b", scene.event(source=r'"\u001b[2J"'))
    report = scene.watch.status()
    assert report["a"].sources == {"s0": 2, **{f"s{number}": 1 for number in range(1, 32)}, "other": 8}
    assert report["a"].events == sum(report["a"].sources.values())
    assert report["b"].sources == {"other": 1}


def test_the_histograms_are_copies_of_what_was_counted() -> None:
    scene = Scene("a", "b")
    event = scene.event(lag_s=0.5)
    scene.bring("a", event)
    lags = scene.watch.lags()
    scene.now += timedelta(seconds=3)
    scene.bring("b", event, is_new=False)
    scene.bring("a", scene.event(2, lag_s=0.25))
    assert (lags["x"].count, scene.watch.lags()["x"].count) == (1, 2)
    behind = scene.watch.behind()
    assert {name: (each.count, each.longest_s) for name, each in behind.items()} == {"b": (1, 3.0)}
