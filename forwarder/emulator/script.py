"""Which events come when: a file of events, replayed at a rate, as often as needed.

The first pass is the file byte for byte. Later passes consist of new events, also for a client that drops duplicates: each `mid` is
advanced in the text itself. Everything else keeps its bytes, the `fast-x` and the `x` of one post keep one `mid`, and an exact
duplicate within the file stays one within each pass. `Fresh` makes the frames new events of the present time, as those of a real stream are.
"""

import asyncio
import itertools
import re
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path

import msgspec

from forwarder.files import read_argument, without_mark

_SAME_POST = {"fast-x": "x"}
"""Sources that have the same posts: they advance by the same stride, so that a pair stays a pair."""
_LONG_ID = 12
"""A number with at least this many digits is the id wherever it is in the text (links, conversation ids)."""
_LONGEST_BYTES = 1024 * 1024 * 1024
"""The longest file with frames: all of it is kept in memory."""
_SNOWFLAKE_DIGITS = 17
"""A number with at least this many digits is a snowflake: its upper bits are a time in milliseconds, its lower 22 bits are not."""
_SNOWFLAKE_SHIFT = 22
_REMEMBERED = 1_000
"""How many posts are remembered with their times, so that what comes again about a post has the same time."""
_TIMESTAMP = re.compile(rb'("(?:timestamp|date)"\s*:\s*)(\d{13}|\d{10})(?![\d.])')
_CREATED_AT = re.compile(
    rb'("created_at"\s*:\s*")([A-Z][a-z]{2} [A-Z][a-z]{2} \d\d \d\d:\d\d:\d\d \+0000 \d{4}|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[.]\d{3}Z)(?=")'
)
_CREATED_FORMATS = {True: "%Y-%m-%dT%H:%M:%S.%fZ", False: "%a %b %d %H:%M:%S +0000 %Y"}
"""How X writes a time: true for a text with a `Z`."""
_BREATH = 64
"""In a burst the event loop gets a turn after this many frames."""


class _Ids(msgspec.Struct):
    source: str
    mid: msgspec.Raw
    timestamp: float = 0.0


_decode_ids = msgspec.json.Decoder(_Ids).decode


def packaged_events() -> list[bytes]:
    """Return the frames that come with forwarder: four sources, several languages, a few exact duplicates."""
    return _lines(files("forwarder.emulator").joinpath("data", "stream.jsonl").read_bytes())


def read_events(path: Path) -> list[bytes]:
    """Return the frames of a file, one per line. Raises `OSError`, or `ValueError` if it has none or is not UTF-8."""
    content = without_mark(read_argument(path, limit=_LONGEST_BYTES))
    try:
        content.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 (byte {error.start})") from error
    frames = _lines(content)
    if not frames:
        raise ValueError("holds no events")
    return frames


def replay(
    source: Path | Sequence[bytes] | None = None,
    *,
    rate: float | None = None,
    count: int | None = None,
    loop: bool = False,
) -> Iterator[tuple[float, bytes]]:
    """Yield each frame with the seconds after the start at which it is due.

    `source` None is the packaged stream. `rate` is events per second; None is a burst, in which everything is due at once. `count`
    None is one pass, or endless with `loop`; a count larger than the file continues with further passes.
    """
    if rate is not None and rate <= 0:
        raise ValueError("rate must be more than 0 events per second")
    if source is None:
        frames = packaged_events()
    elif isinstance(source, Path):
        frames = read_events(source)
    else:
        frames = list(source)
    passes = itertools.count() if loop or count is not None else iter((0,))
    endless = (frame for number in passes for frame in nth_pass(frames, number))
    return (
        (0.0 if rate is None else index / rate, frame) for index, frame in enumerate(itertools.islice(endless, count))
    )


def nth_pass(frames: Iterable[bytes], number: int) -> Iterator[bytes]:
    """Yield the frames as they are on pass `number`, counted from 0. Frames that are not events stay as they are.

    The frames are read twice, so they are not a mere iterator.
    """
    if number == 0:
        yield from frames
        return
    strides = _strides(frames)
    for frame in frames:
        ids = _ids(frame)
        yield (
            frame
            if ids is None
            else _advanced(frame, bytes(ids.mid), by=number * strides.get(_group(ids.source), 1), suffix=number)
        )


async def play(script: Iterable[tuple[float, bytes]], send: Callable[[bytes], Awaitable[object]]) -> int:
    """Send each frame when it is due; return how many there were.

    Deadlines count from the start, so the replay catches up after a late frame and keeps its rate over hours.
    """
    start = time.monotonic()
    played = 0
    for due_s, frame in script:
        wait_s = start + due_s - time.monotonic()
        if wait_s > 0:
            await asyncio.sleep(wait_s)
        elif played % _BREATH == 0:
            await asyncio.sleep(0)
        await send(frame)
        played += 1
    return played


def _lines(content: bytes) -> list[bytes]:
    # Not splitlines(): that also cuts at a lone carriage return.
    return [line for line in (raw.removesuffix(b"\r") for raw in content.split(b"\n")) if line.strip()]


def _ids(frame: bytes) -> _Ids | None:
    try:
        return _decode_ids(frame)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _group(source: str) -> str:
    return _SAME_POST.get(source, source)


def _digits(mid: bytes) -> int | None:
    digits = mid.strip(b'"')
    return int(digits) if digits.isdigit() and len(digits) < 100 else None


def _strides(frames: Iterable[bytes]) -> dict[str, int]:
    """Return per group how far a pass moves its ids: past the whole file, so that no two passes share one."""
    bounds: dict[str, tuple[int, int]] = {}
    for frame in frames:
        ids = _ids(frame)
        if ids is not None and (digits := _digits(bytes(ids.mid))) is not None:
            low, high = bounds.get(_group(ids.source), (digits, digits))
            bounds[_group(ids.source)] = min(low, digits), max(high, digits)
    return {group: high - low + 1 for group, (low, high) in bounds.items()}


def marked(frame: bytes) -> bytes:
    """Return an event with `"replayed":true` at the end of its envelope, which changes neither its id nor what rules read of it."""
    head, brace, tail = frame.rpartition(b"}")
    return b"".join((head, b',"replayed":true', brace, tail))


def _advanced(frame: bytes, mid: bytes, *, by: int, suffix: int) -> bytes:
    """Return the frame with its id advanced: a number by `by`, another text by a suffix."""
    digits = _digits(mid)
    if digits is None:
        return frame.replace(mid, mid[:-1] + b'-%d"' % suffix) if mid.startswith(b'"') else frame
    old = mid.strip(b'"')
    new = b"%0*d" % (len(old), digits + by)
    if len(old) >= _LONG_ID:
        return re.sub(rb"(?<!\d)%b(?!\d)" % old, new, frame)
    return re.sub(rb'("(?:mid|id)"\s*:\s*"?)%b(?![\d.])' % old, lambda found: found[1] + new, frame)


class Fresh:
    """Gives frames ids that no earlier run had, and the time at which they are sent.

    Ids move by the time between the first event of the file and the start of the run: in a snowflake that is its time, and of other numbers
    each second moves past the whole file. What comes twice about one post (`fast-x` and `x`, exact duplicates) keeps one id and one time.
    """

    def __init__(self, frames: Iterable[bytes], *, started: datetime) -> None:
        """The frames are read twice, so they are not a mere iterator."""
        first_ms = next((ids.timestamp for ids in map(_ids, frames) if ids is not None and ids.timestamp), 0.0)
        self._moved_ms = max(round(started.timestamp() * 1000 - first_ms), 1)
        self._strides = _strides(frames)
        self._moved_by: dict[tuple[str, bytes], int] = {}
        """How far the times of the last posts were moved, in milliseconds."""

    def frame(self, frame: bytes, now: datetime) -> bytes:
        """Return the frame as an event of `now`; one that is no event stays as it is."""
        ids = _ids(frame)
        if ids is None:
            return frame
        group, mid = _group(ids.source), bytes(ids.mid)
        is_snowflake = len(mid.strip(b'"')) >= _SNOWFLAKE_DIGITS
        seconds = self._moved_ms // 1000 + 1
        by = self._moved_ms << _SNOWFLAKE_SHIFT if is_snowflake else seconds * self._strides.get(group, 1)
        moved_ms = self._moved_by.setdefault((group, mid), round(now.timestamp() * 1000 - ids.timestamp))
        if len(self._moved_by) > _REMEMBERED:
            del self._moved_by[next(iter(self._moved_by))]
        return _dated(_advanced(frame, mid, by=by, suffix=seconds), moved_ms)


def _dated(frame: bytes, moved_ms: int) -> bytes:
    """Return the frame with its times moved: those in milliseconds, those in seconds, and those as X writes them."""

    def number(found: re.Match[bytes]) -> bytes:
        moved = moved_ms if len(found[2]) == 13 else moved_ms // 1000
        return found[1] + b"%d" % (int(found[2]) + moved)

    def text(found: re.Match[bytes]) -> bytes:
        is_iso = found[2].endswith(b"Z")
        try:
            at = datetime.strptime(found[2].decode(), _CREATED_FORMATS[is_iso]).replace(tzinfo=UTC) + moved
        except (ValueError, OverflowError):  # no day of the calendar
            return found[0]
        written = at.strftime(_CREATED_FORMATS[is_iso])
        return found[1] + (f"{written[:-4]}Z" if is_iso else written).encode()

    moved = timedelta(milliseconds=moved_ms)
    return _CREATED_AT.sub(text, _TIMESTAMP.sub(number, frame))
