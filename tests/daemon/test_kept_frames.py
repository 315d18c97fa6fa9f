"""Frames that came before there was an outbox: handed on, or reported as lost."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog

from forwarder.clocks.process_clock import ProcessClock
from forwarder.core.monitoring.counters import Counters
from forwarder.daemon.inbound import Inbound, StreamsAtStart, open_inbound
from forwarder.daemon.kept_frames import KeptFrames
from forwarder.daemon.orderly_stop import GracePeriod
from forwarder.daemon.runtime import ActiveRuntime, runtime_of
from forwarder.dispatch.dispatcher import Dispatcher
from forwarder.outbox.sqlite.file.connection import FileSettings
from forwarder.outbox.sqlite.opening import open_outbox
from tests.core.config.support import load

CONFIG = "streams: [{api_key: k}]\ndestinations:\n  ops: {url: 'http://127.0.0.1:9/'}\nroutes: [{to: ops}]\n"


async def test_what_was_kept_is_handed_on_and_counted(tmp_path: Path) -> None:
    active = ActiveRuntime(runtime_of(load(CONFIG, {})), at=datetime.now(UTC))
    counters = Counters()
    async with open_outbox(FileSettings(path=tmp_path / "outbox.db")) as outbox, asyncio.TaskGroup() as tasks:
        streams = StreamsAtStart(tasks, ProcessClock())
        for frame in (b"1", b"2"):
            await streams.frames.take(frame, stream="main")
        inbound = await open_inbound(streams, active, outbox=outbox, lanes=Dispatcher(), counters=counters, watch=None)
        with structlog.testing.capture_logs() as lines:
            await KeptFrames(streams).hand_on(inbound, is_takeover=True)
            KeptFrames(streams).drop(is_noted=True)
        await inbound.flush_on_stop(is_handed_over=False)
    assert [(line["event"], line["frames_kept"]) for line in lines if "frames_kept" in line] == [("takeover.done", 2)]
    assert "takeover.frames_lost" not in {line["event"] for line in lines}


async def test_a_stop_waits_for_the_half_of_its_time_and_then_reports_what_is_lost() -> None:
    class Full(Inbound):
        """Ingest that has no room."""

        def __init__(self) -> None:
            pass

        async def open(self) -> int:
            await asyncio.Event().wait()
            return 0

    async with asyncio.TaskGroup() as tasks:
        streams = StreamsAtStart(tasks, ProcessClock())
        for frame in (b"1", b"2", b"3"):
            await streams.frames.take(frame, stream="main")
        kept = KeptFrames(streams)
        with structlog.testing.capture_logs() as lines:
            handing_on = tasks.create_task(kept.hand_on(Full(), is_takeover=True))
            await kept.finish(handing_on, GracePeriod(lambda: timedelta(seconds=0.1)))
            await asyncio.wait([handing_on])
            kept.drop(is_noted=True)
    assert handing_on.cancelled()
    assert [(line["event"], line["frames"]) for line in lines] == [("takeover.frames_lost", 3)]
