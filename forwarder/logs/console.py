"""How a line of the log looks on a terminal: the time, the level, what happened, and its fields, within the width of the terminal.

What does not fit goes on in the next line, under the fields. Values are written as people write them, and not as Python does.
"""

import shutil
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import datetime
from enum import Enum

from structlog.typing import EventDict, WrappedLogger

WIDTH = 100
"""The columns of a line where the terminal does not say how wide it is."""
_LEAST_WIDTH = 60
_INDENT = " " * 19
"""Under the first letter of what happened."""
_NAMES = {"warning": "warn", "critical": "error"}
_IDS = ("event_id", "delivery_id", "digest")
"""Fields that stand last: they are long, and are copied more often than read."""
_RESET, _BOLD, _DIM = "\x1b[0m", "\x1b[1m", "\x1b[2m"
_COLOURS = {"debug": _DIM, "info": "\x1b[32m", "warning": "\x1b[33m", "error": "\x1b[31m", "critical": "\x1b[31m"}


class ConsoleRenderer:
    """Renders a line as text; the last processor of structlog."""

    def __init__(self, *, colours: bool, width: Callable[[], int], now: Callable[[], datetime] = datetime.now) -> None:
        self._colours = colours
        self._width = width
        self._now = now

    def __call__(self, _logger: WrappedLogger, method: str, fields: EventDict) -> bytes:
        """Return the line, or several where it is long."""
        trace = fields.pop("exception", None)
        event = visible(str(fields.pop("event", "")))
        time = self._now().isoformat(sep=" ", timespec="milliseconds")[11:23]
        level = _NAMES.get(method, method)
        head = f"{self._in(_DIM, time)} {self._in(_COLOURS.get(method, ''), f'{level:<5}')} {self._in(_BOLD, event)}"
        lines = self._wrapped(head, len(time) + 7 + len(event), fields)
        if trace is not None:
            lines += (visible(line) for line in str(trace).splitlines())
        return "\n".join(lines).encode("utf-8", "backslashreplace")

    def _wrapped(self, head: str, used: int, fields: Mapping[str, object]) -> list[str]:
        lines, width = [head], max(self._width(), _LEAST_WIDTH)
        for name in (*(name for name in fields if name not in _IDS), *(name for name in _IDS if name in fields)):
            text = visible(spell_value(fields[name]))
            if not text:
                continue
            words = _quoted(text).split(" ")
            label = f"{self._in(_DIM, visible(name) + '=')}"
            for number, word in enumerate(words):
                length, shown = len(word), word
                if number == 0:
                    length, shown = len(name) + 1 + length, label + word
                if used + 1 + length > width:
                    lines.append(_INDENT + shown)
                    used = len(_INDENT) + length
                else:
                    lines[-1] += f" {shown}"
                    used += 1 + length
        return lines

    def _in(self, colour: str, text: str) -> str:
        return f"{colour}{text}{_RESET}" if self._colours and colour else text


def terminal_width() -> int:
    """Return the columns of the terminal; `WIDTH` where there is none."""
    return shutil.get_terminal_size((WIDTH, 24)).columns


def spell_value(value: object) -> str:
    """Return a value as people write it: nothing for nothing, lists with commas."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case Enum():
            return str(value.value)
        case str():
            return value
        case datetime():
            return value.isoformat(timespec="milliseconds")
        case Mapping():
            return ", ".join(f"{spell_value(name)} {spell_value(each)}" for name, each in value.items())
        case Collection() if not isinstance(value, bytes):
            return ", ".join(map(spell_value, value))
        case _:
            return str(value)


def visible(text: str) -> str:
    """Return the text with what is not printable as escapes: no event, response or name may move the cursor or fake a line."""
    return text if text.isprintable() else "".join(_escaped(text))


def _escaped(text: str) -> Iterator[str]:
    for character in text:
        yield (
            character if character.isprintable() else character.encode("unicode_escape", "backslashreplace").decode()
        )


def _quoted(text: str) -> str:
    """Return a value that has several words in quotes, so that it is clear where it ends; quotes within them are escaped."""
    if not any(each in text for each in ' ="'):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"') if '"' in text else text
    return f'"{escaped}"'
