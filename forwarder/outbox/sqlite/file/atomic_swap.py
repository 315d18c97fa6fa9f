"""Puts a new outbox file in the place of another one. Where that is interrupted, the next start completes it."""

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from forwarder.outbox.sqlite.file.lock import sync_folder
from forwarder.outbox.sqlite.file.names import SHARED_MEMORY, WAL, beside

SUFFIXES = ("", WAL, SHARED_MEMORY)
_READY = ".salvaged"


def make_ready(path: Path, made: Path) -> None:
    """Mark `made`, which is closed and synced, as the new outbox: `finish` puts it in place, now or at the next start."""
    made.rename(beside(path, _READY))
    sync_folder(path.parent)


def finish(path: Path, aside: Path | None = None) -> None:
    """Where a new file is ready, set the present one aside, by default under a new name, and put the new one there."""
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
    """Return a name with the present time that no file has."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    aside = beside(path, f".damaged-{stamp}")
    number = 1
    while aside.exists():
        number += 1
        aside = beside(path, f".damaged-{stamp}-{number}")
    return aside
