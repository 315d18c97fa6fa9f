"""Which events an outbox of a given size can hold at all. Pure.

A file that is full of what waits has room again later. An event that does not fit into an empty file never has.
"""

from collections.abc import Iterable

_FILE_BYTES = 512 * 1024
"""Of a file that holds no event: its tables, the books, history that is pruned last, and pages that are not full."""
_SHARE = 3, 4
"""Of the rest, what one event may take: with it go up to a sixteenth of `max_size` of others, and later the outcomes."""
KEPT_CHARACTERS = 200
"""Of the names of an event that is too large to be kept: enough to know it by."""
NOT_KEPT = "the event is larger than outbox.max_size has room for, so its text was not kept"


def largest_event(max_size: int) -> int:
    """Return the bytes that a row may have in an outbox of `max_size` bytes."""
    of, to = _SHARE
    return max(max_size - _FILE_BYTES, 0) * of // to


def least_size(event_bytes: int) -> int:
    """Return the least `max_size` that has room for such a row."""
    of, to = _SHARE
    return -(-event_bytes * to // of) + _FILE_BYTES


def least_suspect(max_size: int) -> int:
    """Return the length of a frame from which on it is worth a look: a name in it is in the file up to four times more."""
    return largest_event(max_size) // 8


def row_bytes(body: bytes, names: Iterable[str], order_keys: Iterable[str | None]) -> int:
    """Return what an event takes in the file. Its names and the keys of its deliveries are in a row and in an index."""
    twice = sum(len(name.encode("utf-8", "surrogatepass")) for name in (*names, *filter(None, order_keys)))
    return len(body) + 2 * twice


def can_never_fit(size: int, max_size: int | None) -> bool:
    """Return whether a row of `size` bytes has no room even in an empty outbox; one without `max_size` has room for all."""
    return max_size is not None and size > largest_event(max_size)
