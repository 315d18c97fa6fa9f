"""How log lines look: readable on a terminal, one JSON object a line everywhere else. On standard output."""

import json
import logging
import sys
from typing import Literal

import msgspec
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

LogFormat = Literal["auto", "console", "json"]


def configure_logging(*, level: str, format_: LogFormat) -> None:
    """Set up structlog for the process; `auto` chooses by whether standard output is a terminal."""
    is_console = format_ == "console" or (format_ == "auto" and sys.stdout.isatty())
    renderer: list[Processor] = (
        [
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
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(serializer=_to_json)]
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%H:%M:%S.%f" if is_console else "iso", utc=not is_console),
            *renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(),
        cache_logger_on_first_use=False,
    )


def _to_json(value: EventDict, **_options: object) -> str:
    try:
        return msgspec.json.encode(value, enc_hook=str).decode()
    except UnicodeEncodeError:  # half a surrogate pair
        return json.dumps(value, default=str)


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
