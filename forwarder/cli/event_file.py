"""An event that a person has in a file."""

import sys
from pathlib import Path

from forwarder.core.event import Event, NotAnEventError, decode_event


class NoEventError(Exception):
    """The file cannot be read or holds no event; the text says which and what an event is."""


def read_event(file: str) -> Event:
    """Return the event in a file, or on standard input where that is `-`. Raises `NoEventError`."""
    name = "standard input" if file == "-" else file
    try:
        data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise NoEventError(f"{name}: cannot be read: {error.strerror}") from None
    try:
        return decode_event(data.strip())
    except NotAnEventError as error:
        raise NoEventError(
            f"{name}: not an event: {error.detail}; an event is a JSON object with mid, sid, source, timestamp and payload"
        ) from None
