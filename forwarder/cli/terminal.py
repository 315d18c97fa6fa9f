"""The one place through which the output of commands goes: no character of an event, a config or a peer acts upon the terminal."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from forwarder.core.visible import escaped

TYPE_CHECKING = False  # every command loads this module, and `typing` would take longer than all of it
if TYPE_CHECKING:
    from typing import TextIO


class _EscapingStream:
    """Is a standard stream that escapes what is written to it."""

    def __init__(self, stream: "TextIO") -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        """Write the text, escaped; return its length."""
        self.stream.write(escaped(text))
        return len(text)

    def __getattr__(self, name: str) -> object:
        return getattr(self.stream, name)


@contextmanager
def output_escaped() -> Iterator[None]:
    """Escape everything that is written to standard output and standard error in the meantime."""
    output, error = sys.stdout, sys.stderr
    sys.stdout = _EscapingStream(output)
    sys.stderr = _EscapingStream(error)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = output, error


def with_colours(stream: "TextIO") -> "TextIO":
    """Return the stream for writers that colour their text: they escape what is not theirs themselves."""
    return stream.stream if isinstance(stream, _EscapingStream) else stream
