"""What the commands of the history share: filters, moments, tables, JSON lines."""

import argparse
import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from forwarder.core.delivery import DeliveryStatus
from forwarder.core.durations import read_duration
from forwarder.outbox.history import FOREVER_MS, NO_LIMIT, Query, Record, now_ms

STATUSES = [status.value for status in DeliveryStatus]


def moment(text: str) -> int:
    """Return Unix milliseconds of `1h` (ago) or of an ISO 8601 time, which is local where it names no zone."""
    try:
        return max(now_ms() - round(read_duration(text).total_seconds() * 1000), 0)
    except ValueError:
        pass
    try:
        return max(int(datetime.fromisoformat(text).astimezone().timestamp() * 1000), 0)
    except (ValueError, OverflowError, OSError):
        raise argparse.ArgumentTypeError(
            f"{text!r} is neither a duration before now (30m, 24h, 7d) nor a time (2026-01-31T18:00, 2026-01-31T17:00Z)"
        ) from None


def count(text: str) -> int:
    """Return a number from 1, as large as the outbox can count."""
    if not text.isdecimal() or not 1 <= int(text[:20]) < 1 << 63:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 2⁶³-1")
    return int(text)


def rate(text: str) -> float:
    """Return how many a second."""
    number = text.removesuffix("/s")
    try:
        value = float(number)
    except ValueError:
        value = 0
    if not 0 < value <= 100_000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a rate such as 50/s")
    return value


def add_period(parser: argparse.ArgumentParser) -> None:
    """Add `--since` and `--until`."""
    parser.add_argument("--since", type=moment, default=0, metavar="WHEN", help="30m, 24h, 7d ago; or an ISO time")
    parser.add_argument("--until", type=moment, default=FOREVER_MS, metavar="WHEN", help="as --since; not included")


def add_filters(parser: argparse.ArgumentParser, *, with_status: bool = False) -> None:
    """Add what narrows a list."""
    add_period(parser)
    parser.add_argument("--destination", metavar="NAME")
    parser.add_argument("--route", metavar="NAME", help="that chose the destination")
    parser.add_argument("--source", metavar="NAME", help="x, fast-x, telegram, discord")
    if with_status:
        parser.add_argument("--status", choices=STATUSES)


def add_list(parser: argparse.ArgumentParser) -> None:
    """Add how a list is shown."""
    parser.add_argument("--limit", type=count, default=20, help="default: 20, the newest")
    parser.add_argument("--all", action="store_const", dest="limit", const=NO_LIMIT, help="no limit")
    add_json(parser)


def add_json(parser: argparse._ActionsContainer, *, default: object = False) -> None:
    """Add `--json`."""
    parser.add_argument("--json", action="store_true", default=default, help="JSON for scripts, a line each")


def query(arguments: argparse.Namespace) -> Query:
    """Return what the arguments ask for."""
    named = {
        name: getattr(arguments, name)
        for name in ("source", "destination", "route", "status", "limit")
        if hasattr(arguments, name)
    }
    return Query(since_ms=arguments.since, until_ms=arguments.until, **named)


def print_json(record: Record | dict[str, Any]) -> None:
    """Print one line; what is not UTF-8 in it is escaped."""
    print(json.dumps(record, ensure_ascii=True))


def print_table(names: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print columns that line up. Characters that would move the cursor or colour the terminal are shown as escapes."""
    table = [tuple(names), *[tuple(shown(value) for value in row) for row in rows]]
    widths = [max(len(row[column]) for row in table) for column in range(len(names) - 1)]
    for row in table:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        print("  ".join((*cells, row[-1])).rstrip())


def shown(value: object) -> str:
    """Return a value as it may go to a terminal."""
    if value is None:
        return "-"
    if isinstance(value, list):
        return ", ".join(map(shown, value)) or "-"
    text = str(value)
    return text if text.isprintable() else text.encode("unicode_escape").decode()


def local(at: str | None) -> str:
    """Return a moment in local time, to the millisecond."""
    if at is None:
        return "-"
    return datetime.fromisoformat(at).astimezone().strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
