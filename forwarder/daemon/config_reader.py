"""Reads a config for a reload, and does not wait for a file system that does not respond.

A thread that waits for a file cannot be ended. It is left alone, and no other one follows it until the file system responds again.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from time import monotonic
from typing import TypeVar

import structlog

from forwarder.configfile.snapshot import Files
from forwarder.core.monitoring.status import HangingReloadReport
from forwarder.core.ports import Clock
from forwarder.threads import start_in_thread

FILE_WITHIN_S = 20.0
"""How long one file may take. Of a disk that responds, even 64 MiB take less."""
REST_WITHIN_S = 110.0
"""How long everything between two files may take. Ten thousand routes take some seconds; `forwarder reload` waits for 120 s."""
_SHOWN_AFTER_S = 3.0
"""How long a file may take before the status shows it."""
_LOOK_EVERY_S = 0.5

_T = TypeVar("_T")

log = structlog.get_logger(__name__)


class ReloadHangsError(Exception):
    """The config is not read, because reading a file, now or in an earlier reload, has not ended; the text says which file."""


class ConfigReader:
    """Calls functions that read files in threads, each with a time limit."""

    def __init__(self, file: Path, *, clock: Clock, responds_again: Callable[[], None]) -> None:
        """`file` is named where no other file is being read. `responds_again` is called when a thread that was left alone has ended."""
        self._file = file
        self._clock = clock
        self._responds_again = responds_again
        self._read: list[Files] = []
        self._left_alone: list[Files] = []

    async def run(self, work: Callable[[Files], _T]) -> _T:
        """Return what `work` returns, which is called in a thread and reads files through its argument. Raises `ReloadHangsError`."""
        if self._left_alone:
            raise ReloadHangsError(self._sentence(self._left_alone[0]))
        files = Files()
        self._read.append(files)
        done = start_in_thread(partial(work, files), name="reload")
        try:
            while not done.done():
                await asyncio.wait([done], timeout=_LOOK_EVERY_S)
                if not done.done() and _is_over(files):
                    self._leave_alone(files, done)
                    raise ReloadHangsError(self._sentence(files))
        finally:
            self._read.remove(files)
        return done.result()

    def status(self) -> HangingReloadReport | None:
        """Return which file a reload has been reading for some seconds; `None` where there is none."""
        slow = [files for files in self._read if files.step.file is not None and _age_s(files) > _SHOWN_AFTER_S]
        for files in (*self._left_alone, *slow):
            return HangingReloadReport(file=str(self._file_of(files)), since=self._since(files))
        return None

    def _leave_alone(self, files: Files, done: asyncio.Future[_T]) -> None:
        self._left_alone.append(files)
        file = str(self._file_of(files))

        def note_end(_done: asyncio.Future[_T]) -> None:
            self._left_alone.remove(files)
            log.info("reload.responds_again", file=file, note="the config is read again")
            self._responds_again()

        done.add_done_callback(note_end)

    def _sentence(self, files: Files) -> str:
        since, file = self._since(files), files.step.file
        if file is None:
            return f"{self._file.absolute()}: to check it has not ended since {since}"
        return f"{file}: to read it has not ended since {since}: its file system does not respond"

    def _file_of(self, files: Files) -> Path:
        return files.step.file or self._file.absolute()

    def _since(self, files: Files) -> str:
        began: datetime = self._clock() - timedelta(seconds=_age_s(files))
        return began.isoformat(timespec="seconds")


def _is_over(files: Files) -> bool:
    return _age_s(files) > (REST_WITHIN_S if files.step.file is None else FILE_WITHIN_S)


def _age_s(files: Files) -> float:
    return monotonic() - files.step.since_s
