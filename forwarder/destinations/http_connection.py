"""One HTTP/1.1 connection, which sends one request at a time and reads its response.

A response counts as soon as its headers are complete. Its body is waited for only briefly; the rest is read after the exchange has ended, so
that the connection can be used again.

A 2xx may come before the whole request is sent. It then says nothing about the unsent part: sending continues (RFC 9112, 9.3 and 9.5),
and the 2xx counts when all of the request has left this machine. Any other status counts at once, and the rest is not sent.
"""

import asyncio
from math import inf
from typing import cast

from forwarder.core.answer_words import is_whole_json
from forwarder.destinations.response_reader import HttpResponse, NotHttpError, ResponseReader
from forwarder.destinations.send_state import SendState

_UNNEEDED_BODY_WAIT_S = 0.01
"""How long to wait for the body of a 2xx that nobody needs. Most bodies come with the headers or right after them."""
_NEEDED_BODY_WAIT_S = 1.0
"""How long to wait for the body of any other status, and for a body that is needed."""
_CHECK_AFTER_S = 0.01, 0.1
"""How long to wait before checking again whether a request is sent: at first, and at most."""


class BrokenConnectionError(Exception):
    """The connection ended before a response came. `has_begun` is whether any byte of one came."""

    def __init__(self, error: Exception | None, *, has_begun: bool) -> None:
        self.error = error
        self.has_begun = has_begun
        super().__init__("the connection ended before an answer came")


class CutShortError(Exception):
    """A 2xx came before the receiver had the whole request, and the rest could not be sent: the connection ended, or the time was up."""

    def __init__(self, status: int, *, is_late: bool) -> None:
        self.status = status
        self.is_late = is_late
        super().__init__("the answer came before the request was sent")


class HttpConnection(asyncio.Protocol):
    """Exchanges one request and response at a time, and can be used again as long as `is_usable`."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._sending = SendState()
        self._reader = ResponseReader()
        self._waiter: asyncio.Future[HttpResponse] | None = None
        self._needs_body = False
        self._is_sent = False
        """Whether the whole request is known to be sent. Nobody asks before the headers of its response are complete."""
        self._waiting: asyncio.Handle | None = None
        """Set while a response waits for its request to be sent, or for the rest of its body."""
        self.deadline = 0.0
        """When the current exchange must end, by the loop's clock. The rest of a body is read until then, too."""
        self.is_usable = False
        """Whether the connection is open and nothing is left over from an earlier exchange."""
        self.has_rest = False
        """Whether the last exchange has ended, and the rest of its response is still to be read."""
        self.address = ""
        """The IP address that it is connected to; empty for a unix socket."""
        self.opened_at = 0.0
        """When connecting began, by the loop's clock."""
        self.expires_at = inf
        """From when on it may not begin another exchange, by the loop's clock."""
        self.idle_since = 0.0
        """When the last exchange ended, by the loop's clock."""
        self.transcript: list[tuple[bytes, bytes]] | None = None
        """If set, receives every header of a response as it came."""

    async def exchange(self, head: bytes, body: bytes, *, needs_body: bool = False) -> HttpResponse:
        """Send a request and return its response, once its headers are complete.

        The body is what has come of it by then, or within 10 ms. For a status other than 2xx, or with `needs_body`, it is what comes
        within 1 s. If there is more, the connection `has_rest` afterwards, and may become usable later.

        Raises `BrokenConnectionError`, `CutShortError`, `NotHttpError`, and `TimeoutError` if no response had come when `run_out`
        was called.
        """
        transport = self._transport
        if transport is None or not self.is_usable:
            raise BrokenConnectionError(None, has_begun=False)
        waiter: asyncio.Future[HttpResponse] = self._loop.create_future()
        self._waiter, self._needs_body = waiter, needs_body
        self._is_sent = self.is_usable = False
        self._reader.start(self.transcript)
        try:
            transport.write(head + body)
            return await waiter
        except asyncio.CancelledError:
            self._waiter = None
            self._stop_waiting()
            self.abort()
            raise
        finally:
            if self._sending.is_watched:
                self._sending.stop_watching()

    def run_out(self) -> None:
        """End the current exchange, because its time is up. A response that is incomplete counts as far as it came."""
        self._end(TimeoutError())

    def abort(self) -> None:
        """Close the connection at once."""
        self.is_usable = self.has_rest = False
        self._sending.aborted()
        if self._transport is not None:
            self._transport.abort()

    # What the transport calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._sending.opened(self._transport)
        self.is_usable = True

    def data_received(self, data: bytes) -> None:
        reader = self._reader
        if self._waiter is None and not self.has_rest:  # unrequested data would be taken for the next response
            self.abort()
            return
        try:
            reader.feed(data)
        except NotHttpError as error:
            self._end(error)
            return
        if reader.is_broken:
            self._end(BrokenConnectionError(None, has_begun=True))
        elif self._waiter is None:
            if reader.is_complete:
                self._settle()
        elif reader.response is not None:
            self._go_on(reader.response)

    def eof_received(self) -> bool:
        self.is_usable = False
        if self._waiter is not None:
            self._reader.end()
            response = self._reader.response
            if response is not None and response.is_success:
                self._go_on(response)
            else:  # nothing more can come, and nothing more needs to be sent
                self._end(BrokenConnectionError(None, has_begun=self._reader.has_begun))
        return False  # the transport sends what it has and then closes

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        self.is_usable = self.has_rest = False
        self._sending.closed(error)
        if self._waiter is None:
            return
        if self._sending.is_draining:
            self._stop_waiting()
            self._check_later(_CHECK_AFTER_S[0], was_sent=True)
        else:
            self._end(BrokenConnectionError(error, has_begun=self._reader.has_begun))

    # What the response waits for

    def _go_on(self, response: HttpResponse) -> None:
        """End the exchange, or wait until the request is sent, or for the rest of the body."""
        if not self._is_sent:
            if self._waiting is None:
                self._is_sent = self._sending.is_sent()
                if not self._is_sent and response.is_success:
                    self._sending.watch()
                    self._check_later(_CHECK_AFTER_S[0], was_sent=False)
            if not self._is_sent and response.is_success:
                return
        if self._reader.is_complete or self._transport is None:
            self._conclude()
            return
        is_needed = self._needs_body or not response.is_success
        if is_needed and is_whole_json(self._reader.body):
            self._conclude()
        elif self._waiting is None:
            wait_s = _NEEDED_BODY_WAIT_S if is_needed else _UNNEEDED_BODY_WAIT_S
            self._waiting = self._loop.call_later(wait_s, self._conclude)

    def _check_later(self, wait_s: float, *, was_sent: bool) -> None:
        """Check until the request is sent, twice in a row: TLS has a buffer of its own, which cannot be seen."""

        def check() -> None:
            self._waiting = None
            response = self._reader.response
            if self._waiter is None or response is None:
                return
            is_sent = self._sending.is_sent()
            if is_sent and was_sent:
                self._is_sent = True
                self._go_on(response)
            elif not is_sent and self._sending.is_broken():
                self._end(BrokenConnectionError(None, has_begun=True))
            else:
                longer = wait_s if is_sent else min(wait_s * 2, _CHECK_AFTER_S[1])
                self._check_later(longer, was_sent=is_sent)

        self._waiting = self._loop.call_later(wait_s, check)

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    # How an exchange ends

    def _end(self, error: Exception) -> None:
        """End the exchange early: with the response, as far as it came, if it has a status line and counts, else with the error."""
        self._reader.cut_head()
        response = self._reader.response
        counts = response is not None and (not response.is_success or self._is_sent or self._sending.is_sent())
        self.abort()
        if counts:
            self._conclude()
            return
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            if response is not None:
                error = CutShortError(response.status, is_late=isinstance(error, TimeoutError))
            waiter.set_exception(error)

    def _conclude(self) -> None:
        """End the exchange with its response. Whatever is missing of its body is read later, if the connection is open."""
        if self._waiting is not None:
            self._stop_waiting()
        waiter, self._waiter = self._waiter, None
        reader, response = self._reader, self._reader.response
        if waiter is not None and response is not None and not waiter.done():
            response.body = reader.body
            response.is_complete = reader.is_complete and not reader.is_broken
            waiter.set_result(response)
        if not (self._is_sent or self._sending.is_sent()):  # a refusal: the rest of the request is not sent
            self.abort()
        elif reader.is_complete:
            self._settle()
        elif self._transport is not None and not self._transport.is_closing():
            self.has_rest = True

    def _settle(self) -> None:
        """Keep the connection for another exchange, now that the response is complete, or close it."""
        self.has_rest = False
        if self._transport is not None and not self._transport.is_closing() and self._reader.may_be_followed:
            self.is_usable = True
        else:
            self.abort()
