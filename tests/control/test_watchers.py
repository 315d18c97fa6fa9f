"""Who watches over the control socket gets what passes; who does not read holds up nobody."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from forwarder.control import server, watchers
from forwarder.control.client import control
from forwarder.control.errors import NoDaemonError
from forwarder.control.server import open_control_socket
from forwarder.core.commands import Request, StatusRequest, Watch
from forwarder.core.delivery import Answered, Attempt, new_delivery
from forwarder.core.dispatch.retry import Dead, Decision, Done
from forwarder.core.routing.router import Selection
from forwarder.monitoring.live_feed import LiveFeed
from tests.support.crash import until
from tests.support.lanes import BOT, event
from tests.support.routing import OneClock

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ATTEMPT = Attempt(number=1, started_at=NOW, duration=timedelta(milliseconds=3), outcome=Answered(status=200))
CHOSEN = Selection(chosen={BOT: ("r",)}, matched=("r",))


class Scene:
    """A control socket with a feed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.feed = LiveFeed(OneClock(lambda: NOW))
        self._writers: list[asyncio.StreamWriter] = []

    def note(self, *numbers: int, padding: int = 0) -> None:
        """Have events pass."""
        for number in numbers:
            self.feed.note_event(event(number, padding=padding), "main", CHOSEN, NOW)

    def finish(self, number: int, decision: Decision) -> None:
        """Have an attempt pass."""
        delivery = new_delivery(event(number), BOT, ("r",), event_seq=number, accepted_at=NOW)
        self.feed.note_attempt(delivery, ATTEMPT, decision)

    async def connect(self, **asked: Any) -> "Watching":  # noqa: ANN401 - those of a request
        """Return a connection that watches."""
        reader, writer = await asyncio.open_unix_connection(str(self.path))
        writer.write(Watch(**asked).model_dump_json(exclude_none=True).encode() + b"\n")
        self._writers.append(writer)
        return Watching(reader, writer)

    async def close(self) -> None:
        """Close all connections, and wait for the daemon's side of those that watch."""
        for writer in self._writers:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()
        await self.until_watched(is_watched=False)

    async def until_watched(self, *, is_watched: bool = True) -> None:
        """Return once somebody watches, or nobody."""
        await until(lambda: self.feed.is_watched is is_watched, limit_s=10, what="is watched")


class Watching:
    """One connection that watches."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def line(self) -> dict[str, Any]:
        """Return the next line that is not a sign of life."""
        async with asyncio.timeout(60):  # signs of life come forever
            while True:
                line: dict[str, Any] = json.loads(await self.reader.readline())
                if line != {"event": "alive"}:
                    return line

    async def texts(self, count: int) -> list[tuple[str, str]]:
        """Return the kind and the text of the next lines."""
        lines = [await self.line() for _ in range(count)]
        return [(line["event"], line["text"]) for line in lines]


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    made = Scene(tmp_path / "control.sock")
    async with listening(made):
        yield made
        await made.close()


@asynccontextmanager
async def listening(scene: Scene) -> AsyncIterator[None]:
    async def handle(_request: Request, _person: str) -> dict[str, object]:
        return {"state": "running"}

    async with open_control_socket(scene.path, handle, open_watch=scene.feed.open_watch):
        yield


async def test_a_watcher_gets_events_and_attempts_as_they_pass(scene: Scene) -> None:
    watching = await scene.connect()
    assert await watching.line() == {"result": {}}
    scene.note(1)
    scene.finish(1, Done())
    assert await watching.texts(2) == [("event", "1"), ("attempt", "1")]
    scene.note(2)
    assert await watching.texts(1) == [("event", "2")]


async def test_the_daemon_sends_only_what_is_wanted(scene: Scene) -> None:
    failed = await scene.connect(failed=True)
    other = await scene.connect(destination="other")
    whole = await scene.connect(source="x", destination="bot", route="r", with_body=True)
    for each in (failed, other, whole):
        assert await each.line() == {"result": {}}
    scene.note(1)
    scene.finish(1, Done())
    scene.finish(1, Dead(reason="HTTP 400"))
    line = await failed.line()
    assert (line["outcome"], "body" in line) == ("dead", False)
    lines = [await whole.line() for _ in range(3)]
    assert [line["body"] for line in lines] == [event(1).body.decode()] * 3
    scene.feed.close()
    assert await other.line() == {"event": "end"}


async def test_a_watcher_that_goes_away_is_forgotten(scene: Scene) -> None:
    watching = await scene.connect()
    await watching.line()
    await scene.until_watched()
    watching.writer.close()
    await scene.until_watched(is_watched=False)


async def test_a_watcher_that_only_ends_its_own_side_still_reads(scene: Scene) -> None:
    watching = await scene.connect()
    watching.writer.write_eof()
    await watching.line()
    scene.note(1)
    assert await watching.texts(1) == [("event", "1")]


async def test_one_that_does_not_read_loses_the_oldest_and_is_told_how_many(scene: Scene) -> None:
    slow = socket.socket(socket.AF_UNIX)
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    slow.connect(str(scene.path))
    slow.sendall(Watch(with_body=True).model_dump_json().encode() + b"\n")
    await scene.until_watched()
    quick = await scene.connect()
    await quick.line()
    sent = 3_000
    for number in range(sent):
        scene.note(number, padding=1_000)
        if number % 100 == 0:
            assert await quick.texts(1 if number == 0 else 100)
    scene.feed.close()

    def read() -> list[dict[str, Any]]:
        with slow, slow.makefile() as lines:
            return [json.loads(line) for line in lines]

    answer, *lines = await asyncio.to_thread(read)
    assert answer == {"result": {}}
    lost = sum(line["lost"] for line in lines if line["event"] == "lost")
    shown = sum(line["event"] == "event" for line in lines)
    assert lost > 0
    assert shown + lost == sent
    assert lines[-1] == {"event": "end"}
    assert lines[-2]["text"].startswith(str(sent - 1))


async def test_a_quiet_daemon_gives_signs_of_life(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchers, "ALIVE_EVERY_S", 0.01)
    monkeypatch.setattr(watchers, "_LOOK_EVERY_S", 0.01)
    watching = await scene.connect()
    await watching.line()
    for _ in range(3):
        assert await watching.reader.readline() == b'{"event":"alive"}\n'


async def test_watchers_do_not_lock_out_commands(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_MOST_WATCHERS", 3)
    monkeypatch.setattr(server, "_MOST_CONNECTIONS", 2)
    async with listening(scene):
        watching = [await scene.connect() for _ in range(1)]
        for _ in range(2):
            await watching[-1].line()
            watching.append(await scene.connect())
        await watching[-1].line()
        refused = await scene.connect()
        assert "too many watch already" in (await refused.line())["error"]

        def ask() -> dict[str, Any]:
            with control(scene.path) as daemon:
                return daemon.ask(StatusRequest())

        assert await asyncio.to_thread(ask) == {"state": "running"}
        watching[0].writer.close()

        answers: list[str] = []
        while "result" not in answers:  # the place is free once the server has seen that the client is gone
            answers += await (await scene.connect()).line()


async def test_the_client_yields_the_lines_until_the_daemon_ends(scene: Scene) -> None:
    seen: list[bytes] = []

    def watch() -> None:
        with control(scene.path) as daemon:
            for line in daemon.watch(Watch()):
                seen.append(line)  # noqa: PERF402 - the other thread looks at it meanwhile

    watching = asyncio.ensure_future(asyncio.to_thread(watch))
    await scene.until_watched()
    scene.note(1)
    await until(lambda: bool(seen) or watching.done(), limit_s=10, what="a line")
    scene.feed.close()
    with pytest.raises(NoDaemonError, match="the daemon ended"):
        await watching
