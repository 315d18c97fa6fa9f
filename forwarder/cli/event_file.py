"""Reads an event from a file."""

import sys
from pathlib import Path

from forwarder.core.event import Event, NotAnEventError, decode_event
from forwarder.files import LONGEST_BYTES, read_argument, too_long, without_mark

STDIN = "-"


class NoEventError(Exception):
    """The file cannot be read or holds no event; the text says which and what an event is."""


def content_of(file: str) -> bytes:
    """Return what is in a file, or on standard input where that is `-`, without a byte order mark and the white space around it.

    Raises `OSError`, and `ValueError` for a NUL in the name.
    """
    if file != STDIN:
        content = read_argument(Path(file))
    else:
        content = sys.stdin.buffer.read(LONGEST_BYTES + 1)
        if len(content) > LONGEST_BYTES:
            raise too_long(Path("standard input"), LONGEST_BYTES)
    return without_mark(content).strip()


def read_event(file: str) -> Event:
    """Return the event in a file, or on standard input where that is `-`. Raises `NoEventError`."""
    name = "standard input" if file == STDIN else file
    try:
        data = content_of(file)
    except OSError as error:
        raise NoEventError(f"{name}: cannot be read: {error.strerror}") from None
    try:
        return decode_event(data)
    except NotAnEventError as error:
        raise NoEventError(
            f"{name}: not an event: {error.detail}; an event is a JSON object with mid, sid, source, timestamp and payload"
        ) from None
