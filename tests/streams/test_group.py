"""All streams together: a reload ends, replaces and begins single ones, without a moment in which a stream that stays is not connected."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from forwarder.core.commands import RequestRefusedError
from forwarder.core.event import NotAnEvent, decode_event
from forwarder.core.streams.state import StreamCondition, StreamStates
from forwarder.emulator.server import Emulator
from forwarder.streams import overlap
from forwarder.streams.group import StreamGroup
from forwarder.streams.stream import Stream
from forwarder.streams.websocket import WebSocketStream
from tests.support.streams import Notes, numbered

MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overlap, "OVERLAP", timedelta(milliseconds=50))


class Sink(Notes):
    """Takes the frames of all streams, and notes which gaps are reported."""

    def __init__(self) -> None:
        super().__init__()
        self.forgotten: list[tuple[str, datetime | None]] = []
        self.brought: list[tuple[str, bytes]] = []

    async def take(self, frame: bytes, *, stream: str = "", is_public: bool = False) -> None:
        assert not is_public
        self.brought.append((stream, frame))
        await super().take(frame)

    def note_odd_frame(self, kind: NotAnEvent, detail: str = "") -> None:  # noqa: ARG002 - as the protocol has it
        self.odd.append(kind)

    def forget(self, stream: str, *, read_until: datetime | None) -> None:
        self.forgotten.append((stream, read_until))


class Scene:
    """A group that runs, and what it reports to."""

    def __init__(self, tasks: asyncio.TaskGroup) -> None:
        self.sink = Sink()
        self.states = StreamStates()
        self.group = StreamGroup(
            tasks, intake=self.sink, gaps=self.sink, states=self.states, clock=lambda: datetime.now(UTC)
        )

    async def until_open(self, *names: str) -> None:
        """Return once these streams are open."""
        await self.sink.until(lambda _: set(names) <= set(self.group.open_names))


@asynccontextmanager
async def running(*streams: Stream) -> AsyncIterator[Scene]:
    async with asyncio.TaskGroup() as tasks:
        scene = Scene(tasks)
        scene.group.start(streams)
        try:
            yield scene
        finally:
            scene.group.end()


def stream_to(emulator: Emulator, name: str = "main", **changes: object) -> WebSocketStream:
    stream = WebSocketStream(name=name, url=emulator.ws_url, api_key="test-key")
    return replace(stream, **changes)  # type: ignore[arg-type] # the fields' own types


async def test_each_stream_has_a_connection_and_its_frames_have_its_name() -> None:
    async with Emulator() as one, Emulator() as two, running(stream_to(one, "a"), stream_to(two, "b")) as scene:
        await scene.until_open("a", "b")
        assert scene.group.names == ["a", "b"]
        first, second = numbered(2)
        await one.send(first)
        await two.send(second)
        await scene.sink.until(lambda notes: len(notes.frames) == 2)
        assert sorted(scene.sink.brought) == [("a", first.encode()), ("b", second.encode())]
        assert (scene.states.of("a").connections, scene.states.of("b").connections) == (1, 1)


async def test_a_start_reports_when_each_first_connection_was_tried_even_if_it_failed() -> None:
    async with Emulator() as emulator, asyncio.TaskGroup() as tasks:
        scene = Scene(tasks)
        emulator.refuse(503)
        (tried,) = scene.group.start([stream_to(emulator)])
        assert not tried.is_set()
        await tried.wait()
        assert emulator.stats.refused == 1
        assert scene.group.open_names == []
        scene.group.end()


async def test_a_stream_that_a_reload_removes_ends_and_its_gap_is_forgotten() -> None:
    async with Emulator() as emulator, Emulator() as gone:
        stays = stream_to(emulator)
        async with running(stays, stream_to(gone, "gone")) as scene:
            await scene.until_open("main", "gone")
            before = datetime.now(UTC) - timedelta(seconds=5)
            assert scene.group.read_until.keys() == {"main", "gone"}
            assert scene.group.follow([stays]) == {"gone"}
            assert scene.group.names == ["main"]
            await gone.wait_disconnected()
            ((name, read_until),) = scene.sink.forgotten
            assert name == "gone"
            assert read_until is not None
            assert before <= read_until <= datetime.now(UTC)
            assert len(emulator.handshakes) == 1
    assert scene.sink.away == []


async def test_a_stream_that_is_removed_and_added_again_is_not_shown_as_open_before_it_is() -> None:
    async with Emulator() as emulator, running(stream_to(emulator)) as scene:
        await scene.until_open("main")
        scene.group.follow([])
        emulator.hang(60, handshakes=True)
        scene.group.follow([stream_to(emulator)])
        state = scene.states.of("main")
        assert (state.condition, state.since, state.away_since) == (StreamCondition.CONNECTING, None, None)
        assert state.connections == 1
        emulator.clear()


async def test_a_stream_that_a_reload_adds_begins_and_the_others_stay_as_they_are() -> None:
    async with Emulator() as emulator, Emulator() as added:
        stays = stream_to(emulator)
        async with running(stays) as scene:
            await scene.until_open("main")
            assert scene.group.follow([stays, stream_to(added, "added")]) == set()
            await scene.until_open("main", "added")
            assert scene.group.follow([stays, stream_to(added, "added")]) == set()
            assert (len(emulator.handshakes), len(added.handshakes)) == (1, 1)


async def test_a_stream_that_changed_goes_on_until_its_new_connection_is_open() -> None:
    async with Emulator() as emulator:
        async with running(stream_to(emulator)) as scene:
            await scene.until_open("main")
            emulator.refuse(503)
            assert scene.group.follow([stream_to(emulator, use_fast_x=True)]) == {"main"}
            await emulator.wait_until(lambda emulator: emulator.stats.refused >= 1)
            assert scene.group.open_names == ["main"]
            (first,) = numbered(1)
            assert await emulator.send(first) == 1
            await scene.sink.until(lambda notes: notes.frames == [first.encode()])
            emulator.clear()
            scene.group.reconnect("main")  # the try that was refused may not have ended yet
            await emulator.wait_connected(2, timeout=20)  # by itself it would wait for 30 s
            await emulator.wait_until(lambda emulator: len(emulator.connections) == 1)
            (fast,) = numbered(1, source="fast-x")
            assert await emulator.send(fast) == 1
            await scene.sink.until(lambda notes: notes.frames[-1] == fast.encode())
    assert scene.sink.away == []


async def test_a_stream_that_changed_and_is_then_removed_ends_with_its_old_connection() -> None:
    async with Emulator() as emulator:
        async with running(stream_to(emulator)) as scene:
            await scene.until_open("main")
            emulator.refuse(503)
            scene.group.follow([stream_to(emulator, use_fast_x=True)])
            await emulator.wait_until(lambda emulator: emulator.stats.refused >= 1)
            assert scene.group.follow([]) == {"main"}
            await emulator.wait_disconnected()
            assert scene.group.names == []


async def test_all_streams_end_together() -> None:
    async with Emulator() as emulator, running(stream_to(emulator, "a"), stream_to(emulator, "b")) as scene:
        await emulator.wait_connected(2)
        scene.group.end()
        await emulator.wait_disconnected()


async def test_one_stream_or_all_are_reconnected_and_an_unknown_one_is_refused() -> None:
    async with Emulator() as one, Emulator() as two, running(stream_to(one, "a"), stream_to(two, "b")) as scene:
        await scene.until_open("a", "b")
        assert scene.group.reconnect("b") == {"streams": ["b"]}
        await two.wait_until(lambda emulator: len(emulator.handshakes) == 2)
        assert len(one.handshakes) == 1
        assert scene.group.reconnect(None) == {"streams": ["a", "b"]}
        await one.wait_until(lambda emulator: len(emulator.handshakes) == 2)
        with pytest.raises(RequestRefusedError, match=r'^no stream is called "c"; there are: a, b$'):
            scene.group.reconnect("c")


async def test_a_reconnect_does_not_wait_for_the_next_try() -> None:
    async with Emulator() as emulator:
        emulator.refuse(503, retry_after=300)
        async with running(stream_to(emulator)) as scene:
            await scene.sink.until(lambda _: scene.states.of("main").next_try_at is not None)
            emulator.clear()
            scene.group.reconnect("main")
            await scene.until_open("main")


async def test_a_renewal_of_a_stream_that_is_not_there_or_not_open_does_nothing() -> None:
    async with Emulator() as emulator:
        emulator.refuse(503, retry_after=300)
        async with running(stream_to(emulator)) as scene:
            await scene.sink.until(lambda _: scene.states.of("main").next_try_at is not None)
            scene.group.renew("main", "it is old")
            scene.group.renew("other", "it is old")
            emulator.clear()
            scene.group.reconnect("main")
            await scene.until_open("main")
            assert len(emulator.handshakes) == emulator.stats.refused + 1
            scene.group.renew("main", "it is old")
            await scene.sink.until(lambda _: scene.states.of("main").connections == 2)


async def test_after_a_standstill_every_stream_is_connected_again() -> None:
    async with Emulator() as one, Emulator() as two, running(stream_to(one, "a"), stream_to(two, "b")) as scene:
        await scene.until_open("a", "b")
        scene.group.wake("the machine slept for 60 s")
        for emulator in (one, two):
            await emulator.wait_until(lambda emulator: len(emulator.handshakes) == 2)


async def test_there_is_no_hope_where_every_stream_has_failed_and_is_tried_later_only() -> None:
    async with Emulator() as emulator, Emulator() as fine:
        emulator.refuse(503, retry_after=200)
        bad = stream_to(emulator)
        async with running(bad) as scene:
            now = datetime.now(UTC)
            assert not scene.group.is_hopeless(now)  # it is being tried
            await scene.sink.until(lambda _: scene.states.of("main").next_try_at is not None)
            assert scene.group.is_hopeless(now + MINUTE)
            assert not scene.group.is_hopeless(now + 10 * MINUTE)
            scene.group.follow([bad, stream_to(fine, "fine")])
            await scene.until_open("fine")
            assert not scene.group.is_hopeless(now + MINUTE)


async def test_the_first_events_of_each_open_stream_are_remembered_for_another_process() -> None:
    async with Emulator() as one, Emulator() as two, running(stream_to(one, "a"), stream_to(two, "b")) as scene:
        await scene.until_open("a", "b")
        scene.group.remember_events()
        frame, *_ = numbered(1)
        await one.send(frame)
        await scene.sink.until(lambda notes: len(notes.frames) == 1)
        event_id = decode_event(frame.encode()).id
        assert {name: list(ids) for name, ids in scene.group.first_events.items()} == {"a": [event_id], "b": []}
        two.refuse(503)
        await two.drop()
        await scene.sink.until(lambda _: scene.group.open_names == ["a"])
        assert list(scene.group.first_events) == ["a"]


async def test_streams_that_another_process_displaced_come_back_when_it_has_ended() -> None:
    async with Emulator() as one, Emulator() as two:
        two.refuse(503, retry_after=300)
        async with running(stream_to(one, "a"), stream_to(two, "b")) as scene:
            await scene.until_open("a")
            await scene.sink.until(lambda _: scene.states.of("b").next_try_at is not None)
            two.clear()
            scene.group.come_back("the other process has ended")
            await scene.until_open("a", "b")
            assert len(one.handshakes) == 1


async def test_what_was_sent_before_another_process_held_the_streams_is_read_to_its_end() -> None:
    async with Emulator() as emulator, running(stream_to(emulator)) as scene:
        await scene.until_open("main")
        scene.group.remember_events()
        frames = list(numbered(20))
        for frame in frames:
            await emulator.send(frame)
        last = decode_event(frames[-1].encode()).id
        async with asyncio.timeout(30):
            await scene.group.read_out(timedelta(milliseconds=10), lambda _name: [last])
        assert scene.sink.frames == [frame.encode() for frame in frames]


async def test_when_something_was_last_received_is_in_the_states() -> None:
    async with Emulator() as emulator, running(stream_to(emulator)) as scene:
        await scene.until_open("main")
        await emulator.send(*numbered(1))
        await scene.sink.until(lambda notes: len(notes.frames) == 1)
        scene.group.note_heard()
        heard = scene.states.of("main").last_heard
        assert heard is not None
        assert datetime.now(UTC) - heard < MINUTE
