"""Reads the response to one request at a time, from the bytes that a connection brings. httptools (llhttp) parses. Opens nothing.

A response counts as soon as its headers are complete, or as far as they came where nothing more of them comes: the status line says what
became of the request. What goes wrong after that costs the connection, not the response. Headers that the parser does not accept are made
tidy first, and cost the connection too.
"""

import re
from collections.abc import Callable
from contextlib import suppress

import httptools
import msgspec

from forwarder.core.destinations.untidy_head import head_length, tidy

MAX_BODY_BYTES = 64 * 1024
"""How much of a response's body is read. The connection of a longer one is closed."""
MAX_HEAD_BYTES = 64 * 1024
"""The longest headers of a response. Longer ones are an error."""
MAX_BYTES_AFTER_HEAD = 8 * MAX_BODY_BYTES
"""How many bytes may follow the headers. A chunked body can be many times longer than its content, and its trailers can be endless."""
MAX_INTERIM_ANSWERS = 100
"""How many 1xx responses may come before the final one."""

_TLS_ALERT = b"\x15\x03"
_SPEAKS_TLS = "it speaks TLS at this port; should the URL begin with https://?"

_HINTS = rb"retry-after|location|webhook-delivery|x-ratelimit-remaining|x-ratelimit-reset-after|x-ratelimit-global"
_HINT = re.compile(rb"\n(?=[lrwxLRWX])(?i:%b):" % _HINTS)
"""The beginning of a header that is acted on. The letters in front of it make the search faster."""
_WANTED = re.compile(rb"\n(?i:(date|%b)):[ \t]*([^\r\n]*)" % _HINTS)
_LENGTH = re.compile(rb"\n(?i:content-length|transfer-encoding):")
_INVALID = httptools.HttpParserError, httptools.HttpParserUpgrade, ValueError
_BREAKS = b"\r\n"
_END = b"\r\n\r\n"


class NotHttpError(Exception):
    """What came is not a response to the request; the text says why."""

    def __init__(self, why: str = "the answer is not valid HTTP") -> None:
        super().__init__(why)


class HttpResponse(msgspec.Struct, gc=False):
    """The status, the headers that forwarder acts on (names in lower case), and the beginning of the body."""

    status: int
    headers: dict[bytes, bytes] = {}
    """Empty if none of them says more than when the response was sent."""
    body: bytes = b""
    is_complete: bool = False
    """Whether `body` is all of the body."""

    @property
    def is_success(self) -> bool:
        """Whether the receiver says that it has the request."""
        return 200 <= self.status < 300


class ResponseReader:
    """Reads one response after the other; `start` is called before each."""

    def __init__(self) -> None:
        self._transcript: list[tuple[bytes, bytes]] | None = None
        self.on_header: Callable[[bytes, bytes], None] | None = None
        """The parser calls it if it is set when the parser is made: each call costs time."""
        self._parser = self._new_parser()
        self._head = bytearray()
        """What has come of a head that is not complete."""
        self._is_untidy = False
        """Whether the parser does not accept the head as it came."""
        self._head_bytes = 0
        self._bytes_after_head = 0
        self._interim = 0
        self._refusal: NotHttpError | None = None
        self._has_length = False
        """Whether a header gives the length of the body, or how its end is marked."""
        self.response: HttpResponse | None = None
        """The response, once its headers are complete."""
        self._body = bytearray()
        self.has_begun = False
        """Whether any byte of it came."""
        self.is_complete = False
        """Whether all of the response is read."""
        self.may_be_followed = False
        """Whether the connection can be used for another exchange after this response, which is complete."""
        self.is_broken = False
        """Whether nothing more can be read: the body is invalid or too long, or something follows the response."""

    def start(self, transcript: list[tuple[bytes, bytes]] | None = None) -> None:
        """Begin with another response. Every header of it is added to `transcript` as it comes."""
        if transcript is not self._transcript:
            self._transcript = transcript
            self.on_header = None if transcript is None else self._note_header
            self._parser = self._new_parser()
        if self._head:
            self._head = bytearray()
        if self._body:
            self._body = bytearray()
        self._head_bytes = self._bytes_after_head = self._interim = 0
        self._refusal = self.response = None
        self._is_untidy = self._has_length = False
        self.has_begun = self.is_complete = self.may_be_followed = self.is_broken = False

    @property
    def body(self) -> bytes:
        """What has come of the body, up to the limit."""
        return bytes(self._body)

    def feed(self, data: bytes) -> None:
        """Read more. Raises `NotHttpError` if that cannot become a response; once there is a `response`, it only becomes broken."""
        is_first, self.has_begun = not self.has_begun, True
        try:
            if self.response is None:
                self._read_head(data)
            else:
                self._bytes_after_head += len(data)
                self._parser.feed_data(data)
        except _INVALID:
            is_tls = is_first and data.startswith(_TLS_ALERT)
            self._refuse(NotHttpError(_SPEAKS_TLS) if is_tls else NotHttpError())
        if self.response is None:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                self.cut_head()
                self._refuse(NotHttpError("the headers of the answer have no end"))
        elif self._bytes_after_head > MAX_BYTES_AFTER_HEAD:
            self.is_broken = True
        if self._refusal is not None:
            raise self._refusal

    def end(self) -> None:
        """Note that no more bytes come. A body whose length no header gives is complete then (RFC 9112, 6.3)."""
        self.cut_head()
        if self.response is not None and not self._has_length and not self.is_broken:
            self.is_complete = True

    def cut_head(self) -> None:
        """Take the whole lines of a head that is not complete for all of it, since no more of it comes or is read."""
        lines = self._head.rfind(b"\n") + 1
        if self.response is None and self._refusal is None and lines > 0:
            del self._head[lines:]
            with suppress(*_INVALID):
                self._read_untidy_head(b"\n")

    def _new_parser(self) -> httptools.HttpResponseParser:
        """Return a parser that accepts the spaces that some servers write after the size of a chunk. They change nothing of its meaning."""
        parser = httptools.HttpResponseParser(self)
        parser.set_dangerous_leniencies(lenient_spaces_after_chunk_size=True)
        return parser

    def _read_head(self, data: bytes) -> None:
        """Read more of the head, and what follows it. Raises `_INVALID` if any of this is."""
        if self._is_untidy:
            self._read_untidy_head(data)
            return
        try:
            self._parser.feed_data(data)
        except _INVALID:
            if self.response is None and self._refusal is None:
                self._read_untidy_head(data)
                return
            raise  # what follows the head is wrong, or it is refused
        finally:
            if self.response is not None and not self._is_untidy:
                seen = self._head + data if self._head else data
                if not self.is_complete or _HINT.search(seen) is not None:
                    self._read_fields(seen, interim=self._interim)
        if self.response is None:
            self._head += data

    def _read_fields(self, data: bytes | bytearray, *, interim: int) -> None:
        """Read the headers of the response, if it is there: `data` begins with so many heads of 1xx responses, and then its own."""
        if self.response is None:
            return
        head, _, rest = data.lstrip(_BREAKS).partition(_END)
        for _ in range(interim):
            head, _, rest = rest.lstrip(_BREAKS).partition(_END)
        self._has_length = _LENGTH.search(head) is not None
        if _HINT.search(head) is not None:
            fields = reversed(_WANTED.findall(head))  # the first of each counts
            self.response.headers = {name.lower(): value.rstrip() for name, value in fields}

    def _read_untidy_head(self, data: bytes) -> None:
        """Read the head from its beginning, with heads of 1xx responses in front of it, in the way that accepts untidy ones."""
        since = len(self._head)
        if not self._is_untidy:
            since = 0
            self._is_untidy = True
            self._parser = self._new_parser()
            self._interim = 0
            if self._transcript is not None:
                self._transcript.clear()
        self._head += data
        while self.response is None and self._refusal is None:
            length = head_length(self._head, since=since)
            if length is None:
                return
            head = tidy(bytes(self._head[:length]))
            self._parser.feed_data(head)
            self._read_fields(head, interim=0)
            del self._head[:length]
            since = 0
        self._parser.feed_data(bytes(self._head))

    def _refuse(self, error: NotHttpError) -> None:
        """Have `feed` raise the error, unless a response counts already."""
        if self.response is not None:
            self.is_broken = True
        elif self._refusal is None:
            self._refusal = error

    # What the parser calls

    def on_message_begin(self) -> None:
        if self.response is not None:  # a second response
            self.is_broken = True

    def _note_header(self, name: bytes, value: bytes) -> None:
        if self._transcript is not None and not self.is_broken:  # by a second response
            self._transcript.append((name, value))

    def on_headers_complete(self) -> None:
        if self.response is not None:
            return
        status = self._parser.get_status_code()
        if status >= 200:
            self.response = HttpResponse(status)
            return
        self._interim += 1
        if self._transcript is not None:
            self._transcript.clear()
        if status < 100:
            self._refuse(NotHttpError())
        elif status == 101:
            self._refuse(NotHttpError("it answers with another protocol than HTTP"))
        elif self._interim > MAX_INTERIM_ANSWERS:
            self._refuse(NotHttpError("it sends 1xx answers without end"))

    def on_body(self, data: bytes) -> None:
        if self.is_broken:
            return
        self._body += data
        if len(self._body) >= MAX_BODY_BYTES:
            del self._body[MAX_BODY_BYTES:]
            self.is_broken = True

    def on_message_complete(self) -> None:
        if self.response is not None:  # an interim response is no message of its own
            self.is_complete = True
            self.may_be_followed = not self._is_untidy and self._parser.should_keep_alive()  # only known here
