"""What waits in all."""

from forwarder.core.monitoring.status import Backlog, MemoryBacklog, OutboxReport
from forwarder.core.monitoring.whole_backlog import whole_backlog

FILE = Backlog(waiting={"bot": 33}, oldest={"bot": "2026-01-01T00:00:00.000+00:00"}, dead={"bot": 1})


def test_what_is_in_memory_alone_is_added_to_what_is_in_the_file() -> None:
    later = "2026-01-01T00:05:00.000+00:00"
    memory = {"bot": MemoryBacklog(waiting=827, oldest=later), "new": MemoryBacklog(waiting=2, oldest=later)}
    whole = whole_backlog(FILE, OutboxReport(waiting_in_memory=memory))
    assert whole == Backlog(
        waiting={"bot": 860, "new": 2}, oldest={"bot": FILE.oldest["bot"], "new": later}, dead={"bot": 1}
    )


def test_without_anything_in_memory_it_is_what_the_file_has() -> None:
    assert whole_backlog(FILE, OutboxReport()) is FILE
    assert whole_backlog(None, OutboxReport(waiting_in_memory={"bot": MemoryBacklog(waiting=1)})) is None
