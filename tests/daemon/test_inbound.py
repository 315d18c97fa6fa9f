"""What a stop leaves of the frames that were kept during a takeover."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

from forwarder.clocks.process_clock import ProcessClock
from forwarder.core.monitoring.counters import Counters
from forwarder.daemon.inbound import StreamsAtStart, open_inbound
from forwarder.daemon.runtime import ActiveRuntime, runtime_of
from forwarder.dispatch.dispatcher import Dispatcher
from forwarder.outbox.sqlite.file.connection import FileSettings
from forwarder.outbox.sqlite.opening import open_outbox
from tests.core.config.support import load
from tests.support.process import look

START = datetime(2026, 1, 1, tzinfo=UTC)
CONFIG = "streams: [{api_key: k}]\ndestinations:\n  ops: {url: 'http://127.0.0.1:9/'}\nroutes: [{to: ops}]\n"


async def test_frames_that_could_not_be_handed_on_are_counted_and_a_gap_from_the_first_of_them(tmp_path: Path) -> None:
    active = ActiveRuntime(runtime_of(load(CONFIG, {})), at=START)
    seconds = iter(range(100))
    clock = ProcessClock(wall=lambda: START + timedelta(seconds=next(seconds)))
    (stream,) = active.config.streams
    async with (
        open_outbox(FileSettings(path=tmp_path / "outbox.db")) as outbox,
        asyncio.TaskGroup() as tasks,
    ):
        streams = StreamsAtStart(tasks, clock)
        streams.gap_notes.note_open(stream.name, START)
        for frame in (b"1", b"2", b"3"):
            await streams.frames.take(frame, stream=stream.name)
        inbound = await open_inbound(
            streams, active, outbox=outbox, lanes=Dispatcher(), counters=Counters(), watch=None
        )
        assert streams.drop(is_noted=True) == 3
        assert streams.drop(is_noted=True) == 0
        await inbound.flush_on_stop(is_handed_over=False)
        await outbox.settle()
    ((began_ms, ended_ms, reason),) = look(tmp_path / "outbox.db", "SELECT began_ms, ended_ms, reason FROM gaps")
    assert START.timestamp() * 1000 < began_ms < START.timestamp() * 1000 + 10_000
    assert ended_ms is None
    assert reason == "forwarder was stopped during a takeover, with 3 frames not taken in"
