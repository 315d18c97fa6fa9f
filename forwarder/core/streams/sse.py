"""Reads `text/event-stream` as the standard has it (WHATWG HTML, section 9.2.6), in any pieces. Pure.

It differs in one point: an `id` that is longer than `MAX_ID_BYTES`, or that no header can carry, is ignored, as the standard ignores one
with a NUL. The standard sets no limit, and an id that the server itself does not accept would block the stream.
"""

import re
from dataclasses import dataclass, field

_BOM = b"\xef\xbb\xbf"
_MAX_RETRY_DIGITS = 9
MAX_ID_BYTES = 1024
"""Servers allow 4 to 16 KiB for all headers of a request together."""
_UNFIT_FOR_A_HEADER = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
"""Control characters other than the tab (RFC 9110, section 5.5)."""
MESSAGE = "message"
"""The type of an event that does not name one."""


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """Holds one event of the stream. `data` has its bytes as they came; lines are joined by a line feed."""

    data: bytes
    type: str = MESSAGE
    last_id: str = field(default="", compare=False)
    """What to send as `Last-Event-ID` once this event has been taken."""


class EventStreamParser:
    """Turns the bytes of one connection into events: `feed` takes them in the order in which they come.

    The events are the same wherever the bytes are cut. What is not followed by a blank line when the stream ends is no event.
    """

    def __init__(self, *, max_bytes: int, last_id: str = "") -> None:
        """`max_bytes` is the limit of an event with all its lines, and of a line that has not ended.

        `last_id` is the one that the stream was opened with. It is valid until the server sends another one.
        """
        self._max_bytes = max_bytes
        self._start: bytes | None = b""
        """The first bytes, until it is known whether they are a byte order mark."""
        self._ends_with_cr = False
        self._pieces: list[bytes] = []
        """The pieces of the line that has not ended."""
        self._pieces_bytes = 0
        self._data: list[bytes] = []
        self._data_bytes = 0
        self._type = b""
        self.is_too_long = False
        """An event, or a line, is longer than allowed: nothing more is read from this stream."""
        self.next_id = last_id
        """The value of the last `id` line, which becomes the `last_id` at the end of its event."""
        self.last_id = last_id
        """What to send as `Last-Event-ID` when the stream is opened again; empty for none."""
        self.ids_skipped = 0
        """How many ids were ignored because they are too long, or because no header can carry them."""
        self.retry_ms: int | None = None
        """How long the server asks us to wait before the stream is opened again."""

    def feed(self, chunk: bytes) -> list[ServerEvent]:
        """Return the events that end in these bytes."""
        *ended, rest = self._lines(chunk)
        events: list[ServerEvent] = []
        for part in ended:
            line = self._whole(part)
            if line:
                self._take_line(line)
            elif not self.is_too_long and (event := self._dispatch()) is not None:
                events.append(event)
        if rest and not self.is_too_long:
            self._pieces.append(rest)
            self._pieces_bytes += len(rest)
            self.is_too_long = self._pieces_bytes + self._data_bytes > self._max_bytes
        return events

    def _lines(self, chunk: bytes) -> list[bytes]:
        """Return the lines that end in the chunk, and as the last element the beginning of the next line."""
        if self._start is not None:
            chunk, self._start = self._start + chunk, None
            if chunk != _BOM and _BOM.startswith(chunk):
                self._start, chunk = chunk, b""
            chunk = chunk.removeprefix(_BOM)
        if self._ends_with_cr and chunk:
            chunk = chunk.removeprefix(b"\n")  # the second half of one line's end
            self._ends_with_cr = False
        if chunk:
            self._ends_with_cr = chunk.endswith(b"\r")
        if b"\r" in chunk:
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        return chunk.split(b"\n")

    def _whole(self, part: bytes) -> bytes:
        """Return the whole line that ends with this part."""
        if not self._pieces:
            return part
        line = b"".join([*self._pieces, part])
        self._pieces.clear()
        self._pieces_bytes = 0
        return line

    def _take_line(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        match name:
            case b"data":
                self._data.append(value)
                self._data_bytes += len(value) + 1
                self.is_too_long |= self._data_bytes > self._max_bytes + 1
            case b"event":
                self._type = value
            case b"id" if b"\0" not in value:
                self._take_id(value)
            case b"retry" if value.isdigit():
                self.retry_ms = int(value[:_MAX_RETRY_DIGITS])
            case _:  # comments have no name; the standard ignores other names
                pass

    def _take_id(self, value: bytes) -> None:
        text = value[: MAX_ID_BYTES + 1].decode("utf-8", "replace")
        if len(value) > MAX_ID_BYTES or len(text.encode()) > MAX_ID_BYTES or _UNFIT_FOR_A_HEADER.search(value):
            self.ids_skipped += 1
        else:
            self.next_id = text

    def _dispatch(self) -> ServerEvent | None:
        self.last_id = self.next_id  # even if the event has no data
        event = None
        if self._data:
            kind = self._type.decode("utf-8", "replace") or MESSAGE
            event = ServerEvent(b"\n".join(self._data), kind, self.last_id)
        self._data.clear()
        self._data_bytes, self._type = 0, b""
        return event
