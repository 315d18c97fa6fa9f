"""The real daemon as a process of its own, with its log read as it comes, and commands."""

import asyncio
import json
import os
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import IO, Any

from tests.support import same_process

KEY = "test-key"
PROGRAM = (sys.executable, "-m", "forwarder")
LOG_ALL = ("--log-level", "debug")
"""With these arguments a daemon logs each delivery; without them only those that something happened to."""
_SHOWN_LINES = 40
HANDLE_SIGNALS = {"run", "demo", "emulate", "listen", "tail", "top"}
"""Commands that run until a signal: they need a process of their own."""


def write_config(
    folder: Path, *, stream: str, destinations: Mapping[str, str], extra: str = "", each: str = "", key: str = KEY
) -> Path:
    """Write a config in which every destination gets every event, and return its path; `each` is a setting of each."""
    named = "\n".join(f"  {name}:\n    url: {url}\n    {each}".rstrip() for name, url in destinations.items())
    path = folder / "config.yaml"
    path.write_text(
        f"streams:\n  - url: {stream}\n    api_key: {key}\n    use_fast_x: true\n"
        f"outbox:\n  url: sqlite:outbox.db\ndestinations:\n{named}\n"
        f"routes:\n  - name: everything\n    to: [{', '.join(destinations)}]\n{extra}",
        encoding="utf-8",
    )
    return path


class Forwarder:
    """Is one run of `forwarder run`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[dict[str, Any]] = []
        self._news = asyncio.Condition()
        self._is_read = False
        """Its log has ended, and with it the process: no other line comes."""

    async def read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            async with self._news:
                self.lines.append(json.loads(line))
                self._news.notify_all()
        async with self._news:
            self._is_read = True
            self._news.notify_all()

    async def wait_for(self, event: str, *, count: int = 1, limit_s: float = 90, **fields: object) -> dict[str, Any]:
        """Return the `count`th log line of that name and with those fields, once it is there."""

        def found() -> list[dict[str, Any]]:
            return [line for line in self.lines if line["event"] == event and fields.items() <= line.items()]

        async with asyncio.timeout(limit_s), self._news:
            await self._news.wait_for(lambda: len(found()) >= count or self._is_read)
        assert len(found()) >= count, f"the daemon's log ended without {event} {fields or ''}"
        return found()[count - 1]

    async def wait_where(
        self, holds: Callable[[dict[str, Any]], bool], *, after: int = 0, limit_s: float = 90
    ) -> dict[str, Any]:
        """Return the first log line from number `after` on for which that holds, once it is there."""

        def found() -> dict[str, Any] | None:
            return next(filter(holds, self.lines[after:]), None)

        async with asyncio.timeout(limit_s), self._news:
            await self._news.wait_for(lambda: found() is not None or self._is_read)
        line = found()
        assert line is not None, "the daemon's log ended without the line that was waited for"
        return line

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def ended(self, limit_s: float = 90) -> int:
        async with asyncio.timeout(limit_s):
            return await self.process.wait()

    def assert_no_bug(self) -> None:
        """Assert that no error of our own ended it: a test that expects an end, or kills it anyway, would not notice."""
        bugs = [line for line in self.lines if line["event"] == "daemon.failed" and "a bug" in line.get("note", "")]
        assert not bugs, bugs


@asynccontextmanager
async def forwarder(
    config: Path,
    *more: str,
    env: Mapping[str, str] | None = None,
    program: Sequence[str] = PROGRAM,
    stderr: IO[bytes] | None = None,
) -> AsyncIterator[Forwarder]:
    """Run the daemon, with more arguments; killed at the end if it is still there. `program` is what is run."""
    process = await asyncio.create_subprocess_exec(
        *(*program, "run", "-c", str(config), *more),
        stdout=asyncio.subprocess.PIPE,
        stderr=stderr,
        env={**os.environ, **(env or {})},
        limit=1 << 22,
    )
    running = Forwarder(process)
    reading = asyncio.ensure_future(running.read())
    try:
        yield running
    except BaseException:
        end = "\n".join(json.dumps(line) for line in running.lines[-_SHOWN_LINES:])
        sys.stderr.write(
            f"the daemon's exit code: {process.returncode}; the end of its log:\n{end}\n"
        )  # shown if the test fails
        raise
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
        await process.wait()
        await reading
    running.assert_no_bug()


async def command(*arguments: str, cwd: Path | None = None, limit_s: float = 90) -> tuple[int, str, str]:
    """Run one command to its end; return its exit code, its standard output and its standard error.

    It runs in this process where that is possible; `command_as_process` always starts a process.
    """
    if arguments[:1] and arguments[0] in HANDLE_SIGNALS:
        return await command_as_process(*arguments, cwd=cwd, limit_s=limit_s)
    async with asyncio.timeout(limit_s):
        return await same_process.run(*arguments, cwd=cwd)


async def command_as_process(*arguments: str, cwd: Path | None = None, limit_s: float = 90) -> tuple[int, str, str]:
    """Run one command in a process of its own to its end."""
    process = await asyncio.create_subprocess_exec(
        *(*PROGRAM, *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=cwd,
    )
    async with asyncio.timeout(limit_s):
        out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


def look(path: Path, statement: str) -> list[tuple[Any, ...]]:
    """Return the rows of a query on an outbox, read-only."""
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        return connection.execute(statement).fetchall()
    finally:
        connection.close()


def is_sound(path: Path) -> bool:
    """Return whether SQLite finds the whole file intact."""
    return look(path, "PRAGMA integrity_check") == [("ok",)]
