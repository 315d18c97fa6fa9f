"""What `emulate` and `listen` print: readable lines for people, or one JSON object per line for scripts."""

import argparse
import asyncio
import json
import math
import signal
import sys
from collections.abc import Callable

from rich.console import Console
from rich.text import Text

from forwarder.core.durations import read_duration
from forwarder.core.networks import is_address
from forwarder.core.url import UrlError, read_host


class Lines:
    """Standard output, a line at a time and flushed. Colours only on a terminal, and not with NO_COLOR."""

    def __init__(self, *, as_json: bool, on_broken_pipe: Callable[[], None]) -> None:
        """`on_broken_pipe` is called once when nobody reads any more; later lines go nowhere."""
        if hasattr(sys.stdout, "reconfigure"):
            sys.stdout.reconfigure(errors="backslashreplace")
        self.as_json = as_json
        self._on_broken_pipe = on_broken_pipe
        self._console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
        self.broken = False

    def say(self, line: Text | str) -> None:
        """Print for people; nothing with --json."""
        if not self.as_json:
            self._write(lambda: self._console.print(line))

    def record(self, event: str, **fields: object) -> None:
        """Print for scripts; nothing without --json."""
        if self.as_json:
            line = json.dumps({"event": event, **fields}, ensure_ascii=False, default=str)
            self._write(lambda: print(line, flush=True))

    def _write(self, write: Callable[[], None]) -> None:
        if self.broken:
            return
        try:
            write()
        except (BrokenPipeError, SystemExit):  # rich turns the one into the other
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
    """Return the sentence for a port that cannot be had."""
    reason = (error.strerror or str(error)).lower()
    return f"cannot listen on {host}:{port}: {reason}; choose another with --port (0 takes any that is free)"


# Types of arguments. argparse shows the message of an ArgumentTypeError as it is.


def port(text: str) -> int:
    """Return a TCP port; 0 is any that is free."""
    if text.isascii() and text.isdigit() and int(text) < 65536:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no port (0 to 65535)")


def host(text: str) -> str:
    """Return an address or a name to listen at."""
    try:
        return text if is_address(text) else read_host(text)
    except UrlError:
        raise argparse.ArgumentTypeError(f"{text!r} is neither an address nor the name of a host") from None


def seconds(text: str) -> float:
    """Return a duration such as `5s`, `250ms` or `2` (seconds), in seconds."""
    try:
        value = float(text)
    except ValueError:
        try:
            value = read_duration(text).total_seconds()
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is no duration (such as 250ms, 5s, 10m)") from None
    if not math.isfinite(value) or value < 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no duration (such as 250ms, 5s, 10m)")
    return value


def positive_seconds(text: str) -> float:
    """Return a duration above zero, in seconds."""
    if (value := seconds(text)) > 0:
        return value
    raise argparse.ArgumentTypeError(f"{text!r}: must be more than zero")


def rate(text: str) -> float:
    """Return events per second, above zero; `200` and `200/s` are the same."""
    try:
        value = float(text.removesuffix("/s"))
    except ValueError:
        value = math.nan
    if math.isfinite(value) and value > 0:
        return value
    raise argparse.ArgumentTypeError(f"{text!r} is no rate (events per second, above 0)")


def count(text: str) -> int:
    """Return a whole number from 1 on."""
    if text.isascii() and text.isdigit() and int(text) > 0:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 on")


def status(text: str) -> int:
    """Return a final HTTP status."""
    if text.isascii() and text.isdigit() and 200 <= int(text) <= 599:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no HTTP status (200 to 599)")
