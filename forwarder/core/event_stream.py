"""Reads `text/event-stream` as the standard has it (WHATWG HTML, section 9.2.6), whatever pieces the bytes come in. Pure."""

from dataclasses import dataclass

_BOM = b"\xef\xbb\xbf"
_MAX_RETRY_DIGITS = 9
MESSAGE = "message"
"""The type of an event that names none."""


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One event. `data` are its bytes as they came; lines are joined by a line feed."""

    data: bytes
    type: str = MESSAGE


class EventStreamParser:
    """Of one connection: `feed` takes the bytes in the order they come.

    The events are the same wherever the bytes are cut; what has no blank line behind it when the stream ends is no event.
    """

    def __init__(self, *, max_bytes: int) -> None:
        """`max_bytes` is what an event may have, with all its lines, and a line that has not ended."""
        self._max_bytes = max_bytes
        self._start: bytes | None = b""
        """The first bytes, until it is known whether they are a byte order mark."""
        self._ends_with_cr = False
        self._pieces: list[bytes] = []
        """Of the line that has not ended."""
        self._pieces_bytes = 0
        self._data: list[bytes] = []
        self._data_bytes = 0
        self._type = b""
        self.is_too_long = False
        """An event, or a line, is longer than allowed: nothing more is read of this stream."""
        self.last_id = ""
        """To be sent as `Last-Event-ID` when the stream is opened again; empty: none."""
        self.retry_ms: int | None = None
        """How long the server wants us to wait before that."""

    def feed(self, chunk: bytes) -> list[ServerEvent]:
        """Return the events that these bytes end."""
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
        """Return the lines that the chunk ends, and last what it begins."""
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
        """Return the line that this is the end of."""
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
                self.last_id = value.decode("utf-8", "replace")
            case b"retry" if value.isdigit():
                self.retry_ms = int(value[:_MAX_RETRY_DIGITS])
            case _:  # comments have no name; others are not known to the standard
                pass

    def _dispatch(self) -> ServerEvent | None:
        event = None
        if self._data:
            kind = self._type.decode("utf-8", "replace") or MESSAGE
            event = ServerEvent(b"\n".join(self._data), kind)
        self._data.clear()
        self._data_bytes, self._type = 0, b""
        return event
