"""One HTTP/1.1 connection: a request out, its answer in, one at a time. Parsing is llhttp's, through httptools.

An answer counts from the moment its headers are complete; what goes wrong behind them costs the connection, not the answer.

But a 2xx that comes before the request is out says nothing yet of what was not sent: sending goes on (RFC 9112, 9.3 and 9.5), and the
2xx counts when all of the request has left this machine. Any other status counts at once, and the rest is not sent.
"""

import asyncio
import errno
import os
import socket
import struct
from contextlib import suppress
from dataclasses import dataclass
from fcntl import ioctl
from termios import TIOCOUTQ
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


class CutShortError(Exception):
    """A 2xx came before the receiver had the whole request, and then it got no more of it: the connection ended, or the time."""

    def __init__(self, status: int, *, is_late: bool) -> None:
        self.status = status
        self.is_late = is_late
        super().__init__("the answer came before the request was sent")


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

    @property
    def is_success(self) -> bool:
        """Whether it says that the receiver has what was sent."""
        return 200 <= self.status < 300


_INT = struct.Struct("i")
_NO_INT = bytes(_INT.size)
_CANNOT_TELL = frozenset({errno.ENOTTY, errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS})
_LOOK_AGAIN_S = 0.01, 0.1
"""While a request is still on its way: the first wait, and the longest."""

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
        self._socket: socket.socket | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._waiter: asyncio.Future[Answer] | None = None
        self._answer: Answer | None = None
        self._headers: dict[bytes, bytes] = {}
        self._body: list[bytes] = []
        self._body_bytes = 0
        self._head_bytes = 0
        self._bytes_after_head = 0
        self._interim = 0
        self._was_out = False
        """The request was out when the headers of its answer were in."""
        self._is_aborted = False
        self._is_cut = False
        """The connection ended while something of the request was unsent, or with an error: what had arrived by then, nobody knows."""
        self._kernel: socket.socket | None = None
        """The socket once more, to ask the kernel about it when the transport is gone; set while an early 2xx waits."""
        self._looking: asyncio.TimerHandle | None = None
        """Set while an answer waits for its request to be out."""
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

        Raises `BrokenConnectionError`, `CutShortError`, `NotHttpError`, and `TimeoutError` when no answer had come when `run_out`
        was called.
        """
        if self._transport is None or not self.is_usable:
            raise BrokenConnectionError(None, heard=False)
        waiter: asyncio.Future[Answer] = self._loop.create_future()
        self._waiter, self._answer = waiter, None
        self._headers, self._body = {}, []
        self._body_bytes = self._head_bytes = self._bytes_after_head = self._interim = 0
        self._was_out = False
        self.is_usable = False
        try:
            self._transport.write(head + body)
            return await waiter
        except asyncio.CancelledError:
            self.abort()
            raise
        finally:
            self._waiter = None
            self._look_no_more()
            if self._kernel is not None:
                self._kernel.close()
                self._kernel = None

    def run_out(self) -> None:
        """End the exchange under way: its time is over. An answer whose body is not complete is taken as far as it came."""
        self._end(TimeoutError())

    def abort(self) -> None:
        """Close it at once."""
        self.is_usable = False
        self._is_aborted = True
        if self._transport is not None:
            self._transport.abort()

    # What the transport calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:  # noqa: D102
        self._transport = cast("asyncio.Transport", transport)
        self._socket = transport.get_extra_info("socket")
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

    def eof_received(self) -> bool:  # noqa: D102
        self.is_usable = False
        if self._waiter is not None and (self._answer is None or not self._answer.is_success):
            self._end(BrokenConnectionError(None, heard=self._head_bytes > 0))  # nothing more can come, and need not go
        return False  # what is on its way goes on; then the transport closes

    def connection_lost(self, error: Exception | None) -> None:  # noqa: D102
        transport, self._transport = self._transport, None
        self.is_usable = False
        if self._waiter is None:
            return
        # An error has emptied the buffer of the transport already, and so has an abort.
        if self._is_aborted or error is not None or (transport is not None and transport.get_write_buffer_size()):
            self._is_cut = True
        if self._kernel is not None and not self._is_cut:  # the kernel has the rest of the request
            self._look_no_more()
            self._look_later(_LOOK_AGAIN_S[0], may_be_kept=False, was_out=True)
        else:
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
            self._was_out = self._is_out()
            if not self._was_out and self._answer.is_success:
                self._watch_kernel()
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
        may_be_kept = self._parser.should_keep_alive()
        is_out = self._was_out or self._is_out()
        if is_out or not self._answer.is_success:
            self._conclude(may_be_kept=may_be_kept and is_out)
        else:
            self._look_later(_LOOK_AGAIN_S[0], may_be_kept=may_be_kept, was_out=False)

    # Whether the request is out

    def _is_out(self) -> bool:
        """Whether all of the request has left us: our buffer and the kernel's are empty. A unix socket's is what the receiver has not read."""
        transport = self._transport
        if self._is_cut or self._is_aborted:
            return False
        if transport is not None and (transport.is_closing() or transport.get_write_buffer_size()):
            return False  # of one that is closing, `connection_lost` tells how that ended
        sock = self._kernel if transport is None else self._socket
        if sock is None:
            return False
        try:
            (unsent,) = _INT.unpack(ioctl(sock.fileno(), TIOCOUTQ, _NO_INT))
            if unsent == 0 and sock.family == socket.AF_UNIX and sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                self._is_cut = True  # the receiver has closed it, which threw away what it had not read
        except ValueError:  # it is closed
            return False
        except OSError as error:  # a kernel that cannot tell must not stop all deliveries; else it is closed
            return error.errno in _CANNOT_TELL
        return bool(unsent == 0) and not self._is_cut

    def _watch_kernel(self) -> None:
        if self._transport is not None and self._socket is not None:
            with suppress(OSError):
                self._kernel = socket.socket(fileno=os.dup(self._socket.fileno()))

    def _is_broken(self) -> bool:
        """Whether the kernel knows that what it holds will not arrive: the receiver has reset the connection."""
        return self._is_cut or (
            self._transport is None
            and (self._kernel is None or self._kernel.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0)
        )

    def _look_later(self, wait_s: float, *, may_be_kept: bool, was_out: bool) -> None:
        """Look until the request is out. Twice, because TLS has a buffer between ours and the kernel's that does not show."""

        def look() -> None:
            if self._waiter is None:
                return
            is_out = self._is_out()
            if is_out and was_out:
                self._conclude(may_be_kept=may_be_kept)
            elif not is_out and self._is_broken():
                self._end(BrokenConnectionError(None, heard=True))
            else:
                longer = wait_s if is_out else min(wait_s * 2, _LOOK_AGAIN_S[1])
                self._look_later(longer, may_be_kept=may_be_kept, was_out=is_out)

        self._looking = self._loop.call_later(wait_s, look)

    def _look_no_more(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
            self._looking = None

    # How an exchange ends

    def _end(self, error: Exception) -> None:
        """End the exchange before its time: with the answer, where its headers are in and it counts, else with the error."""
        counts = self._answer is not None and (not self._answer.is_success or self._was_out or self._is_out())
        self.abort()
        if counts:
            self._finish()
        elif self._answer is not None and self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(CutShortError(self._answer.status, is_late=isinstance(error, TimeoutError)))
        elif self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(error)
        self._waiter = None

    def _conclude(self, *, may_be_kept: bool) -> None:
        """End the exchange with its answer, which is complete."""
        has_ended = self._transport is None or self._transport.is_closing()
        self._finish()
        if may_be_kept and not has_ended:
            self.is_usable = True
        else:
            self.abort()

    def _finish(self) -> None:
        self._look_no_more()
        waiter, self._waiter = self._waiter, None
        if waiter is not None and self._answer is not None and not waiter.done():
            self._answer.body = b"".join(self._body)[:MAX_BODY_BYTES]
            waiter.set_result(self._answer)
