"""Output that several commands share: tables, JSON lines, local times, and the query that the options mean."""

import argparse
import json
import shutil
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from forwarder.cli.locations import UsageError
from forwarder.core.history import Query, Record

MAX_CELL = 100
"""The longest cell of a table but for the last column, in characters: longer than any id of forwarder itself."""
_MAX_SHOWN = 1_000
"""The longest value of an event that is shown, in characters."""
SHORT_ID = 8
"""How many digits of an event's id a list shows without `--wide`. Every command that takes an id accepts them."""
_LEAST_WIDTH = 80
"""The columns that every screen has."""
_LEAST_CELL = 6
"""A column is not cut to fewer columns of the screen than this."""


def now_ms() -> int:
    """Return the present time in Unix milliseconds."""
    return int(datetime.now(UTC).timestamp() * 1000)


def query(arguments: argparse.Namespace) -> Query:
    """Return the query that the arguments mean. Raises `UsageError`."""
    named = {
        name: getattr(arguments, name)
        for name in ("source", "destination", "route", "status", "failed", "mid", "author", "text", "limit")
        if hasattr(arguments, name)
    }
    require_period(arguments)
    return Query(since_ms=arguments.since, until_ms=arguments.until, **named)


def require_period(arguments: argparse.Namespace) -> None:
    """Raise `UsageError` if `--until` ends the time before `--since` begins it."""
    if arguments.until is None or arguments.since < arguments.until:
        return
    since, until = (
        local(datetime.fromtimestamp(ms / 1000, UTC).isoformat()) for ms in (arguments.since, arguments.until)
    )
    raise UsageError(f"--until ({until}) must be later than --since ({since}): nothing lies between them")


def print_json(record: Record | dict[str, Any]) -> None:
    """Print one line of JSON; characters outside ASCII are escaped."""
    print(json.dumps(record, ensure_ascii=True))


def screen_width() -> int:
    """Return the columns of the terminal; 80 if the output goes elsewhere, or if the terminal is narrower."""
    return max(shutil.get_terminal_size((_LEAST_WIDTH, 24)).columns, _LEAST_WIDTH)


def print_table(
    names: Sequence[str], rows: Iterable[Sequence[object]], *, width: int | None = None, cut: Sequence[str] = ()
) -> None:
    """Print columns that line up, as `table_lines` makes them."""
    print("\n".join(table_lines(names, rows, width=width, cut=cut)))


def table_lines(
    names: Sequence[str], rows: Iterable[Sequence[object]], *, width: int | None = None, cut: Sequence[str] = ()
) -> Iterator[str]:
    """Yield columns that line up. Characters that would move the cursor or colour the terminal are shown as escapes.

    Where a line would be longer than `width`, the cells of the columns that `cut` names are cut, the widest column first.
    """
    last = len(names) - 1
    table = [
        tuple(names),
        *[
            tuple(shown(value, limit=_MAX_SHOWN if at == last else MAX_CELL) for at, value in enumerate(row))
            for row in rows
        ],
    ]
    widths = [max(columns_of(row[column]) for row in table) for column in range(last + 1)]
    if width is not None:
        _narrow(widths, [names.index(name) for name in cut], total=width - 2 * last)
        table = [tuple(cut_to(cell, room) for cell, room in zip(row, widths, strict=True)) for row in table]
    for row in table:
        cells = [cell + " " * (room - columns_of(cell)) for cell, room in zip(row[:last], widths, strict=False)]
        yield "  ".join((*cells, row[-1])).rstrip()


def _narrow(widths: list[int], columns: Sequence[int], *, total: int) -> None:
    """Make columns narrower, the widest first, until all together take `total` or none can be cut any more."""
    while sum(widths) > total and (left := [column for column in columns if widths[column] > _LEAST_CELL]):
        widths[max(left, key=widths.__getitem__)] -= 1


def columns_of(text: str) -> int:
    """Return how many columns of a terminal a text takes: East Asian characters take two, combining marks none."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(mark) else 2 if unicodedata.east_asian_width(mark) in "WF" else 1 for mark in text
    )


def cut_to(text: str, columns: int) -> str:
    """Return a text that takes at most so many columns of a terminal; one that is cut ends with `…`."""
    if columns_of(text) <= columns:
        return text
    kept = text[: columns - 1]
    while columns_of(kept) > columns - 1:
        kept = kept[:-1]
    return kept + "…"


def print_prose(line: str, *, hanging: int = 0) -> None:
    """Print a line of text; on a terminal it is broken between words, where the terminal would break it anywhere."""
    if not sys.stdout.isatty():
        print(line)
        return
    for each in wrapped(line, screen_width(), hanging=hanging):
        print(each)


def wrapped(line: str, width: int, *, hanging: int = 2) -> Iterator[str]:
    """Yield the lines into which a line is broken between words, each but the first indented by `hanging` more."""
    import textwrap  # few commands print text that is broken

    indent = " " * (len(line) - len(line.lstrip()) + hanging)
    yield from textwrap.wrap(
        line,
        width,
        drop_whitespace=True,
        replace_whitespace=False,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    ) or [line]


def short_id(event_id: str, *, is_wide: bool) -> str:
    """Return an event's id as a list shows it."""
    return event_id if is_wide else event_id[:SHORT_ID]


def moments(name: str, values: Sequence[str | None]) -> tuple[str, list[str]]:
    """Return the name of a column and its cells: local times, with their zone in the name where all have the same."""
    times = [local(value) for value in values]
    zones = {time.split(" ", 2)[2] for time in times if time != "-"}
    if len(zones) != 1:
        return name, times
    (zone,) = zones
    return f"{name} ({zone})", [time.removesuffix(f" {zone}") for time in times]


def shown(value: object, *, limit: int = _MAX_SHOWN) -> str:
    """Return a value as one line of at most `limit` characters that is safe for a terminal."""
    if value is None:
        return "-"
    if isinstance(value, list):
        text = ", ".join(shown(each, limit=limit) for each in value[: limit + 1]) or "-"
    else:
        text = str(value)[: limit + 1]
        if not text.isprintable():
            text = "".join(mark if mark.isprintable() else mark.encode("unicode_escape").decode() for mark in text)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def local(at: str | None) -> str:
    """Return a moment in local time, to the second, with the time zone."""
    if not at:
        return "-"
    return datetime.fromisoformat(at).astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")


def local_exact(at: str | None) -> str:
    """Return a moment in local time, with its milliseconds where it has any, and with the time zone."""
    if not at:
        return "-"
    moment = datetime.fromisoformat(at).astimezone()
    ms = moment.microsecond // 1000
    return f"{moment:%Y-%m-%d %H:%M:%S}{f'.{ms:03}' if ms else ''} {moment:%Z}"
