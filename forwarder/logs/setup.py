"""The format of log lines on standard output: readable on a terminal, one JSON object per line everywhere else.

Logging never waits for the reader of the log: a thread writes (`forwarder.logs.line_writer`). The same is true of what Python itself
writes to standard error in a daemon: warnings, tracebacks, and messages of libraries.
"""

import atexit
import io
import json
import os
import sys
from datetime import UTC, datetime
from time import monotonic
from typing import Literal

import msgspec
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from forwarder.core.counted import counted
from forwarder.core.monitoring.status import LogReport
from forwarder.core.visible import escaped
from forwarder.logs.colour import takes_colour
from forwarder.logs.console import ConsoleRenderer, terminal_width
from forwarder.logs.level import LEVEL
from forwarder.logs.line_writer import LineWriter, Loss

LogFormat = Literal["auto", "console", "json"]

_FINAL_FLUSH_S = 1.0
"""How long the end of the process waits for lines that are not written yet."""
_ERROR_BYTES = 256 * 1024
"""The limit of what is held in memory of standard error."""
_PRIORITIES = {"debug": b"<7>", "info": b"<6>", "warning": b"<4>", "error": b"<3>", "critical": b"<2>"}
"""The prefixes by which the journal recognises the priority of a line (sd-daemon(3))."""

_writers: dict[int, LineWriter] = {}
"""The writers of this process, by file descriptor."""


def configure_logging(*, level: str, format_: LogFormat, is_final: bool = False) -> None:
    """Set up structlog for the process, once. `auto` chooses the format by whether standard output is a terminal.

    `is_final`: no other setup follows in this process, so loggers can be cached.
    """
    descriptor = _descriptor(sys.stdout, 1)
    is_console = format_ == "console" or (format_ == "auto" and os.isatty(descriptor))
    processors: list[Processor] = (
        [
            structlog.processors.format_exc_info,
            ConsoleRenderer(colours=takes_colour(descriptor), width=terminal_width),
        ]
        if is_console
        else [_render_json]
    )
    LEVEL.start(level)
    structlog.configure(
        processors=processors,
        wrapper_class=LEVEL.logger_class,
        logger_factory=LineLogger(descriptor, processors),
        cache_logger_on_first_use=is_final,
    )


class LineLogger:
    """Takes whole lines from structlog. Warnings and errors are written at once, other lines soon.

    `kill -9` loses the lines of the last ten milliseconds, and no event.
    """

    def __init__(self, descriptor: int, processors: list[Processor]) -> None:
        self._processors = processors
        self._is_journal = is_journal(descriptor)
        self._writer = _writers[descriptor] = LineWriter(descriptor, write_loss=self._loss)

    def __call__(self, *_: object) -> "LineLogger":
        """Return the logger: the same for every name."""
        return self

    def debug(self, line: bytes) -> None:
        """Write it soon."""
        self._writer.add(self._prefixed(line, "debug") if self._is_journal else line)

    def info(self, line: bytes) -> None:
        """Write it soon."""
        self._writer.add(self._prefixed(line, "info") if self._is_journal else line)

    def warning(self, line: bytes) -> None:
        """Write it now."""
        self._writer.add(self._prefixed(line, "warning"), is_urgent=True)

    def error(self, line: bytes) -> None:
        """Write it now."""
        self._writer.add(self._prefixed(line, "error"), is_urgent=True)

    def critical(self, line: bytes) -> None:
        """Write it now."""
        self._writer.add(self._prefixed(line, "critical"), is_urgent=True)

    def _prefixed(self, line: bytes, level: str) -> bytes:
        """Return the line with its priority for the journal, unchanged for others. Each line of a traceback gets it: they are separate entries."""
        if not self._is_journal:
            return line
        prefix = _PRIORITIES[level]
        return prefix + line.replace(b"\n", b"\n" + prefix)

    def _loss(self, loss: Loss) -> bytes:
        fields: EventDict = {
            "lines_dropped": loss.dropped,
            "warnings_dropped": loss.warnings,
            "reason": loss.reason,
            "lasted_s": loss.lasted_s,
            "note": "the log could not be written; deliveries were not affected",
            "event": "log.interrupted",
        }
        rendered: object = fields
        for processor in self._processors:
            rendered = processor(self, "warning", rendered)  # type: ignore[arg-type] # the last one returns bytes
        assert isinstance(rendered, bytes)  # noqa: S101 - each chain ends with bytes
        return self._prefixed(rendered, "warning")


def protect_standard_error() -> None:
    """Have standard error written from a thread too, until the process ends."""
    if _descriptor(sys.stderr, -1) == 2 and 2 not in _writers:
        sys.stderr = io.TextIOWrapper(
            _StandardError(), encoding="utf-8", errors="backslashreplace", line_buffering=True, write_through=True
        )


class _StandardError(io.RawIOBase):
    """Is standard error as a file that never blocks: it takes bytes and has whole lines written."""

    def __init__(self) -> None:
        self._begun = b""
        self._writer = _writers[2] = LineWriter(2, write_loss=self._loss, max_bytes=_ERROR_BYTES, reserve_bytes=0)

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return 2

    def isatty(self) -> bool:
        return os.isatty(2)

    def write(self, data: "bytes | bytearray | memoryview", /) -> int:  # type: ignore[override] # it takes fewer types than its base class
        *lines, self._begun = (self._begun + bytes(data)).split(b"\n")
        is_marked = bool(lines) and is_journal(2)
        for line in lines:
            self._writer.add(_priority(line) + line if is_marked else line, is_urgent=True)
        return len(data)

    def end_line(self) -> None:
        """Have a line written that has no line feed yet."""
        if self._begun:
            self.write(b"\n")

    def close(self) -> None:
        """Leave the descriptor open, because it belongs to the process."""

    def _loss(self, loss: Loss) -> bytes:
        line = f"warning: {counted(loss.dropped, 'line')} could not be written here: {loss.reason}".encode()
        return _priority(line) + line if is_journal(2) else line


def _priority(line: bytes) -> bytes:
    return _PRIORITIES["warning" if line.startswith(b"warning:") else "error"]


def is_journal(descriptor: int) -> bool:
    """Return whether this is a stream to the journal, as systemd says in `JOURNAL_STREAM` (systemd.exec(5))."""
    stream = os.environ.get("JOURNAL_STREAM")
    if not stream:
        return False
    try:
        found = os.fstat(descriptor)
    except OSError:
        return False
    return stream == f"{found.st_dev}:{found.st_ino}"


def flush(descriptor: int, *, within_s: float = _FINAL_FLUSH_S) -> None:
    """Wait until all lines for that descriptor are written, for `within_s` at most."""
    if (writer := _writers.get(descriptor)) is not None:
        writer.flush(within_s=within_s)


def log_status() -> LogReport:
    """Return how many lines were dropped so far, and why the log cannot be written now."""
    writer = _writers.get(_descriptor(sys.stdout, 1))
    return LogReport(
        lines_dropped=0 if writer is None else writer.dropped,
        trouble=None if writer is None else writer.problem(),
    )


@atexit.register
def _flush_at_exit() -> None:
    """Write what is left, unless nobody reads it."""
    errors: object = getattr(sys.stderr, "buffer", None)
    if isinstance(errors, _StandardError):
        errors.end_line()
    until = monotonic() + _FINAL_FLUSH_S
    for writer in _writers.values():
        writer.close(within_s=max(until - monotonic(), 0))


def _descriptor(file: object, default: int) -> int:
    """Return the file descriptor of a standard stream, or the default if it has none, as under a test."""
    try:
        number: int = file.fileno()  # type: ignore[attr-defined] # None where it is closed
    except (AttributeError, OSError, ValueError):
        return default
    return number


_encode = msgspec.json.Encoder(enc_hook=str).encode


def _render_json(logger: WrappedLogger, method: str, fields: EventDict) -> bytes:
    """Return the line as JSON. One function in place of four of structlog, because at debug a line is written for every delivery.

    The event and the level come first, because `systemctl status` cuts long lines off.
    """
    if "exc_info" in fields:
        fields = structlog.processors.format_exc_info(logger, method, fields)
    line = {"event": fields.pop("event", ""), "level": method, **fields}
    line["timestamp"] = datetime.now(UTC).isoformat()[:-6] + "Z"
    try:
        text = _encode(line)
        if text.isascii() and b"\x7f" not in text:
            return text
        return escaped(text.decode()).encode()  # characters that would act upon a terminal
    except UnicodeEncodeError:  # half a surrogate pair
        return json.dumps(line, default=str).encode()
