"""Notices when files are saved: at once where the system reports it, and by looking every two seconds where it does not.

The folders of the files are watched, because an editor that renames, and Kubernetes, which replaces a link, put another file under the
same name. A report only ends the wait for the next look. What counts is what a look finds: the device, inode, size and times of each file.
"""

import glob
import os
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from functools import partial
from pathlib import Path
from threading import Event
from time import monotonic
from typing import Self

import structlog

from forwarder.configfile.includes import Entry, matches_of
from forwarder.threads import start_in_thread

_LOOK_EVERY_S = 2.0
"""For network file systems, which do not report what other machines save, and for a folder or a link on the way that was replaced."""
_SETTLE_S = 0.05
"""Files are saved when they have not changed for this long. An editor writes in several steps."""
_LONGEST_SETTLE_S = 2.0
_STEP_MS, _DEBOUNCE_MS = 50, 100
"""How long `watchfiles` collects reports. The longer one applies where another file in the folder is written all the time."""

_MOST_IN_VAIN = 20
"""After so many reports without a save, something else in the folder is written all the time, such as an outbox: a report of each of
its commits costs more than to look often."""
_LOOK_AT_BUSY_EVERY_S = 0.25

_Watched = Path | Entry
_Stamp = dict[_Watched, tuple[object, ...] | None]

log = structlog.get_logger(__name__)


async def watch_saves(files: Callable[[], Collection[_Watched]], saved: Callable[[], Awaitable[None]]) -> None:
    """Await `saved` whenever one of the files may have been saved, once all of them are complete. Never returns.

    The files need not exist. Of an entry of `include`, it counts which files match it. `files` is called before each look; while it returns none, nothing is watched.
    """
    over = Event()
    watch = _FileWatch((), set())
    seen: _Stamp = {}  # empty, so that a save before the first look is noticed
    try:
        while True:
            watch = await start_in_thread(partial(watch.renewed, files()), name="watch_saves")
            stamp = await start_in_thread(partial(watch.look, seen, over), name="watch_saves")
            if stamp != seen:
                seen = stamp
                await saved()
    finally:
        over.set()


class _FileWatch:
    """Looks at files until they change, in a thread. A report about one of their folders makes it look at once."""

    def __init__(self, files: Collection[_Watched], folders: set[tuple[str, int, int]]) -> None:
        self._files = files
        self._folders = folders
        self._notify = None
        self._in_vain = 0
        """How many reports came since the last save."""
        self._look_every_s = _LOOK_EVERY_S
        if not folders:
            return
        from watchfiles._rust_notify import RustNotify  # noqa: PLC0415 - it imports anyio, which nothing else here needs

        try:
            self._notify = RustNotify([each for each, _, _ in sorted(folders)], False, False, 0, False, True)
        except (OSError, RuntimeError) as error:  # no inotify, or no watches left: fs.inotify.max_user_watches
            self._report(error)

    def renewed(self, files: Collection[_Watched]) -> Self:
        """Return a watch of these files: this one, or a new one where the folders are others by now."""
        folders = _folders_of(files)
        if folders != self._folders:
            return type(self)(files, folders)
        self._files = files
        return self

    def look(self, seen: _Stamp, over: Event) -> _Stamp:
        """Return what the files are, once that is not `seen` and does not change any more, or after two seconds."""
        end = monotonic() + _LOOK_EVERY_S
        while (stamp := _stamp(self._files)) == seen and not over.is_set() and (left := end - monotonic()) > 0:
            self._wait(left, over)
        if stamp != seen:
            self._in_vain = 0
        end = monotonic() + _LONGEST_SETTLE_S
        while stamp != seen and not over.wait(_SETTLE_S):
            before, stamp = stamp, _stamp(self._files)
            if stamp == before or monotonic() > end:  # a program that never stops writing does not delay it forever
                break
        return stamp

    def _wait(self, longest_s: float, over: Event) -> None:
        """Wait for a report, or for this long where there is none."""
        if self._notify is None:
            over.wait(min(longest_s, self._look_every_s))
            return
        try:
            found = self._notify.watch(_DEBOUNCE_MS, _STEP_MS, max(int(longest_s * 1000), 1), over)
        except (OSError, RuntimeError) as error:
            self._notify = None
            self._report(error)
            return
        if isinstance(found, set):  # else a word that says why it ended
            self._in_vain += 1
        if self._in_vain >= _MOST_IN_VAIN:
            self._notify.close()
            self._notify, self._look_every_s = None, _LOOK_AT_BUSY_EVERY_S

    def _report(self, error: Exception) -> None:
        log.warning(
            "reload.watch_failed",
            reason=str(error) or type(error).__name__,
            note=f"saved edits are seen within {_LOOK_EVERY_S:g} s",
        )


def _stamp(files: Collection[_Watched]) -> _Stamp:
    found: _Stamp = {}
    for file in files:
        if isinstance(file, Entry):
            found[file] = matches_of(file)
            continue
        try:
            now = file.stat()
        except (OSError, ValueError):  # ValueError: a NUL in the name
            found[file] = None
        else:
            found[file] = (now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns, now.st_ctime_ns)
    return found


def _folders_of(files: Collection[_Watched]) -> set[tuple[str, int, int]]:
    """Return the folder that each file is named in and the one that it is really in, with device and inode, where they exist.

    A new folder under the same name has another inode and needs a new watch.
    """
    folders = set()
    named_files = [each for file in files for each in (_paths_of(file) if isinstance(file, Entry) else (file,))]
    for named in {each for file in named_files for each in (file, file.parent / "_")}:
        with suppress(OSError, ValueError):
            folder = os.path.dirname(os.path.realpath(named))  # noqa: PTH120 - a text, as watchfiles takes it
            found = os.stat(folder)  # noqa: PTH116 - of a text
            folders.add((folder, found.st_dev, found.st_ino))
    return folders


def _paths_of(entry: Entry) -> list[Path]:
    """Return a path in each folder where a file may come to match an entry: in the last one without a pattern, and beside each match."""
    fixed = entry.folder / entry.written
    while glob.has_magic(str(fixed.parent)) and fixed.parent != entry.folder:
        fixed = fixed.parent
    return [fixed, *(match.path for match in matches_of(entry))]
