"""When it counts as an outage that the outbox cannot be written, and what is logged of it."""

from pathlib import Path

from structlog.typing import EventDict

from forwarder.outbox.sqlite.file.connection import FileSettings
from forwarder.outbox.sqlite.file.database import Database
from forwarder.outbox.sqlite.file.file_guard import FileGuard
from forwarder.outbox.sqlite.file.problems import WriteFault
from forwarder.outbox.sqlite.write_outage import WriteOutage


def test_an_outage_is_logged_once_and_ends_with_a_write(path: Path, logged: list[EventDict]) -> None:
    database = Database(FileSettings(path=path))
    guard = FileGuard(database)
    outage = WriteOutage(database, guard)
    seen: list[str | None] = []
    outage.note_failure(WriteFault.BUSY, "locked", events_in_memory=1)
    seen.append(outage.trouble)  # for a moment that is usual
    outage.note_failure(WriteFault.FULL, "full", events_in_memory=1)
    outage.note_failure(WriteFault.FULL, "still full", events_in_memory=2)
    seen.append(outage.trouble)
    guard.gone = "deleted"
    seen.append(outage.trouble)
    guard.gone = None
    outage.note_success()
    assert [*seen, outage.trouble] == [None, "still full", "deleted", None]
    assert [line["event"] for line in logged] == ["outbox.degraded", "outbox.recovered"]
