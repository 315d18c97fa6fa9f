"""Reads the response to one request at a time, from the bytes that a connection brings. httptools (llhttp) parses. Opens nothing.

A response counts as soon as its headers are complete, or as far as they came where nothing more of them comes: the status line says what
became of the request. What goes wrong after that costs the connection, not the response. Headers that the parser does not accept are made
tidy first, and cost the connection too.
"""

from dataclasses import dataclass

import httptools

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

_DATE = {b"date"}
_WANTED = frozenset(
    {
        b"retry-after",
        b"date",
        b"location",
        b"webhook-delivery",
        b"x-ratelimit-remaining",
        b"x-ratelimit-reset-after",
        b"x-ratelimit-global",
    }
)
_LENGTH = frozenset({b"content-length", b"transfer-encoding"})


class NotHttpError(Exception):
    """What came is not a response to the request; the text says why."""

    def __init__(self, why: str = "the answer is not valid HTTP") -> None:
        super().__init__(why)


@dataclass(slots=True)
class HttpResponse:
    """The status, the headers that forwarder acts on (names in lower case), and the beginning of the body."""

    status: int
    headers: dict[bytes, bytes]
    body: bytes = b""
    is_complete: bool = False
    """Whether `body` is all of the body."""

    @property
    def has_hints(self) -> bool:
        """Whether a header says more than when the response was sent."""
        return bool(self.headers) and self.headers.keys() != _DATE

    @property
    def is_success(self) -> bool:
        """Whether the receiver says that it has the request."""
        return 200 <= self.status < 300


class ResponseReader:
    """Reads one response after the other; `start` is called before each."""

    def __init__(self) -> None:
        self._parser = self._new_parser()
        self._transcript: list[tuple[bytes, bytes]] | None = None
        self._headers: dict[bytes, bytes] = {}
        self._head = bytearray()
        """What has come of a head that is not complete."""
        self._is_untidy = False
        """Whether the parser does not accept the head as it came."""
        self._body: list[bytes] = []
        self._body_bytes = 0
        self._head_bytes = 0
        self._bytes_after_head = 0
        self._interim = 0
        self._refusal: NotHttpError | None = None
        self._has_length = False
        """Whether a header gives the length of the body, or how its end is marked."""
        self.response: HttpResponse | None = None
        """The response, once its headers are complete. Its body is in `body`."""
        self.is_complete = False
        """Whether all of the response is read."""
        self.may_be_followed = False
        """Whether the connection can be used for another exchange after this response, which is complete."""
        self.is_broken = False
        """Whether nothing more can be read: the body is invalid or too long, or something follows the response."""

    def start(self, transcript: list[tuple[bytes, bytes]] | None = None) -> None:
        """Begin with another response. Every header of it is added to `transcript` as it comes."""
        self._transcript = transcript
        self._headers, self._body = {}, []
        self._body_bytes = self._head_bytes = self._bytes_after_head = self._interim = 0
        self._refusal = None
        self._has_length = False
        self._head.clear()
        self._is_untidy = False
        self.response = None
        self.is_complete = self.may_be_followed = self.is_broken = False

    @property
    def has_begun(self) -> bool:
        """Whether any byte of the response came."""
        return self._head_bytes > 0

    @property
    def body(self) -> bytes:
        """What has come of the body, up to the limit."""
        return b"".join(self._body)[:MAX_BODY_BYTES]

    def feed(self, data: bytes) -> None:
        """Read more. Raises `NotHttpError` if that cannot become a response; once there is a `response`, it only becomes broken."""
        if self.response is not None:
            self._bytes_after_head += len(data)
            is_valid = self._parse(data)
        else:
            self._head_bytes += len(data)
            is_valid = self._read_head(data)
        if not is_valid:
            is_tls = self._head_bytes == len(data) and data.startswith(_TLS_ALERT)
            self._refuse(NotHttpError(_SPEAKS_TLS) if is_tls else NotHttpError())
        if self.response is None and self._head_bytes > MAX_HEAD_BYTES:
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
            self._read_untidy_head(b"\n")

    def _new_parser(self) -> httptools.HttpResponseParser:
        """Return a parser that accepts the spaces that some servers write after the size of a chunk. They change nothing of its meaning."""
        parser = httptools.HttpResponseParser(self)
        parser.set_dangerous_leniencies(lenient_spaces_after_chunk_size=True)
        return parser

    def _parse(self, data: bytes) -> bool:
        """Return whether the parser accepts the data."""
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            return False
        return True

    def _read_head(self, data: bytes) -> bool:
        """Read more of the head, and what follows it. Return whether all of this is valid."""
        if self._is_untidy:
            return self._read_untidy_head(data)
        if self._parse(data):
            if self.response is None:
                self._head += data
            return True
        if self.response is not None or self._refusal is not None:
            return False
        return self._read_untidy_head(data)

    def _read_untidy_head(self, data: bytes) -> bool:
        """Read the head from its beginning, with heads of 1xx responses in front of it, in the way that accepts untidy ones."""
        since = len(self._head)
        if not self._is_untidy:
            since = 0
            self._is_untidy = True
            self._parser = self._new_parser()
            self._headers, self._interim, self._has_length = {}, 0, False
            if self._transcript is not None:
                self._transcript.clear()
        self._head += data
        try:
            while self.response is None and self._refusal is None:
                length = head_length(self._head, since=since)
                if length is None:
                    return True
                if not self._parse(tidy(bytes(self._head[:length]))):
                    return False
                del self._head[:length]
                since = 0
        except ValueError:
            return False
        return self._parse(bytes(self._head))

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

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.is_broken:  # of a second response
            return
        if self._transcript is not None:
            self._transcript.append((name, value))
        if self.response is not None:  # a trailer, which must not be merged into the headers (RFC 9110, 6.5.1)
            return
        lowered = name.lower()
        if lowered in _LENGTH:
            self._has_length = True
        if lowered in _WANTED and len(self._headers) < len(_WANTED):
            self._headers.setdefault(lowered, value)

    def on_headers_complete(self) -> None:
        if self.response is not None:
            return
        status = self._parser.get_status_code()
        if status >= 200:
            self.response = HttpResponse(status, self._headers)
            return
        self._interim += 1
        self._headers, self._has_length = {}, False
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
        self._body.append(data)
        self._body_bytes += len(data)
        if self._body_bytes >= MAX_BODY_BYTES:
            self.is_broken = True

    def on_message_complete(self) -> None:
        if self.response is not None:  # an interim response is no message of its own
            self.is_complete = True
            self.may_be_followed = not self._is_untidy and self._parser.should_keep_alive()  # only known here
