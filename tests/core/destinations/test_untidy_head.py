"""Whatever a head looks like: what can be read of it is read, a strict parser accepts the result, and nothing is made up."""

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarder.core.destinations.untidy_head import head_length, status_of, tidy


@pytest.mark.parametrize(
    ("head", "read"),
    [
        (b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n", b"200 A: b"),
        (b"HTTP/1.1 200 OK\nA: b\n\n", b"200 A: b"),
        (b"HTTP/1.1 200 OK\r\nA: b\n\r\n", b"200 A: b"),
        (b"HTTP/1.1 200 OK\r\r\nA: b\r\r\n\r\r\n", b"200 A: b"),
        (b"\r\n\n\r\nHTTP/1.1 200 OK\r\nA: b\r\n\r\n", b"200 A: b"),
        (b"HTTP/1.1 200\r\n\r\n", b"200"),
        (b"HTTP/1.1 200OK\r\n\r\n", b"200"),
        (b"HTTP/1.1 \t 200 \xc3\xa9\x00\r\n\r\n", b"200"),
        (b"HTTP/1.2 503 Busy\r\n\r\n", b"503"),
        (b"HTTP/1 503\r\n\r\n", b"503"),
        (b"HTTP/2 200\r\n\r\n", b"200"),
        (b"http/1.1 200 ok\r\n\r\n", b"200"),
        (b"HTTP/1.1 103 Early\r\nContent-Length: 3\r\nLink : a\r\n\r\n", b"103 Link: a"),
        (b"HTTP/1.1 200 OK\r\n ignored\r\nA: b\r\n\r\n", b"200 A: b"),
        (b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\t\r\n\td\r\nE: f\r\n\r\n", b"200 A: b c  d|E: f"),
        (b"HTTP/1.1 200 OK\r\nno colon\r\n of it\r\nA: b\r\n\r\n", b"200 A: b"),
        (b"HTTP/1.1 200 OK\r\nA : b\r\n: c\r\n\xc3\x84: d\r\nE f: g\r\n\r\n", b"200 A: b"),
        (b"HTTP/1.1 200 OK\r\nA: \x01b\0c\rd\x7f\xc3\xa4\r\n\r\n", b"200 A: b c d \xc3\xa4"),
        (b"HTTP/1.1 200 OK\r\nConnection: Upgrade\r\nUpgrade: a\r\nKeep-Alive: 5\r\n\r\n", b"200"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\ncontent-length : 02\r\n\r\n", b"200 Content-Length: 2"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\n", b"200 Content-Length: 2"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", b"200"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", b"200"),
        (b"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n", b"200"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n", b"200"),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\nContent-Length: 2\r\n\r\n",
            b"200 Transfer-Encoding: chunked",
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            b"200 Transfer-Encoding: chunked",
        ),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nContent-Length: 2\r\n\r\n", b"200 Content-Length: 2"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\nContent-Length: 2\r\n\r\n", b"200"),
    ],
)
def test_what_can_be_read_is_read(head: bytes, read: bytes) -> None:
    assert head_length(head + b"body\n\n") == len(head)
    status, _, fields = read.partition(b" ")
    lines = [line + b"\r\n" for line in fields.split(b"|") if line]
    assert tidy(head) == b"HTTP/1.1 " + status + b" \r\n" + b"".join(lines) + b"\r\n"
    assert read_strictly(tidy(head)) == status_of(head) == int(status)


@pytest.mark.parametrize(
    "head", [b"\r\nHTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", b"http/1.1 200\n\n", b"HTTP/1.1 200\r\r\n\r\r\n"]
)
def test_a_head_is_as_long_as_it_takes(head: bytes) -> None:
    for length in range(len(head)):
        assert head_length(head[:length], since=length - 1) is None
    assert head_length(head, since=len(head) - 1) == len(head)


@pytest.mark.parametrize("piece", [b"a", b"\r", b" ", b"\n ", b"\n\t:", b":\n", b"\r\r\r\n", b"0,"])
def test_the_longest_head_takes_no_long_time(piece: bytes) -> None:
    """It would take minutes if each byte were looked at again for each that follows."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length:" + piece * (64 * 1024 // len(piece)) + b"\r\n\r\n"
    length = head_length(head)
    assert length is not None
    assert read_strictly(tidy(head[:length])) == 200


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n" * 51 + b"H",
        *(b"<html>", b" HTTP/1.1 200 OK", b"x\r\nHTTP/1.1 200 OK\r\n\r\n", b"\0", b"ICY 200 OK\r\n", b"HTTX"),
        *(b"HTTP/1.1\n", b"HTTP/1.1 \r\n", b"HTTP/1.1 20 OK\r\n", b"HTTP/1.1 2000 OK\r\n", b"HTTP/1.1 099\n"),
        *(b"HTTP/9.9 200 OK\r\n", b"HTTP/1.x 200 OK\r\n", b"HTTP/ 200 OK\r\n", b"HTTP/1.1200 OK\r\n"),
        *(b"POST / HTTP/1.1\r\n", b"HTTP/1.1 OK 200\r\n"),
    ],
)
def test_what_does_not_begin_with_a_status_line_is_refused_as_soon_as_that_is_known(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"^$"):
        head_length(data)


class Strict:
    """Receives what a strict parser reads."""

    def __init__(self) -> None:
        self.parser = httptools.HttpResponseParser(self)
        self.statuses: list[int] = []

    def on_headers_complete(self) -> None:
        self.statuses.append(self.parser.get_status_code())


def read_strictly(head: bytes) -> int:
    """Return the status in a head, which must be the only one. Raises `HttpParserError`."""
    strict = Strict()
    strict.parser.feed_data(head)
    (status,) = strict.statuses
    return status


LINES = st.lists(
    st.one_of(
        st.binary(max_size=20),
        st.tuples(
            st.sampled_from([b"Content-Length", b"Transfer-Encoding", b"Connection", b"Retry-After", b"Upgrade"]),
            st.sampled_from([b":", b" : ", b":\t", b"", b"\r\n :"]),
            st.one_of(
                st.sampled_from([b"1", b"1, 1", b"-1", b"chunked", b"identity", b"a, chunked", b"close", b"h2c"]),
                st.binary(max_size=20),
            ),
        ).map(b"".join),
    ),
    max_size=6,
)


@given(
    begin=st.sampled_from([b"", b"\n", b"\r\n\r\n"]),
    status=st.integers(200, 999),
    reason=st.binary(max_size=10),
    lines=LINES,
    end=st.sampled_from([b"\r\n", b"\n"]),
)
def test_any_head_behind_a_status_line_is_one_response_with_its_status(
    begin: bytes, status: int, reason: bytes, lines: list[bytes], end: bytes
) -> None:
    data = begin + end.join([b"HTTP/1.1 %d " % status + reason, *lines, b"", b""])
    length = head_length(data)
    assert length is not None  # a line of these may have ended it before
    assert read_strictly(tidy(data[:length])) == status


@given(data=st.one_of(st.binary(max_size=60), st.binary(max_size=60).map(lambda tail: b"HTTP/1.1 200 " + tail)))
def test_any_bytes_are_refused_or_wait_or_are_a_head(data: bytes) -> None:
    try:
        length = head_length(data)
    except ValueError:
        return
    if length is not None:
        assert 0 < length <= len(data)
        assert read_strictly(tidy(data[:length])) == 200


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 OK\r\n\r\n", b"200 OK\n\n"])
def test_without_a_status_line_there_is_no_status(head: bytes) -> None:
    with pytest.raises(ValueError, match=r"^$"):
        status_of(head)
