"""What a stop leaves of the frames that were kept during a takeover."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

from forwarder.clock import ProcessClock
from forwarder.ingest import Ingest
from forwarder.outbox.connection import FileSettings
from forwarder.outbox.sqlite import open_outbox
from forwarder.stream_side import StreamSide
from tests.core.config.support import load
from tests.support.process import look

START = datetime(2026, 1, 1, tzinfo=UTC)
CONFIG = "streams: [{api_key: k}]\ndestinations:\n  ops: {url: 'http://127.0.0.1:9/'}\nroutes: [{to: ops}]\n"


async def test_frames_that_could_not_be_handed_on_are_counted_and_a_gap_from_the_first_of_them(tmp_path: Path) -> None:
    config = load(CONFIG, {})
    seconds = iter(range(100))
    side = StreamSide(lambda: config, ProcessClock(wall=lambda: START + timedelta(seconds=next(seconds))))
    (stream,) = config.streams
    async with open_outbox(FileSettings(path=tmp_path / "outbox.db")) as outbox:
        side._gaps.note_open(stream.name, START)
        for frame in (b"1", b"2", b"3"):
            await side._gate.take(frame, stream=stream.name)
        await side.begin(outbox, cast("Ingest", None))
        assert side.drop(is_noted=True) == 3
        assert side.drop(is_noted=True) == 0
        side.take_leave(is_handed_over=False)
        await outbox.writer.settle()
    ((began_ms, ended_ms, reason),) = look(tmp_path / "outbox.db", "SELECT began_ms, ended_ms, reason FROM gaps")
    assert START.timestamp() * 1000 < began_ms < START.timestamp() * 1000 + 10_000
    assert ended_ms is None
    assert reason == "forwarder was stopped during a takeover, with 3 frames not taken in"
