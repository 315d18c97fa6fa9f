"""How log lines look: readable on a terminal, one JSON object a line everywhere else. On standard output."""

import asyncio
import atexit
import json
import logging
import sys
from datetime import UTC, datetime
from typing import Literal, TextIO

import msgspec
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

LogFormat = Literal["auto", "console", "json"]


_GATHER_S = 0.01


def configure_logging(*, level: str, format_: LogFormat, is_buffered: bool = False) -> None:
    """Set up structlog for the process, once; `auto` chooses by whether standard output is a terminal."""
    is_console = format_ == "console" or (format_ == "auto" and sys.stdout.isatty())
    processors: list[Processor] = (
        [
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%H:%M:%S.%f", utc=False),
            _escape_control_characters,
            # The plain formatter: a pretty one would print the values of local variables, secrets among them.
            structlog.dev.ConsoleRenderer(
                colors=sys.stdout.isatty(),
                exception_formatter=structlog.dev.plain_traceback,
                pad_event_to=26,
                sort_keys=False,
            ),
        ]
        if is_console
        else [_render_json]
    )
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=Lines(sys.stdout) if is_buffered else structlog.WriteLoggerFactory(),
        cache_logger_on_first_use=is_buffered,
    )


class Lines:
    """Standard output, where lines that report nothing wrong are gathered for ten milliseconds and written at once.

    A write a line would cost as much as a third of a delivery; `kill -9` costs the lines of that time, and no event.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._lines: list[str] = []
        atexit.register(self.flush)

    def __call__(self, *_: object) -> "Lines":
        """Return the logger of any name."""
        return self

    def info(self, line: str) -> None:
        """Write it soon."""
        self._lines.append(line)
        if len(self._lines) == 1:
            try:
                asyncio.get_running_loop().call_later(_GATHER_S, self.flush)
            except RuntimeError:  # no loop yet, or no more
                self.flush()

    debug = info

    def warning(self, line: str) -> None:
        """Write it now."""
        self._lines.append(line)
        self.flush()

    error = critical = warning

    def flush(self) -> None:
        """Write what is gathered."""
        if self._lines:
            lines, self._lines = self._lines, []
            self._file.write("\n".join(lines) + "\n")
            self._file.flush()


_encode = msgspec.json.Encoder(enc_hook=str).encode


def _render_json(logger: WrappedLogger, method: str, fields: EventDict) -> str:
    """Return the line; one function for what structlog has four for, because a line is written for every attempt."""
    if "exc_info" in fields:
        fields = structlog.processors.format_exc_info(logger, method, fields)
    fields["level"] = method
    fields["timestamp"] = datetime.now(UTC).isoformat()[:-6] + "Z"
    try:
        return _encode(fields).decode()
    except UnicodeEncodeError:  # half a surrogate pair
        return json.dumps(fields, default=str)


def _escape_control_characters(_logger: WrappedLogger, _method: str, fields: EventDict) -> EventDict:
    """Write control characters as escapes: no event, answer or name may move the cursor or fake a line."""
    for name, value in fields.items():
        if isinstance(value, str) and not value.isprintable():
            fields[name] = "".join(
                character
                if character.isprintable()
                else character.encode("unicode_escape", "backslashreplace").decode()
                for character in value
            )
    return fields
