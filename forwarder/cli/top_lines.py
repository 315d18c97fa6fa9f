"""How the rows of `top` look as lines of a width, and an event with its deliveries. Pure."""

import json
from collections.abc import Iterator
from datetime import datetime

from forwarder.cli.history import attempt_result, end_of
from forwarder.cli.listing import columns_of, cut_to, local_exact, shown
from forwarder.cli.live_lines import BOLD, DIM, GREEN, RED, YELLOW, Piece, StyledLine
from forwarder.cli.top_figures import TopRow, sparkline
from forwarder.core.history import Record
from forwarder.core.monitoring.verdict import HealthLevel, Verdict

_WIDE = 100
"""From so many columns on, the names and the bars have more room."""
_MOST_BODY_LINES = 2_000
_COLOURS = {HealthLevel.OK: GREEN, HealthLevel.DEGRADED: YELLOW, HealthLevel.DOWN: RED}


def verdict_line(verdict: Verdict) -> StyledLine:
    """Return the verdict: the level in its colour, and what is wrong. It may be longer than the screen is wide."""
    level = str(verdict.level)
    return StyledLine((Piece(level, _COLOURS[verdict.level]), Piece(shown(verdict.line.removeprefix(level)))))


def header_line(width: int) -> StyledLine:
    """Return the names of the columns."""
    name_width, bars_width = _widths(width)
    cells = f"{'':<7}{'NAME':<{name_width}} {'/S':>6} {'':<{bars_width}} {'P50':>7} {'P99':>7} STATE"
    return StyledLine((Piece(cells[:width], DIM),))


def row_line(row: TopRow, width: int, *, is_old: bool = False) -> StyledLine:
    """Return the line of a stream, a destination or a route; dimmed if the figures are not those of now."""
    name_width, bars_width = _widths(width)
    rate = "" if row.per_s is None else f"{row.per_s:.1f}"
    name = cut_to(shown(row.name), name_width)
    figures = f" {rate:>6} {sparkline(row.rates, bars_width)} {row.p50:>7} {row.p99:>7} "
    left = max(width - 7 - name_width - len(figures), 0)
    colour = RED if row.is_in_trouble else YELLOW if row.is_paused else ""
    line = StyledLine(
        (
            Piece(f"{row.kind.value:<7}", DIM),
            Piece(name + " " * (name_width - columns_of(name)), BOLD),
            Piece(figures),
            Piece(cut_to(shown(row.state), left) if left else "", colour),
        )
    )
    return StyledLine((Piece(line.plain, DIM),)) if is_old else line


def detail_line(row: TopRow) -> StyledLine:
    """Return the whole state of a row, which its own line may have no room for."""
    return StyledLine((Piece(shown(row.name), BOLD), Piece(shown(f": {row.state}"), RED if row.is_in_trouble else "")))


def _widths(width: int) -> tuple[int, int]:
    """Return how many columns a name has, and the bars."""
    return (24, 24) if width >= _WIDE else (14, 8)


def event_lines(event: Record) -> Iterator[StyledLine]:
    """Yield what is known of an event: when it came, and its body."""
    yield StyledLine((Piece(f"event {event['event_id']}", BOLD),))
    yield StyledLine((Piece(f"{shown(event['source'])}, mid {shown(event['mid'])}, sid {shown(event['sid'])}"),))
    yield StyledLine((Piece(f"accepted {local_exact(event['accepted_at'])}"),))
    for line in _pretty(event["body"]).splitlines()[:_MOST_BODY_LINES]:
        yield StyledLine((Piece(shown(line)),))


def delivery_line(delivery: Record) -> StyledLine:
    """Return one delivery in a line."""
    colour = {"delivered": GREEN, "dead": RED, "expired": RED}.get(delivery["status"], YELLOW)
    return StyledLine(
        (Piece(shown(delivery["destination"]), BOLD), Piece(": "), Piece(shown(end_of(delivery)), colour))
    )


def attempt_lines(delivery: Record) -> Iterator[StyledLine]:
    """Yield the whole state of a delivery, and its attempts."""
    yield delivery_line(delivery)
    yield StyledLine((Piece(f"{delivery['delivery_id']}, routes {shown(delivery['routes'])}", DIM),))
    for attempt in delivery["attempts"]:
        at = datetime.fromisoformat(attempt["started_at"]).astimezone()
        yield StyledLine(
            (
                Piece(f"attempt {attempt['number']}  {at:%H:%M:%S}.{at.microsecond // 1000:03}  "),
                Piece(f"{attempt['duration_ms']:.1f} ms  "),
                Piece(shown(attempt_result(attempt)), RED if attempt["reason"] else GREEN),
            )
        )
        if attempt["excerpt"]:
            yield StyledLine((Piece(f"  answer: {shown(attempt['excerpt'])}", DIM),))


def _pretty(body: str) -> str:
    try:
        return json.dumps(json.loads(body), ensure_ascii=False, indent=2)
    except (ValueError, RecursionError):
        return body
