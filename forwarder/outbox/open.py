"""Opens the outbox that a URL names: for the daemon, to read its history, to change it, and to maintain it.

The only module outside of a store's own package that names a store. It loads the parts of a store when they are used: a command
that reads does not need what the daemon needs, and one store does not need the packages of another.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # a command that reads does not load what only the daemon needs
    from forwarder.core.history import History
    from forwarder.core.monitoring.status import Backlog
    from forwarder.outbox.store import OutboxEditor, OutboxMaintenance, OutboxStore


Location = Path | str
"""A URL such as `sqlite:///var/lib/forwarder/outbox.db`, or the path of an SQLite file."""
_SQLITE = "sqlite:"
_DAY = timedelta(hours=24)


class UnknownStoreError(ValueError):
    """A URL that names a store which this program does not have."""


@asynccontextmanager
async def open_outbox(
    location: Location, *, durability: str = "full", max_size: int | None = None, patience: timedelta | None = None
) -> "AsyncIterator[OutboxStore]":
    """Open the outbox for the daemon. It is made where it is missing, and salvaged where it is damaged.

    `max_size` in bytes; `None` is no limit. `patience` is how long it waits for another daemon to leave the outbox; `None`: not at
    all. On the way out everything that is queued is written first. Raises `OutboxUnusableError`, and what ended the writer.
    """
    from forwarder.outbox.sqlite.file.connection import FileSettings
    from forwarder.outbox.sqlite.opening import open_outbox as open_sqlite_outbox

    settings = FileSettings(path=_sqlite_path(location), durability=durability, max_size=max_size)
    async with open_sqlite_outbox(settings, patience=patience) as outbox:
        yield outbox


@contextmanager
def open_history(location: Location, *, give_up: Callable[[], bool] | None = None) -> "Iterator[History]":
    """Open the outbox to read it, also while a daemon runs; close it soon then. Raises `OutboxUnusableError`.

    `give_up` is asked again and again during a read. Once it returns true, the read ends with `ReadGivenUpError`.
    """
    from forwarder.outbox.sqlite.history import queries

    with queries.open_history(_sqlite_path(location), give_up=give_up) as history:
        yield history


@contextmanager
def open_for_change(location: Location) -> "Iterator[OutboxEditor]":
    """Open the outbox to change it. Raises `OutboxUnusableError`, as in use where a daemon runs."""
    from forwarder.outbox.sqlite.editor import open_editor

    with open_editor(_sqlite_path(location)) as editor:
        yield editor


def maintenance_of(location: Location) -> "OutboxMaintenance":
    """Return what checks, copies and shrinks the outbox as a whole. Nothing is opened yet."""
    from forwarder.outbox.sqlite.maintenance import SqliteMaintenance

    return SqliteMaintenance(_sqlite_path(location))


def require_openable(location: Location) -> None:
    """Raise `OutboxUnusableError` for an outbox that this program could not open: of a newer version, or of another program.

    A daemon may run meanwhile, but not in this process.
    """
    from forwarder.outbox.sqlite import access

    access.require_openable(_sqlite_path(location))


def require_unused(location: Location) -> None:
    """Raise `OutboxUnusableError` where a daemon uses this outbox."""
    from forwarder.outbox.sqlite import access

    access.require_unused(_sqlite_path(location))


def count_waiting(location: Location) -> dict[str, int]:
    """Return how many deliveries wait, by destination; empty where that cannot be read. For the daemon itself, in a thread."""
    from forwarder.outbox.sqlite.history import queries

    return queries.count_waiting(_sqlite_path(location))


def read_backlog(location: Location, *, now: datetime) -> "Backlog":
    """Return what waits, since when, what is dead, and how many gaps of the last 24 hours are not repaired. Raises `OutboxUnusableError`."""
    from forwarder.core.gaps.gap import Repair
    from forwarder.core.history import Query
    from forwarder.core.monitoring.status import Backlog

    since_ms = round((now - _DAY).timestamp() * 1000)
    with open_history(location) as history:
        gaps = list(history.gaps(Query(since_ms=since_ms), stream=None, only_open=False))
        queues = history.queues()
        return Backlog(
            waiting={name: queue.count for name, queue in queues.items()},
            oldest={name: queue.oldest_at for name, queue in queues.items()},
            dead=history.dead_by_destination(),
            recent_gaps=len(gaps),
            unrepaired_gaps=sum(gap["repair"] in {Repair.PARTIAL, Repair.FAILED} for gap in gaps),
            file_bytes=history.file_bytes(),
        )


def _sqlite_path(location: Location) -> Path:
    """Return the path of an SQLite outbox: `sqlite:///absolute`, also with a fourth slash, or `sqlite:relative`."""
    if isinstance(location, Path):
        return location
    if not location.startswith(_SQLITE):
        scheme = location.partition(":")[0]
        raise UnknownStoreError(f"no outbox of the kind {scheme!r} is known; write sqlite:///path/to/outbox.db")
    path = location.removeprefix(_SQLITE)
    return Path("/" + path.lstrip("/")) if path.startswith("//") else Path(path)
