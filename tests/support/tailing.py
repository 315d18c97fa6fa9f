"""`forwarder tail` and its like, as a process whose lines are read as they come."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any


class Tailing:
    """A command that prints what passes."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.notes: list[str] = []
        """What it wrote to standard error."""
        self._changed = asyncio.Event()
        self._has_ended = False

    async def read_notes(self) -> None:
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            self.notes.append(line.decode().rstrip("\n"))
            self._changed.set()
        self._has_ended = True
        self._changed.set()

    async def line(self) -> str:
        """Return the next line; empty at the end."""
        assert self.process.stdout is not None
        async with asyncio.timeout(90):
            return (await self.process.stdout.readline()).decode().rstrip("\n")

    async def record(self) -> dict[str, Any]:
        """Return the next line as JSON."""
        found: dict[str, Any] = json.loads(await self.line())
        return found

    async def lines_until(self, holds: Callable[[str], bool]) -> list[str]:
        """Return the lines up to the first for which that holds."""
        lines = [await self.line()]
        while not holds(lines[-1]):
            assert lines[-1] or self.process.returncode is None, (lines, self.notes)
            lines.append(await self.line())
        return lines

    async def noted(self, text: str) -> None:
        """Return once standard error has a line with this text."""
        async with asyncio.timeout(90):
            while not any(text in note for note in self.notes):
                assert not self._has_ended, self.notes
                self._changed.clear()
                await self._changed.wait()

    async def ended(self, number: signal.Signals = signal.SIGINT) -> int:
        """Send it a signal, and return its exit code."""
        self.process.send_signal(number)
        async with asyncio.timeout(90):
            return await self.process.wait()


@asynccontextmanager
async def tailing(*arguments: str, config: Path) -> AsyncIterator[Tailing]:
    """Run a command of forwarder that prints what passes; it is killed at the end if it is still there."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "forwarder", *arguments, "-c", str(config)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=1 << 22,
    )
    running = Tailing(process)
    reading = asyncio.ensure_future(running.read_notes())
    try:
        yield running
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
        await process.wait()
        await reading
