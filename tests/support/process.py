"""The real daemon, as a process of its own, with its log read as it comes."""

import asyncio
import json
import os
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

KEY = "test-key"


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
    """One run of `forwarder run`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[dict[str, Any]] = []
        self._news = asyncio.Condition()

    async def read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            async with self._news:
                self.lines.append(json.loads(line))
                self._news.notify_all()

    async def wait_for(self, event: str, *, count: int = 1, limit_s: float = 20, **fields: object) -> dict[str, Any]:
        """Return the `count`th log line of that name and with those fields, once it is there."""

        def found() -> list[dict[str, Any]]:
            return [line for line in self.lines if line["event"] == event and fields.items() <= line.items()]

        async with asyncio.timeout(limit_s), self._news:
            await self._news.wait_for(lambda: len(found()) >= count)
        return found()[count - 1]

    async def wait_where(
        self, holds: Callable[[dict[str, Any]], bool], *, after: int = 0, limit_s: float = 20
    ) -> dict[str, Any]:
        """Return the first log line from number `after` on for which that holds, once it is there."""

        def found() -> dict[str, Any] | None:
            return next(filter(holds, self.lines[after:]), None)

        async with asyncio.timeout(limit_s), self._news:
            await self._news.wait_for(lambda: found() is not None)
        line = found()
        assert line is not None
        return line

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def ended(self, limit_s: float = 20) -> int:
        async with asyncio.timeout(limit_s):
            return await self.process.wait()


@asynccontextmanager
async def forwarder(
    config: Path, *more: str, env: Mapping[str, str] | None = None, module: str = "forwarder"
) -> AsyncIterator[Forwarder]:
    """Run the daemon, with more arguments; killed at the end if it is still there. `module` is what Python runs."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module, "run", "-c", str(config), *more),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, **(env or {})},
        limit=1 << 20,
    )
    running = Forwarder(process)
    reading = asyncio.ensure_future(running.read())
    try:
        yield running
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await reading


async def command(*arguments: str, cwd: Path | None = None, limit_s: float = 30) -> tuple[int, str, str]:
    """Run one command to its end; return its exit code, what it printed, and what it complained about."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "forwarder", *arguments),
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
    """Whether SQLite finds the whole file in order."""
    return look(path, "PRAGMA integrity_check") == [("ok",)]
