r"""The one place through which the output of commands goes: no character of an event, a config or a peer acts upon the terminal.

Control characters, marks that reverse the direction of text, and the like are written as `\u001b`. In JSON they occur only inside strings, so
JSON that is written in this way reads as the same value.
"""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

TYPE_CHECKING = False  # every command loads this module, and `typing` would take longer than all of it
if TYPE_CHECKING:
    from typing import TextIO

_ACTIVE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters but for the tab and the line break
    "\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"  # direction, invisible format characters
    "\ud800-\udfff\ufffe\uffff\U000e0000-\U000e007f]"  # what UTF-8 cannot encode, noncharacters, tags
)


def escaped(text: str) -> str:
    r"""Return the text with `\u…` for each character that would act upon a terminal, or hide. Line breaks and tabs stay."""
    return _ACTIVE.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    units = found[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


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
