"""Tells when files were saved: at once where the system tells of it, and by looking every other second where it does not.

Watched are folders, not files: an editor that writes by rename, and Kubernetes, which swaps a link, put another file under the same
name. What the system tells is only a reason to look. What holds is what the files are found to be: their device, inode, size and times.
"""

import asyncio
import os
import stat
from collections.abc import Awaitable, Callable, Collection, Iterator
from contextlib import aclosing, suppress
from dataclasses import dataclass
from pathlib import Path

import structlog

_LOOK_EVERY_S = 2.0
"""For network file systems, which tell nothing of what others save, and for a folder that was replaced."""
_LOOK_SOON_S = 0.2
"""After the watch has begun anew: what was saved before it had is seen then."""
_SETTLE_S = 0.05
"""So long nothing must have changed. An editor writes in several steps."""
_LONGEST_SETTLE_S = 2.0
_STEP_MS, _DEBOUNCE_MS = 50, 100
"""How long `watchfiles` gathers changes. The longer one holds where something else in the folder, such as an outbox, is written all the
time."""
_MAX_LINKS = 40

_Stamp = dict[Path, tuple[int, ...] | None]

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Places:
    """Where something has to happen for a file to be another one."""

    names: frozenset[str] = frozenset()
    """Files and links, by their real folder."""
    folders: frozenset[tuple[str, int, int]] = frozenset()
    """Those that are there, with device and inode: one that was made anew has to be watched anew."""


async def watch_saves(files: Callable[[], Collection[Path]], saved: Callable[[], Awaitable[None]]) -> None:
    """For ever: await `saved` when one of the files may have been saved, once all were left alone for a moment.

    They need not be there. `files` is asked anew each time; nothing is watched while it returns none.
    """
    bell = asyncio.Event()
    places = _Places()
    seen: _Stamp = {}  # as if all had been saved since they were read: some may have been
    async with asyncio.TaskGroup() as group:
        listening = group.create_task(_listen(places, bell))
        while True:
            now = await asyncio.to_thread(_places_of, files())
            has_begun = now != places
            if has_begun:
                listening.cancel()
                places, listening = now, group.create_task(_listen(now, bell))
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_SOON_S if has_begun else _LOOK_EVERY_S):
                    await bell.wait()
            stamp = await asyncio.to_thread(_stamp, files())
            if bell.is_set() or stamp != seen:
                seen = await _settle(files, bell, stamp)
                await saved()


async def _settle(files: Callable[[], Collection[Path]], bell: asyncio.Event, stamp: _Stamp) -> _Stamp:
    """Return what the files are once they stay so. Something that writes without end does not put it off for ever."""
    loop = asyncio.get_running_loop()
    end = loop.time() + _LONGEST_SETTLE_S
    while True:
        bell.clear()
        await asyncio.sleep(_SETTLE_S)
        before, stamp = stamp, await asyncio.to_thread(_stamp, files())
        if (stamp == before and not bell.is_set()) or loop.time() > end:
            return stamp


async def _listen(places: _Places, bell: asyncio.Event) -> None:
    """Ring when the system tells of one of the places. Where it cannot, return: looking now and then has to do."""
    from watchfiles import awatch  # noqa: PLC0415 - it brings anyio, which nothing else here needs

    if not places.folders:
        return
    try:
        changes = awatch(
            *sorted(folder for folder, _, _ in places.folders),
            watch_filter=lambda _change, path: path in places.names,
            debounce=_DEBOUNCE_MS,
            step=_STEP_MS,
            recursive=False,
            ignore_permission_denied=True,
        )
        async with aclosing(changes):
            async for _ in changes:
                bell.set()
    except (
        OSError,
        RuntimeError,
        ExceptionGroup,
    ) as error:  # no inotify, or no more watches to be had: fs.inotify.max_user_watches
        log.warning(
            "reload.watch_failed",
            reason=str(error) or type(error).__name__,
            note=f"saved edits are seen within {_LOOK_EVERY_S:g} s",
        )


def _stamp(files: Collection[Path]) -> _Stamp:
    found: _Stamp = {}
    for file in files:
        try:
            now = file.stat()
        except (OSError, ValueError):  # ValueError: a NUL in the name
            found[file] = None
        else:
            found[file] = (now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns, now.st_ctime_ns)
    return found


def _places_of(files: Collection[Path]) -> _Places:
    names = frozenset(name for file in files for name in _steps(str(file.absolute())))
    folders = set()
    for folder in {os.path.dirname(name) for name in names}:  # noqa: PTH120 - texts, as watchfiles has them
        with suppress(OSError, ValueError):
            found = os.stat(folder)  # noqa: PTH116
            if stat.S_ISDIR(found.st_mode):
                folders.add((folder, found.st_dev, found.st_ino))
    return _Places(names, frozenset(folders))


def _steps(path: str) -> Iterator[str]:
    """Yield every link on the way to a file, and the file, each by its real folder; and the first that is not there."""
    waiting = [part for part in reversed(path.split("/")) if part not in {"", "."}]
    at, links = "", 0
    while waiting:
        part = waiting.pop()
        if part == "..":
            at = at.rpartition("/")[0]
            continue
        name = f"{at}/{part}"
        try:
            target = os.readlink(name)  # noqa: PTH115
        except FileNotFoundError:
            yield name
            return
        except (OSError, ValueError):  # no link
            at = name
            continue
        yield name
        links += 1
        if links > _MAX_LINKS:
            return
        at = "" if target.startswith("/") else at
        waiting += [each for each in reversed(target.split("/")) if each not in {"", "."}]
    yield at
