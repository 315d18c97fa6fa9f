"""What waits in all: in the file of the outbox, and in memory while the file cannot be written. Pure."""

import msgspec

from forwarder.core.monitoring.status import Backlog, OutboxReport


def whole_backlog(backlog: Backlog | None, outbox: OutboxReport) -> Backlog | None:
    """Return what the file holds together with what is in memory alone; `None` where the file cannot be read."""
    if backlog is None or not outbox.waiting_in_memory:
        return backlog
    waiting, oldest = dict(backlog.waiting), dict(backlog.oldest)
    for name, memory in outbox.waiting_in_memory.items():
        waiting[name] = waiting.get(name, 0) + memory.waiting
        oldest.setdefault(name, memory.oldest)  # what is in the file came before what is not
    return msgspec.structs.replace(backlog, waiting=waiting, oldest=oldest)
