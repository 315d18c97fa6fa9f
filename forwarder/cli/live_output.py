"""Prints what passes, line by line, until a signal. It waits for its terminal; the daemon does not wait for it."""

import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType

import msgspec

from forwarder.cli import exit_codes
from forwarder.cli.listing import screen_width
from forwarder.cli.live_filters import Wants
from forwarder.cli.live_lines import LineLayout
from forwarder.cli.live_watch import LiveWatch
from forwarder.cli.terminal import with_colours
from forwarder.core.monitoring.live import Lost, PassingAttempt, PassingEvent
from forwarder.logs.colour import takes_colour

_DECODER: msgspec.json.Decoder[PassingEvent | PassingAttempt | Lost] = msgspec.json.Decoder(
    PassingEvent | PassingAttempt | Lost
)


def read_line(line: bytes) -> PassingEvent | PassingAttempt | Lost | None:
    """Return what a line of the daemon says; `None` if only a later version understands it."""
    try:
        return _DECODER.decode(line)
    except msgspec.DecodeError:
        return None


class LiveOutput:
    """Prints lines for people, with colours on a terminal, or as JSON."""

    def __init__(self, *, as_json: bool, is_wide: bool) -> None:
        if hasattr(sys.stdout, "reconfigure"):
            sys.stdout.reconfigure(errors="backslashreplace")
        self._as_json = as_json
        self._layout = LineLayout(width=None if is_wide else screen_width())
        self._colours = with_colours(sys.stdout) if takes_colour(1) and not as_json else None

    def show(self, item: PassingEvent | PassingAttempt | Lost) -> None:
        """Print a line."""
        if self._as_json:
            if not isinstance(item, Lost) and item.body is not None:
                item = msgspec.structs.replace(item, body=None)
            print(msgspec.json.encode(item).decode(), flush=True)
            return
        self._layout.width = None if self._layout.width is None else screen_width()
        line = self._layout.line(item)
        if self._colours is None:
            print(line.plain, flush=True)
        else:
            self._colours.write(f"{line.coloured}\n")
            self._colours.flush()


def print_until_stopped(watch: LiveWatch, output: LiveOutput, wanted: Sequence[Wants] = ()) -> int:
    """Print what passes and is wanted by each filter until SIGINT or SIGTERM; return the exit code."""
    signal.signal(signal.SIGTERM, _stop)
    try:
        for line in watch.lines():
            item = read_line(line)
            if item is not None and (isinstance(item, Lost) or all(wants(item) for wants in wanted)):
                output.show(item)
    except KeyboardInterrupt:
        _drop_what_is_not_written()
    return exit_codes.OK


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _drop_what_is_not_written() -> None:
    """Have the end of the process not wait for a terminal that stands still."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
