"""How a line of `tail` looks: time, source, author, text, and what became of the event or of the attempt."""

from collections.abc import Iterable
from datetime import timedelta
from typing import NamedTuple

from forwarder.cli.listing import SHORT_ID, columns_of, cut_to, short_id, shown
from forwarder.core.counted import counted
from forwarder.core.durations import spell
from forwarder.core.monitoring.live import AttemptOutcome, EventResult, Lost, Passing, PassingAttempt, PassingEvent

_ROOMY = 100
"""From so many columns on, a line has the milliseconds of the time, the beginning of the event's id, and more of the author."""
_SOURCE_WIDTH = 8
_LEAST_TEXT = 12
"""The text gets at least so many columns, however long the result is."""
_LEAST_NAME = 8
"""The name of a destination keeps so many columns."""
_ROUTES = 2
"""How many pieces the result of an attempt begins with that name the routes."""
_OF_ANY_LENGTH = frozenset({AttemptOutcome.DEAD, AttemptOutcome.EXPIRED})
"""Their reasons are in the words of a receiver; those of others are shown whole."""
_LATE_MS = 1_000
"""A delivery that came so much later than its last attempt took is shown with how late it was."""

DIM, BOLD, RED, GREEN, YELLOW = "2", "1", "31", "32", "93"
_SOURCES = {"x": "36", "fast-x": "96", "telegram": "34", "discord": "35", "rss": "33", "web": "32"}


class Piece(NamedTuple):
    """A part of a line, and its colour: the number of a graphic rendition of the terminal, or nothing."""

    text: str
    colour: str = ""


class StyledLine(NamedTuple):
    """One line, safe for a terminal."""

    pieces: tuple[Piece, ...]

    @property
    def plain(self) -> str:
        """The line without colours."""
        return "".join(piece.text for piece in self.pieces).rstrip()

    @property
    def coloured(self) -> str:
        """The line with colours."""
        return "".join(
            f"\x1b[{piece.colour}m{piece.text}\x1b[0m" if piece.colour else piece.text for piece in self.pieces
        )


class LineLayout:
    """Makes lines that fit a width."""

    def __init__(self, *, width: int | None) -> None:
        """`width` in columns of the terminal; `None`: nothing is cut, and ids and addresses are shown too."""
        self.width = width

    def line(self, item: Passing | Lost) -> StyledLine:
        """Return the line of what passes."""
        if isinstance(item, Lost):
            return StyledLine((Piece(f"… {counted(item.lost, 'line')} lost: this output is too slow", YELLOW),))
        result = _safe(result_of(item, is_whole=self.width is None))
        if self.width is None:
            return StyledLine((*self._post(item, author_width=0, text_width=0, with_ms=True), *result, *_more(item)))
        is_roomy = self.width >= _ROOMY
        time_width, author_width = (12 + 1 + SHORT_ID, 14) if is_roomy else (8, 10)
        rest = self.width - time_width - 1 - _SOURCE_WIDTH - 1 - author_width - 1
        if _columns(result) > rest - _LEAST_TEXT - 1 and isinstance(item, PassingAttempt):
            result = result[_ROUTES:]  # what became of it says more
        text_width = max(min(rest * 2 // 5, rest - 1 - _columns(result)), _LEAST_TEXT)
        is_short = isinstance(item, PassingAttempt) and item.outcome not in _OF_ANY_LENGTH
        if is_short and (lacking := _columns(result) - (rest - text_width - 1)) > 0:
            text_width = max(text_width - lacking, 1)
            over = max(_columns(result) - (rest - text_width - 1), 0)
            cut = min(over, author_width - 1)
            author_width -= cut
            rest += cut
            result = _name_cut(result, over - cut)
        post = self._post(item, author_width=author_width, text_width=text_width, with_ms=is_roomy)
        return StyledLine((*post, *_fitting(result, rest - text_width - 1)))

    @staticmethod
    def _post(item: Passing, *, author_width: int, text_width: int, with_ms: bool) -> Iterable[Piece]:
        at = item.at.astimezone()
        time = f"{at:%H:%M:%S}.{at.microsecond // 1000:03}" if with_ms else f"{at:%H:%M:%S}"
        yield Piece(f"{time} {short_id(item.event_id, is_wide=False)} " if with_ms and text_width else f"{time} ", DIM)
        yield Piece(f"{_cell(item.source, _SOURCE_WIDTH)} ", _SOURCES.get(item.source, ""))
        yield Piece(f"{_cell(item.author or '-', author_width)} ", BOLD)
        yield Piece(f"{_cell(' '.join(item.text.split()) or '-', text_width)} ")


def result_of(item: Passing, *, is_whole: bool = False) -> list[Piece]:
    """Return what became of an event or an attempt. `is_whole`: everything that is known of it."""
    return _of_event(item) if isinstance(item, PassingEvent) else _of_attempt(item, is_whole=is_whole)


def _of_event(event: PassingEvent) -> list[Piece]:
    if event.result is EventResult.DUPLICATE:
        return [Piece("duplicate, dropped", DIM)]
    pieces: list[Piece] = []
    if event.result is EventResult.UNMATCHED:
        pieces.append(Piece("no rule matches", DIM))
    elif event.routes:
        pieces.append(Piece(", ".join(event.routes)))
    if event.destinations:
        pieces += [Piece(" → " if pieces else "→ ", DIM), Piece(", ".join(event.destinations), BOLD)]
    if event.held:
        held = ", ".join(f"{name} ({why})" for name, why in event.held.items())
        pieces.append(Piece(f"{'; ' if pieces else ''}not sent: {held}", YELLOW))
    return pieces


def _of_attempt(attempt: PassingAttempt, *, is_whole: bool) -> list[Piece]:
    pieces = [Piece(", ".join(attempt.routes), DIM), Piece(" → ", DIM)]
    pieces += [Piece(attempt.destination, BOLD), Piece(" ")]
    match attempt.outcome:
        case AttemptOutcome.DELIVERED:
            took = f"{attempt.duration_ms or 0:.1f} ms"
            late_ms = attempt.since_received_ms - (attempt.duration_ms or 0)
            if attempt.attempt > 1 or late_ms > _LATE_MS:
                pieces.append(
                    Piece(
                        f"✓ {took}, attempt {attempt.attempt}, {_spell_ms(attempt.since_received_ms)} after it came",
                        GREEN,
                    )
                )
            else:
                pieces.append(Piece(f"✓ {took}", GREEN))
            if is_whole and attempt.reason:
                pieces.append(Piece(f" ({attempt.reason})"))
        case AttemptOutcome.RETRY | AttemptOutcome.POSTPONED:
            again = ""
            if attempt.retry_at is not None:
                again = f", again in {_spell_ms(max((attempt.retry_at - attempt.at).total_seconds() * 1000, 0))}"
            mark = "✗" if attempt.outcome is AttemptOutcome.RETRY else "… not counted:"
            reason = attempt.reason if is_whole else attempt.reason.partition(":")[0]
            pieces.append(Piece(f"{mark} {reason}{again}", RED if attempt.outcome is AttemptOutcome.RETRY else YELLOW))
        case AttemptOutcome.DEAD | AttemptOutcome.EXPIRED:
            pieces.append(Piece(f"✗ {attempt.outcome}: {attempt.reason}", RED))
    return pieces


def _spell_ms(ms: float) -> str:
    if ms < _LATE_MS:
        return f"{ms:.0f} ms"
    return f"{ms / 1000:.1f} s" if ms < 100_000 else spell(timedelta(milliseconds=ms))


def _more(item: Passing) -> Iterable[Piece]:
    """Yield what only a wide line has."""
    more = [item.event_id]
    if isinstance(item, PassingEvent):
        more.append(f"stream {item.stream}" if item.stream else "recovered")
    else:
        more.append(f"attempt {item.attempt} ({item.trigger})")
    if item.link:
        more.append(item.link)
    yield Piece(f"  {shown(', '.join(more))}", DIM)


def _safe(pieces: Iterable[Piece]) -> list[Piece]:
    """Return the pieces without anything that would act upon a terminal."""
    return [Piece(shown(text), colour) for text, colour in pieces]


def _name_cut(pieces: list[Piece], by: int) -> list[Piece]:
    """Return the pieces of an attempt with the name of the destination shorter by so many columns, but not by all of it."""
    if by <= 0:
        return pieces
    name = next(piece for piece in pieces if piece.colour == BOLD)
    cut = Piece(cut_to(name.text, max(columns_of(name.text) - by, min(columns_of(name.text), _LEAST_NAME))), BOLD)
    return [cut if piece is name else piece for piece in pieces]


def _columns(pieces: Iterable[Piece]) -> int:
    return sum(columns_of(piece.text) for piece in pieces)


def _fitting(pieces: Iterable[Piece], width: int) -> Iterable[Piece]:
    """Yield the pieces, cut at the end where they are too wide together."""
    left = width
    for text, colour in pieces:
        if left <= 0:
            return
        cut = cut_to(text, left)
        yield Piece(cut, colour)
        left -= columns_of(cut) if cut == text else left


def _cell(text: str, width: int) -> str:
    """Return a text as one cell of a line, cut and filled up to a width; 0 is any."""
    safe = shown(text)
    if not width:
        return f"{safe} "
    cut = cut_to(safe, width)
    return cut + " " * (width - columns_of(cut))
