"""Output that several commands share: tables, JSON lines, local times, and the query that the options mean."""

import argparse
import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from forwarder.cli.locations import UsageError
from forwarder.core.history import Query, Record

MAX_CELL = 100
"""The longest cell of a table but for the last column, in characters: longer than any id of forwarder itself."""
_MAX_SHOWN = 1_000
"""The longest value of an event that is shown, in characters."""


def now_ms() -> int:
    """Return the present time in Unix milliseconds."""
    return int(datetime.now(UTC).timestamp() * 1000)


def query(arguments: argparse.Namespace) -> Query:
    """Return the query that the arguments mean. Raises `UsageError`."""
    named = {
        name: getattr(arguments, name)
        for name in ("source", "destination", "route", "status", "mid", "author", "text", "limit")
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


def print_table(names: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print columns that line up."""
    print("\n".join(table_lines(names, rows)))


def table_lines(names: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """Yield columns that line up. Characters that would move the cursor or colour the terminal are shown as escapes."""
    last = len(names) - 1
    table = [
        tuple(names),
        *[
            tuple(shown(value, limit=_MAX_SHOWN if at == last else MAX_CELL) for at, value in enumerate(row))
            for row in rows
        ],
    ]
    widths = [max(len(row[column]) for row in table) for column in range(last)]
    for row in table:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        yield "  ".join((*cells, row[-1])).rstrip()


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
    """Return a moment in local time: to the millisecond, or to the second where no more is known."""
    if not at:
        return "-"
    shown = datetime.fromisoformat(at).astimezone().strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
    return shown if "." in at else shown.removesuffix(".000")
