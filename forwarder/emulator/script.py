"""Which events come when: a file of events, replayed at a rate, as often as wanted.

The first pass is the file byte for byte. Later passes are new events to anyone who drops doubles: each `mid` is advanced
in the text itself, so everything else keeps its bytes, the `fast-x` and the `x` of one post keep one `mid`, and what is an
exact double within the file stays one within each pass.
"""

import asyncio
import itertools
import re
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from importlib.resources import files
from pathlib import Path

import msgspec

_SAME_POST = {"fast-x": "x"}
"""Sources that name one post: they advance by one stride, or a pair would part."""
_LONG_ID = 12
"""From so many digits on a number in the text is the id wherever it stands (links, conversation ids)."""
_BREATH = 64
"""In a burst the event loop gets a turn after so many frames."""


class _Ids(msgspec.Struct):
    source: str
    mid: msgspec.Raw


_decode_ids = msgspec.json.Decoder(_Ids).decode


def packaged_events() -> list[bytes]:
    """Return the frames that come with forwarder: four sources, several languages, a few exact doubles."""
    return _lines(files("forwarder.emulator").joinpath("data", "stream.jsonl").read_bytes())


def read_events(path: Path) -> list[bytes]:
    """Return the frames of a file, one a line. Raises `OSError`, or `ValueError` when it has none or is not UTF-8."""
    content = path.read_bytes()
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
    """Yield (seconds after the start when it is due, frame).

    `source` None is the packaged stream. `rate` is events per second; None is a burst, everything due at once. `count`
    None is one pass, or without end when `loop`; a count larger than the file goes on with further passes.
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


def nth_pass(frames: Sequence[bytes], number: int) -> Iterator[bytes]:
    """Yield the frames as they are on pass `number`, counted from 0. Frames that are no events stay as they are."""
    if number == 0:
        yield from frames
        return
    strides = _strides(frames)
    for frame in frames:
        ids = _ids(frame)
        yield frame if ids is None else _advanced(frame, bytes(ids.mid), number, strides.get(_group(ids.source), 1))


async def play(script: Iterable[tuple[float, bytes]], send: Callable[[bytes], Awaitable[object]]) -> int:
    """Send each frame when it is due and return how many there were.

    Deadlines count from the start, so a late frame is caught up with and the rate holds over hours.
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


def _strides(frames: Sequence[bytes]) -> dict[str, int]:
    """Return per group how far a pass moves its ids: past the whole file, so that no two passes share one."""
    mids: dict[str, list[int]] = {}
    for frame in frames:
        ids = _ids(frame)
        if ids is not None and (digits := _digits(bytes(ids.mid))) is not None:
            mids.setdefault(_group(ids.source), []).append(digits)
    return {group: max(values) - min(values) + 1 for group, values in mids.items()}


def _advanced(frame: bytes, mid: bytes, number: int, stride: int) -> bytes:
    """Return the frame with its id moved on: digits by `number` strides, other text by an ending."""
    digits = _digits(mid)
    if digits is None:
        return frame.replace(mid, mid[:-1] + b'-%d"' % number) if mid.startswith(b'"') else frame
    old = mid.strip(b'"')
    new = b"%0*d" % (len(old), digits + number * stride)
    if len(old) >= _LONG_ID:
        return re.sub(rb"(?<!\d)%b(?!\d)" % old, new, frame)
    return re.sub(rb'("(?:mid|id)"\s*:\s*"?)%b(?![\d.])' % old, lambda found: found[1] + new, frame)
