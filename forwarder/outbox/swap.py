"""A whole new outbox file in the place of another one: whenever this is cut off, the next start goes on with it."""

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from forwarder.outbox.lock import sync_folder

SUFFIXES = ("", "-wal", "-shm")
_READY = ".salvaged"


def beside(path: Path, suffix: str) -> Path:
    """Return the path of a file that belongs to the outbox."""
    return path.with_name(path.name + suffix)


def make_ready(path: Path, made: Path) -> None:
    """Note that `made`, closed and synced, is to be the outbox: `finish` puts it in its place, now or at the next start."""
    made.rename(beside(path, _READY))
    sync_folder(path.parent)


def finish(path: Path, aside: Path | None = None) -> None:
    """Where a new file is ready, set aside what stands in its place, by default under a new name, and put it there."""
    ready = beside(path, _READY)
    if not ready.exists():
        return
    aside = aside or name_aside(path)
    for suffix in reversed(SUFFIXES):  # the file itself last
        with suppress(FileNotFoundError):
            beside(path, suffix).rename(beside(aside, suffix))
    sync_folder(path.parent)
    ready.rename(path)
    sync_folder(path.parent)


def name_aside(path: Path) -> Path:
    """Return a name with the time that nothing has yet."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    aside = beside(path, f".damaged-{stamp}")
    number = 1
    while aside.exists():
        number += 1
        aside = beside(path, f".damaged-{stamp}-{number}")
    return aside
