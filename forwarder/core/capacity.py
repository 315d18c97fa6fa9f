"""Decides whether an outbox of a given size can hold an event at all.

A full outbox has room again later. An event that does not fit into an empty outbox never fits.
"""

from collections.abc import Iterable

_FILE_BYTES = 512 * 1024
"""Bytes of a file without events: its tables, the ledger, the history that is pruned last, and partly filled pages."""
_SHARE = 3, 4
"""The share of the rest that one event may take. Other events, up to a sixteenth of `max_size`, and the outcomes need room too."""
KEPT_CHARACTERS = 200
"""How many characters of the names of an event are kept when the event is too large: enough to identify it."""
NOT_KEPT = "the event is larger than outbox.max_size has room for, so its text was not kept"
"""The reason of the dead letter of such an event."""


def largest_event(max_size: int) -> int:
    """Return the largest size in bytes of a row in an outbox of `max_size` bytes."""
    of, to = _SHARE
    return max(max_size - _FILE_BYTES, 0) * of // to


def least_size(event_bytes: int) -> int:
    """Return the smallest `max_size` that has room for a row of `event_bytes`."""
    of, to = _SHARE
    return -(-event_bytes * to // of) + _FILE_BYTES


def least_suspect(max_size: int) -> int:
    """Return the length of a frame from which on its size is checked. A name may take up to four times its length in the file."""
    return largest_event(max_size) // 8


def row_bytes(body: bytes, names: Iterable[str], order_keys: Iterable[str | None]) -> int:
    """Return the bytes that an event takes in the file. Its names and the order keys of its deliveries are in a row and in an index."""
    twice = sum(len(name.encode("utf-8", "surrogatepass")) for name in (*names, *filter(None, order_keys)))
    return len(body) + 2 * twice


def can_never_fit(size: int, max_size: int | None) -> bool:
    """Return whether a row of `size` bytes does not fit even into an empty outbox. An outbox without `max_size` has room for any row."""
    return max_size is not None and size > largest_event(max_size)
