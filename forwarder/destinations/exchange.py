"""One HTTP/1.1 connection: a request out, its answer in, one at a time. Parsing is llhttp's, through httptools.

An answer counts from the moment its headers are complete; what goes wrong behind them costs the connection, not the answer.
"""

import asyncio
from dataclasses import dataclass
from typing import cast

import httptools

MAX_BODY_BYTES = 64 * 1024
"""Of an answer; the connection of a longer one is closed."""
MAX_HEAD_BYTES = 64 * 1024
"""Of an answer's headers; a longer head is no answer."""
MAX_BYTES_AFTER_HEAD = 8 * MAX_BODY_BYTES
"""What a body may come as; a chunked one can be many times longer than what it holds, and its trailers have no end."""
MAX_INTERIM_ANSWERS = 100
"""1xx before the answer itself."""


class BrokenConnectionError(Exception):
    """The connection ended before an answer came. `heard` tells whether some byte of one did."""

    def __init__(self, error: Exception | None, *, heard: bool) -> None:
        self.error = error
        self.heard = heard
        super().__init__("the connection ended before an answer came")


class NotHttpError(Exception):
    """What came is no answer to our request; the text says why."""

    def __init__(self, why: str = "the answer is not valid HTTP") -> None:
        super().__init__(why)


@dataclass(slots=True)
class Answer:
    """The status, the headers that we act on (names in lower case), and the beginning of the body."""

    status: int
    headers: dict[bytes, bytes]
    body: bytes = b""


_TLS_ALERT = b"\x15\x03"
_SPEAKS_TLS = "it speaks TLS at this port; should the URL begin with https://?"

_WANTED = frozenset(
    {
        b"retry-after",
        b"location",
        b"webhook-delivery",
        b"x-ratelimit-remaining",
        b"x-ratelimit-reset-after",
        b"x-ratelimit-global",
    }
)


class Connection(asyncio.Protocol):
    """A connection that is kept between exchanges."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._waiter: asyncio.Future[Answer] | None = None
        self._answer: Answer | None = None
        self._headers: dict[bytes, bytes] = {}
        self._body: list[bytes] = []
        self._body_bytes = 0
        self._head_bytes = 0
        self._bytes_after_head = 0
        self._interim = 0
        self.deadline = 0.0
        """Of the exchange under way, by the loop's clock."""
        self.is_usable = False
        """It is open, and nothing is left over from the exchange before."""
        self.idle_since = 0.0
        """By the loop's clock."""
        self.transcript: list[tuple[bytes, bytes]] | None = None
        """Where set, every header of an answer goes there as well, as it came."""

    async def exchange(self, head: bytes, body: bytes) -> Answer:
        """Send a request and return its answer.

        Raises `BrokenConnectionError`, `NotHttpError`, and `TimeoutError` when no answer had come when `run_out` was called.
        """
        if self._transport is None or not self.is_usable:
            raise BrokenConnectionError(None, heard=False)
        waiter: asyncio.Future[Answer] = self._loop.create_future()
        self._waiter, self._answer = waiter, None
        self._headers, self._body = {}, []
        self._body_bytes = self._head_bytes = self._bytes_after_head = self._interim = 0
        self.is_usable = False
        try:
            self._transport.write(head + body)
            return await waiter
        except asyncio.CancelledError:
            self.abort()
            raise
        finally:
            self._waiter = None

    def run_out(self) -> None:
        """End the exchange under way: its time is over. An answer whose body is not complete is taken as far as it came."""
        self._end(TimeoutError())

    def abort(self) -> None:
        """Close it at once."""
        self.is_usable = False
        if self._transport is not None:
            self._transport.abort()

    # What the transport calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:  # noqa: D102
        self._transport = cast("asyncio.Transport", transport)
        self.is_usable = True

    def data_received(self, data: bytes) -> None:  # noqa: D102
        if self._waiter is None:  # nobody asked: the receiver's words would be taken for the next answer
            self.abort()
            return
        if self._answer is None:
            self._head_bytes += len(data)
        else:
            self._bytes_after_head += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            is_tls = self._head_bytes == len(data) and data.startswith(_TLS_ALERT)
            self._end(NotHttpError(_SPEAKS_TLS) if is_tls else NotHttpError())
            return
        if self._answer is None and self._head_bytes > MAX_HEAD_BYTES:
            self._end(NotHttpError("the headers of the answer have no end"))
        elif self._bytes_after_head > MAX_BYTES_AFTER_HEAD:
            self._end(NotHttpError())

    def eof_received(self) -> None:  # noqa: D102
        self.is_usable = False

    def connection_lost(self, error: Exception | None) -> None:  # noqa: D102
        self._transport = None
        self.is_usable = False
        if self._waiter is not None:
            self._end(BrokenConnectionError(error, heard=self._head_bytes > 0))

    # What the parser calls

    def on_message_begin(self) -> None:  # noqa: D102
        if self._waiter is None or self._answer is not None:  # a second answer
            self.abort()

    def on_header(self, name: bytes, value: bytes) -> None:  # noqa: D102
        if self.transcript is not None:
            self.transcript.append((name, value))
        lowered = name.lower()
        if lowered in _WANTED and len(self._headers) < len(_WANTED):
            self._headers.setdefault(lowered, value)

    def on_headers_complete(self) -> None:  # noqa: D102
        if self._waiter is None:
            return
        status = self._parser.get_status_code()
        if status >= 200:
            self._answer = Answer(status, self._headers)
            return
        self._interim += 1
        self._headers = {}
        if self.transcript is not None:
            self.transcript.clear()
        if status == 101:
            self._end(NotHttpError("it answers with another protocol than HTTP"))
        elif self._interim > MAX_INTERIM_ANSWERS:
            self._end(NotHttpError("it sends 1xx answers without end"))

    def on_body(self, data: bytes) -> None:  # noqa: D102
        if self._waiter is None:
            return
        self._body.append(data)
        self._body_bytes += len(data)
        if self._body_bytes >= MAX_BODY_BYTES:
            self._end(NotHttpError())

    def on_message_complete(self) -> None:  # noqa: D102
        if self._answer is None or self._waiter is None:  # an interim answer
            return
        transport = self._transport
        is_sent = transport is not None and not transport.is_closing() and transport.get_write_buffer_size() == 0
        self._finish()
        if is_sent and self._parser.should_keep_alive():
            self.is_usable = True
        else:
            self.abort()

    # How an exchange ends

    def _end(self, error: Exception) -> None:
        """End the exchange before its time: with the answer, where its headers are in, else with the error."""
        self.abort()
        if self._answer is not None:
            self._finish()
        elif self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(error)
        self._waiter = None

    def _finish(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and self._answer is not None and not waiter.done():
            self._answer.body = b"".join(self._body)[:MAX_BODY_BYTES]
            waiter.set_result(self._answer)
