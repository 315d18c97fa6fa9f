"""Bytes become a response in whatever pieces they come; what follows the headers can spoil the connection, but not the response."""

import itertools
from contextlib import suppress

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarder.destinations.response_reader import MAX_BODY_BYTES, NotHttpError, ResponseReader

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nRetry-After: 1\r\n\r\nsome"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nsome\r\n0\r\n"


def read(*pieces: bytes) -> ResponseReader:
    reader = ResponseReader()
    reader.start()
    for piece in pieces:
        reader.feed(piece)
    return reader


@given(cuts=st.sets(st.integers(1, len(OK) - 1)))
def test_a_response_is_the_same_in_any_pieces(cuts: set[int]) -> None:
    edges = [0, *sorted(cuts), len(OK)]
    reader = read(*(OK[begin:end] for begin, end in itertools.pairwise(edges)))
    assert reader.response is not None
    assert (reader.response.status, reader.response.headers, reader.body) == (200, {b"retry-after": b"1"}, b"some")
    assert (reader.is_complete, reader.may_be_followed, reader.is_broken) == (True, True, False)


def test_a_response_is_there_before_its_body() -> None:
    reader = read(OK[:-2])
    assert reader.response is not None
    assert reader.response.is_success
    assert (reader.body, reader.is_complete) == (b"so", False)
    reader.feed(b"me")
    assert (reader.body, reader.is_complete) == (b"some", True)


def test_one_reader_reads_one_response_after_the_other_and_nothing_of_the_first_is_left() -> None:
    reader = read(OK)
    reader.start()
    assert (reader.response, reader.has_begun) == (None, False)
    reader.feed(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    assert reader.response is not None
    assert (reader.response.status, reader.response.headers, reader.body) == (503, {}, b"")
    assert (reader.is_complete, reader.may_be_followed) == (True, False)


@pytest.mark.parametrize("pieces", [1, 2])
def test_nothing_of_a_second_response_gets_into_the_first(pieces: int) -> None:
    second = b"HTTP/1.1 503 Smuggled\r\nLocation: elsewhere\r\nContent-Length: 4\r\n\r\nevil"
    reader = read(OK + second) if pieces == 1 else read(OK, second)
    assert reader.is_broken
    assert reader.response is not None
    assert (reader.response.status, reader.response.headers, reader.body) == (200, {b"retry-after": b"1"}, b"some")


@pytest.mark.parametrize("space", [b" ", b"\t", b" \t "])
def test_spaces_after_the_value_of_a_header_are_no_part_of_it(space: bytes) -> None:
    reader = read(b"HTTP/1.1 200 OK\r\nX-RateLimit-Remaining: 0%b\r\nContent-Length: 0\r\n\r\n" % space)
    assert reader.response is not None
    assert reader.response.headers == {b"x-ratelimit-remaining": b"0"}


def test_a_trailer_is_no_header() -> None:
    transcript: list[tuple[bytes, bytes]] = []
    reader = ResponseReader()
    reader.start(transcript)
    reader.feed(CHUNKED + b"Retry-After: 9\r\n\r\n")
    assert reader.response is not None
    assert (reader.response.headers, reader.is_complete, reader.is_broken) == ({}, True, False)
    assert transcript[-1] == (b"Retry-After", b"9")


@pytest.mark.parametrize("space", [b" ", b"   ", b"\t"])
@pytest.mark.parametrize(
    "begin", [b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nbad header\r\n"], ids=["tidy", "untidy"]
)
def test_spaces_after_the_size_of_a_chunk_change_nothing(begin: bytes, space: bytes) -> None:
    """Some servers fill the size up to a fixed width."""
    said = begin + b"Transfer-Encoding: chunked\r\n\r\n4%s\r\nsome\r\n0%s\r\n\r\n" % (space, space)
    reader = read(said)
    assert (reader.body, reader.is_complete, reader.is_broken) == (b"some", True, False)


@pytest.mark.parametrize("tail", [b"zz\r\n", b"0\r\n\r\nmore", b"ffff\r\n" + b"x" * MAX_BODY_BYTES])
def test_a_body_that_is_invalid_too_long_or_followed_by_more_leaves_the_response(tail: bytes) -> None:
    reader = read(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + tail)
    assert reader.is_broken
    assert reader.response is not None
    assert len(reader.body) <= MAX_BODY_BYTES


@pytest.mark.parametrize("status", ["000", "099"])
def test_a_status_below_100_is_none(status: str) -> None:
    with pytest.raises(NotHttpError, match="not valid HTTP"):
        read(f"HTTP/1.1 {status} What\r\nContent-Length: 0\r\n\r\n".encode())


def test_what_is_no_response_is_refused_with_the_reason() -> None:
    with pytest.raises(NotHttpError, match="speaks TLS"):
        read(b"\x15\x03\x01\x00\x02\x02\x16")
    with pytest.raises(NotHttpError, match="another protocol"):
        read(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
    with pytest.raises(NotHttpError, match="1xx answers without end"):
        read(*[b"HTTP/1.1 103 Early Hints\r\n\r\n"] * 101)
    with pytest.raises(NotHttpError, match="have no end"):
        read(b"HTTP/1.1 200 " + b"OK" * 60_000)


@pytest.mark.parametrize(
    ("said", "is_complete"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\nsome", True),
        (b"HTTP/1.0 200 OK\r\nConnection: close\r\n\r\n", True),
        (b"HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n\r\nHTTP/1.1 200 OK\r\n\r\nsome", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nsome", False),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nsome\r\n", False),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"a" * (MAX_BODY_BYTES + 1), False),
        (b"HTTP/1.1 200 OK\r\nServer", True),
    ],
)
def test_a_body_whose_length_no_header_gives_is_complete_when_the_connection_ends(
    said: bytes, is_complete: bool
) -> None:
    reader = read(said)
    assert not reader.is_complete
    reader.end()
    assert reader.is_complete is is_complete
    reader.start()
    assert not reader.is_complete


PIECES = st.lists(
    st.one_of(
        st.sampled_from(
            [
                *(b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 503\n", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.0 204 No\r\n"),
                *(b"\r\n", b"\n", b"\r\n\r\n", b": b\r\n", b"A : b\r\n", b" fold\r\n", b"Retry-After: 7\r\n"),
                *(b"Content-Length: 4\r\n", b"Transfer-Encoding: chunked\r\n", b"4\r\nsome\r\n0\r\n\r\n", b"some"),
                *(b"Connection: close\r\n", b"Upgrade: a\r\nConnection: Upgrade\r\n", b"HTTP/1.1 101 X\r\n"),
            ]
        ),
        st.binary(max_size=8),
    ),
    max_size=12,
)


@given(pieces=PIECES, sizes=st.lists(st.integers(1, 20), min_size=1, max_size=20))
def test_any_bytes_mean_the_same_in_any_pieces(pieces: list[bytes], sizes: list[int]) -> None:
    """They are a response, or no response, or not yet one, and then perhaps at their end."""
    data = b"".join(pieces)
    cut, sizes_left = [], itertools.cycle(sizes)
    begin = 0
    while begin < len(data):
        cut.append(data[begin : (begin := begin + next(sizes_left))])
    assert found_in(cut) == found_in([data])


def found_in(pieces: list[bytes]) -> object:
    """Return the status, the headers and the beginning of the body; or that there is none yet, or can be none."""
    reader = ResponseReader()
    reader.start()
    try:
        for piece in pieces:
            reader.feed(piece)
    except NotHttpError:
        return "no response"
    reader.end()
    if reader.response is None:
        return "not yet"
    return reader.response.status, reader.response.headers, reader.body[:4]


class ParserReader:
    """Collects the headers of the first response that is not a 1xx, as the parser itself reports them."""

    def __init__(self, data: bytes) -> None:
        self.headers: dict[bytes, bytes] = {}
        self.is_response = False
        self._parser = httptools.HttpResponseParser(self)
        with suppress(httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._parser.feed_data(data)

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.is_response and name.lower() in HINTS | {b"date"}:
            self.headers.setdefault(name.lower(), value.rstrip())

    def on_headers_complete(self) -> None:
        if not self.is_response:
            self.is_response = self._parser.get_status_code() >= 200
            if not self.is_response:
                self.headers.clear()


HINTS = {
    *(b"retry-after", b"location", b"webhook-delivery", b"x-ratelimit-global"),
    *(b"x-ratelimit-remaining", b"x-ratelimit-reset-after"),
}
Fields = list[tuple[bytes, bytes, bytes]]
FIELDS = st.lists(
    st.tuples(
        st.sampled_from([*sorted(HINTS), b"Retry-After", b"LOCATION", b"Date", b"Server", b"X-Location"]),
        st.sampled_from([b":", b": ", b":\t "]),
        st.sampled_from([b"7", b"", b"a b", b"Location: x", b"\xff", b"a:b", b"7 ", b"a\t"]),
    ),
    max_size=8,
)
HEADS = st.tuples(
    st.sampled_from([b"", b"\r\n", b"\r\n\r\n"]),
    st.sampled_from([b"HTTP/1.1 200 OK", b"HTTP/1.0 503 ", b"HTTP/1.1 204 No"]),
    FIELDS,
)


@given(
    interim=st.lists(HEADS, max_size=2),
    final=HEADS,
    tail=st.sampled_from([b"", b"ok", b"\r\nLocation: of the body\r\n\r\n", b"\nRetry-After: 9"]),
)
def test_the_headers_that_are_acted_on_are_those_that_the_parser_finds(
    interim: list[tuple[bytes, bytes, Fields]], final: tuple[bytes, bytes, Fields], tail: bytes
) -> None:
    data = b"".join([head(before, b"HTTP/1.1 103 Early Hints", fields) for before, _, fields in interim])
    data += head(*final) + tail
    found = ParserReader(data).headers
    reader = ResponseReader()
    reader.start()
    reader.feed(data)
    assert reader.response is not None
    assert reader.response.headers == (found if found.keys() & HINTS else {})


def head(before: bytes, status_line: bytes, fields: Fields) -> bytes:
    return b"%b%b\r\n%b\r\n" % (before, status_line, b"".join([b"%b%b%b\r\n" % field for field in fields]))
