"""Prints for `emulate`, `listen` and `tail`: readable lines for people, or one JSON object per line for scripts."""

import asyncio
import json
import signal
import sys
from collections.abc import Callable

from rich.console import Console
from rich.text import Text

from forwarder.cli.terminal import with_colours
from forwarder.core.visible import escaped


class TerminalOutput(Console):
    """A console without markup. If nobody reads the output, it raises `BrokenPipeError`; rich itself would end the process with 1."""

    def __init__(self, *, soft_wrap: bool = False) -> None:
        super().__init__(file=with_colours(sys.stdout), highlight=False, markup=False, emoji=False, soft_wrap=soft_wrap)

    def on_broken_pipe(self) -> None:
        """Raise what has been raised."""
        raise BrokenPipeError


class LineOutput:
    """Prints line by line, and flushes each. Uses colours only on a terminal, and not with NO_COLOR."""

    def __init__(self, *, as_json: bool, on_broken_pipe: Callable[[], None]) -> None:
        """`on_broken_pipe` is called once when nobody reads the output; later lines are dropped."""
        if hasattr(sys.stdout, "reconfigure"):
            sys.stdout.reconfigure(errors="backslashreplace")
        self.as_json = as_json
        self._on_broken_pipe = on_broken_pipe
        self._console = TerminalOutput(soft_wrap=True)
        self.broken = False

    def say(self, line: Text | str) -> None:
        """Print a line for people; print nothing with --json."""
        if not self.as_json:
            plain = line if isinstance(line, str) else line.plain
            harmless = line if escaped(plain) == plain else escaped(plain)
            self._write(lambda: self._console.print(harmless))

    def record(self, event: str, **fields: object) -> None:
        """Print a line for scripts; print nothing without --json."""
        if self.as_json:
            line = escaped(json.dumps({"event": event, **fields}, ensure_ascii=False, default=str))
            self._write(lambda: print(line, flush=True))

    def _write(self, write: Callable[[], None]) -> None:
        if self.broken:
            return
        try:
            write()
        except BrokenPipeError:
            self.broken = True
            self._on_broken_pipe()


def stop_on_signals() -> asyncio.Event:
    """Return an event that SIGINT and SIGTERM set."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    return stop


def cannot_listen(host: str, port: int, error: OSError) -> str:
    """Return the sentence for a port that cannot be used."""
    reason = (error.strerror or str(error)).lower()
    return f"cannot listen on {host}:{port}: {reason}; choose another with --port (0 takes any free port)"
