"""One exchange over HTTP: whatever a receiver answers, there is one outcome, in bounded time and memory, and no answer is taken for the next."""

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
import trustme

from forwarder.core.delivery import Answered, Fault, Outcome, Unanswered
from forwarder.core.destinations.request import FixedHeaders, WebhookRequest
from forwarder.core.destinations.transport import Tls, Transport
from forwarder.destinations import http_connection
from forwarder.destinations.http_connection import BrokenConnectionError, HttpConnection
from forwarder.destinations.response_reader import NotHttpError
from tests.support.raw import REQUEST, raw_server, says, sender_to, serving

NOT_HTTP = Unanswered(fault=Fault.PROTOCOL, detail="the answer is not valid HTTP")
CLOSED = Unanswered(fault=Fault.NETWORK, detail="the receiver closed the connection without an answer")
CA = trustme.CA()
SERVER_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
CA.issue_cert("localhost").configure_cert(SERVER_TLS)
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
MIB = 1024 * 1024


async def outcome_of(said: bytes) -> Outcome:
    async with raw_server(says(said), stays_open=True) as url, sender_to(url, timeout=5) as sender:
        return await sender.send(REQUEST)


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        (b"SSH-2.0-OpenSSH\r\n\r\n", NOT_HTTP),
        (b"HTTP/1.1 banana\r\n\r\n", NOT_HTTP),
        (b"HTTP/9.9 200 OK\r\n\r\n", NOT_HTTP),
        (b"\0" * 100, NOT_HTTP),
        (os.urandom(1024).replace(b"H", b"h"), NOT_HTTP),
        (b"POST / HTTP/1.1\r\n\r\n", NOT_HTTP),
        (
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
            Unanswered(fault=Fault.PROTOCOL, detail="it answers with another protocol than HTTP"),
        ),
        (b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 100_000, Answered(status=200)),
        (
            b"HTTP/1.1 200 " + b"OK" * 100_000,
            Unanswered(fault=Fault.PROTOCOL, detail="the headers of the answer have no end"),
        ),
        (
            b"HTTP/1.1 100 Continue\r\n\r\n" * 1_000,
            Unanswered(fault=Fault.PROTOCOL, detail="it sends 1xx answers without end"),
        ),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK, Answered(status=200)),
        (b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello", Answered(status=204)),
        (b"HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 500 No\r\n\r\n", Answered(status=204)),
        (OK + b"HTTP/1.1 500 Smuggled\r\nContent-Length: 0\r\n\r\n", Answered(status=200)),
        (CHUNKED + b"zz\r\nhello\r\n0\r\n\r\n", Answered(status=200)),
        (CHUNKED + b"FFFFFFFFFFFFFFFFFF\r\n", Answered(status=200)),
        (b"HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", Answered(status=500)),
    ],
)
async def test_whatever_bytes_come_there_is_one_outcome_at_once(said: bytes, outcome: Outcome) -> None:
    assert await outcome_of(said) == outcome


STATUS_LINE = b"HTTP/1.1 200 OK\r\n"
UNTIDY = {
    "obs-fold": STATUS_LINE + b"A: b\r\n c\r\nContent-Length: 4\r\n\r\nsome",
    "bare LF": b"HTTP/1.1 200 OK\nContent-Length: 4\n\nsome",
    "some bare LF": STATUS_LINE + b"Content-Length: 4\n\r\nsome",
    "CR CR LF": b"HTTP/1.1 200 OK\r\r\nContent-Length: 4\r\r\n\r\r\nsome",
    "bare CR": STATUS_LINE + b"A: b\rc\r\nContent-Length: 4\r\n\r\nsome",
    "control character": STATUS_LINE + b"A: \x01\r\nContent-Length: 4\r\n\r\nsome",
    "NUL": STATUS_LINE + b"A: va\0lue\r\nContent-Length: 4\r\n\r\nsome",
    "length twice": STATUS_LINE + b"Content-Length: 4\r\nContent-Length: 4\r\n\r\nsome",
    "length as a list": STATUS_LINE + b"Content-Length: 4, 4\r\n\r\nsome",
    "two lengths": STATUS_LINE + b"Content-Length: 4\r\nContent-Length: 9\r\n\r\nsome",
    "negative length": STATUS_LINE + b"Content-Length: -1\r\n\r\nsome",
    "huge length": STATUS_LINE + b"Content-Length: 99999999999999999999999\r\n\r\nsome",
    "no length": STATUS_LINE + b"Content-Length:\r\n\r\nsome",
    "TE, CL": STATUS_LINE + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n4\r\nsome\r\n0\r\n\r\n",
    "CL, TE": STATUS_LINE + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nsome\r\n0\r\n\r\n",
    "identity": STATUS_LINE + b"Transfer-Encoding: identity\r\nContent-Length: 4\r\n\r\nsome",
    "UTF-8 name": STATUS_LINE + b"\xc3\x84: b\r\nContent-Length: 4\r\n\r\nsome",
    "UTF-8 line": STATUS_LINE + b"\xe2\x9c\x93 saved\r\nContent-Length: 4\r\n\r\nsome",
    "no colon": STATUS_LINE + b"bad header\r\nContent-Length: 4\r\n\r\nsome",
    "no name": STATUS_LINE + b": b\r\nContent-Length: 4\r\n\r\nsome",
    "space before colon": STATUS_LINE + b"Content-Length : 4\r\n\r\nsome",
    "space before name": STATUS_LINE + b" A: b\r\nContent-Length: 4\r\n\r\nsome",
    "empty lines first": b"\r\n\n" + STATUS_LINE + b"bad header\r\nContent-Length: 4\r\n\r\nsome",
    "no reason": b"HTTP/1.1 200\nContent-Length: 4\n\nsome",
    "two spaces": b"HTTP/1.1  200 OK\r\nContent-Length: 4\r\n\r\nsome",
    "a tab": b"HTTP/1.1\t200\tOK\r\nContent-Length: 4\r\n\r\nsome",
    "no space": b"HTTP/1.1 200OK\r\nContent-Length: 4\r\n\r\nsome",
    "HTTP/1.2": b"HTTP/1.2 200 OK\r\nContent-Length: 4\r\n\r\nsome",
    "HTTP/1": b"HTTP/1 200 OK\r\nContent-Length: 4\r\n\r\nsome",
    "HTTP/2": b"HTTP/2 200\r\nContent-Length: 4\r\n\r\nsome",
    "http/1.1": b"http/1.1 200 OK\r\nContent-Length: 4\r\n\r\nsome",
    "untidy 103": b"HTTP/1.1 103 Early\r\nbad header\r\n\r\n" + STATUS_LINE + b"Content-Length: 4\r\n\r\nsome",
    "tidy 100": b"HTTP/1.1 100 Continue\r\n\r\n" + STATUS_LINE + b"bad header\r\nContent-Length: 4\r\n\r\nsome",
}
untidy = pytest.mark.parametrize("said", UNTIDY.values(), ids=UNTIDY.keys())


@untidy
@pytest.mark.parametrize("status", [b"200", b"503"])
async def test_a_readable_status_line_counts_whatever_the_headers_look_like(said: bytes, status: bytes) -> None:
    """Also TE with CL, which may be an attempt to smuggle: this is the first thing that comes after the request, and the connection is closed."""
    assert await outcome_of(said.replace(b"200", status)) == Answered(status=int(status), excerpt="some", body=b"some")


@untidy
async def test_an_untidy_response_is_read_in_any_pieces(said: bytes) -> None:
    async def answer(writer: asyncio.StreamWriter) -> None:
        for byte in said:
            writer.write(bytes([byte]))
            await writer.drain()

    async with raw_server(answer, stays_open=True) as url, sender_to(url) as sender:
        outcome = await sender.send(REQUEST)
    assert isinstance(outcome, Answered)
    assert outcome.status == 200


@untidy
async def test_nothing_that_follows_an_untidy_response_is_taken_for_the_next(said: bytes) -> None:
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        while True:
            await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(len(REQUEST.body))
            writer.write(said + b"HTTP/1.1 500 Smuggled\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()

    async with serving(serve) as port, sender_to(f"http://127.0.0.1:{port}/") as sender:
        outcomes = [await sender.send(REQUEST) for _ in range(3)]
    assert [outcome.status for outcome in outcomes if isinstance(outcome, Answered)] == [200] * 3
    assert connections == 3


async def test_the_headers_of_an_untidy_response_are_acted_on() -> None:
    said = b"HTTP/1.1 429 Slow\nbad header\nRetry-After : 7\nContent-Length: 0\n\n"
    assert await outcome_of(said) == Answered(status=429, retry_after=timedelta(seconds=7))


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        (STATUS_LINE, Answered(status=200)),
        (b"HTTP/1.1 200 OK\nA: b\n", Answered(status=200)),
        (b"HTTP/1.1 503 Busy\r\nRetry-After: 7\r\n", Answered(status=503, retry_after=timedelta(seconds=7))),
        (b"HTTP/1.1 200 OK\r\nA: b", Answered(status=200)),
        (b"HTTP/1.1 200 OK\nno colon", Answered(status=200)),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 202 Taken\r\nA", Answered(status=202)),
        (b"HTTP/1.1 503 Busy\r\nRetry-After: 7", Answered(status=503)),  # it may have been 70
        (b"HTTP/1.1 200 OK", CLOSED),
        (b"HTTP/1.1 100 Continue\r\n\r\n", CLOSED),
        (b"HTTP/1.1 100 Continue\r\n", CLOSED),
    ],
)
@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
async def test_headers_that_are_cut_off_count_as_far_as_they_came(said: bytes, outcome: Outcome, tls: bool) -> None:
    """The status line says what became of the request; sending it again would repeat it. A line that is cut says nothing for sure."""
    transport = Transport(tls=Tls(ca=CA.cert_pem.bytes().decode())) if tls else Transport()
    async with raw_server(says(said), tls=SERVER_TLS if tls else None) as url:
        async with sender_to(url, transport=transport) as sender:
            assert await sender.send(REQUEST) == outcome


async def test_nothing_left_over_from_an_answer_is_taken_for_the_next() -> None:
    """A body where none may be, a second answer, a late one: the connection is given up, and the next answer is its request's."""
    tails = [b"hello", OK.replace(b"200 OK", b"500 No"), b"\0", b""]
    served = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal served
        while True:
            await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(len(REQUEST.body))
            served += 1
            status = b"204" if served % 2 else b"202"
            writer.write(b"HTTP/1.1 " + status + b" x\r\nContent-Length: 0\r\n\r\n" + tails[served % len(tails)])
            await writer.drain()

    async with serving(serve) as port, sender_to(f"http://127.0.0.1:{port}/") as sender:
        outcomes = [await sender.send(REQUEST) for _ in range(40)]
    assert outcomes == [Answered(status=204), Answered(status=202)] * 20
    assert served == 40


def drip(before: bytes, piece: bytes, *, every_s: float) -> Callable[[asyncio.StreamWriter], Awaitable[None]]:
    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(before)
        while True:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(every_s)

    return answer


@pytest.mark.parametrize(
    ("before", "piece", "outcome"),
    [
        (b"", b"H", NOT_HTTP),
        (b"HTTP/1.1 200 OK\r\n", b"a", Answered(status=200)),
        (b"HTTP/1.1 200 OK", b"k", Unanswered(fault=Fault.TIMEOUT, detail="no answer within 0.6 s")),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"a", Answered(status=200)),
        (b"HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 100000\r\n\r\n", b"a", Answered(status=503)),
        (CHUNKED, b"1\r\na\r\n", Answered(status=200)),
    ],
    ids=["line", "header", "reason", "body", "error body", "chunks"],
)
async def test_one_byte_every_fifth_of_a_second_ends_with_the_timeout(
    before: bytes, piece: bytes, outcome: Outcome
) -> None:
    loop = asyncio.get_running_loop()
    async with raw_server(drip(before, piece, every_s=0.2)) as url, sender_to(url, timeout=0.6) as sender:
        began = loop.time()
        got = await sender.send(REQUEST)
        took = loop.time() - began
    assert took < 5  # it would go on without end
    if isinstance(outcome, Answered):
        assert isinstance(got, Answered)
        assert got.status == outcome.status
    else:
        assert got == outcome


def memory_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def flood(before: bytes, piece: bytes, sent: list[int]) -> Callable[[asyncio.StreamWriter], Awaitable[None]]:
    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(before)
        while sent[0] < 256 * MIB:
            writer.write(piece)
            await writer.drain()
            sent[0] += len(piece)

    return answer


@pytest.mark.parametrize(
    ("before", "piece", "status"),
    [
        (b"HTTP/1.1 200 OK\r\n", b"a: " + b"b" * 65536 + b"\r\n", 200),
        (b"HTTP/1.1 200 OK\r\na: ", b"b" * 65536, 200),
        (b"HTTP/1.1 200 ", b"b" * 65536, None),
        (b"", b"HTTP/1.1 103 Early Hints\r\na: b\r\n\r\n" * 1000, None),
        (b"HTTP/1.1 200 OK\r\n\r\n", b"b" * 65536, 200),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\n", b"b" * 65536, 200),
        (CHUNKED, b"10000\r\n" + b"b" * 65536 + b"\r\n", 200),
        (CHUNKED, b"1\r\nb\r\n" * 10_000, 200),
        (CHUNKED + b"1;", b"b" * 65536, 200),
        (CHUNKED + b"0\r\n", b"a: b\r\n" * 10_000, 200),
        (CHUNKED + b"0\r\nRetry-After: ", b"9" * 65536, 200),
    ],
    ids=[
        *("headers", "one header", "status line", "1xx", "body", "long body", "chunks", "small chunks"),
        *("a chunk's extension", "trailers", "one trailer"),
    ],
)
async def test_what_has_no_end_is_cut_off_early_and_costs_no_memory(
    before: bytes, piece: bytes, status: int | None
) -> None:
    sent = [0]
    async with raw_server(flood(before, piece, sent)) as url, sender_to(url, timeout=30) as sender:
        had = memory_bytes()
        outcome = await sender.send(REQUEST)
        grew = memory_bytes() - had
    assert grew < 32 * MIB
    assert sent[0] < 32 * MIB  # what the kernel keeps for the two ends, and a little
    if status is None:
        assert isinstance(outcome, Unanswered)
        assert outcome.fault is Fault.PROTOCOL
    else:
        assert isinstance(outcome, Answered)
        assert outcome.status == status
        assert len(outcome.body) <= 64 * 1024


@pytest.mark.parametrize(
    ("before", "outcome"),
    [
        (b"", CLOSED),
        (b"HTTP/1.1 200 O", CLOSED),
        (b"HTTP/1.1 200 OK\r\nContent-", Answered(status=200)),
        (b"HTTP/1.1 500 No\r\nContent-", Answered(status=500)),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf", Answered(status=200, excerpt="half", body=b"half")),
        (b"HTTP/1.1 500 No\r\nContent-Length: 1000\r\n\r\nhalf", Answered(status=500, excerpt="half", body=b"half")),
        (CHUNKED + b"4\r\nhalf\r\n9\r\nx", Answered(status=200, excerpt="halfx", body=b"halfx")),
    ],
)
@pytest.mark.parametrize("resets", [False, True])
async def test_a_connection_that_ends_in_the_middle_of_an_answer(before: bytes, outcome: Outcome, resets: bool) -> None:
    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(before)
        await writer.drain()
        if resets:
            await asyncio.sleep(0.05)  # else the reset may overtake the bytes
            writer.transport.abort()

    async with raw_server(answer) as url, sender_to(url) as sender:
        got = await sender.send(REQUEST)
    if outcome is CLOSED and resets:
        assert isinstance(got, Unanswered)
        assert got.fault is Fault.NETWORK
    else:
        assert got == outcome


@pytest.mark.parametrize(("status", "outcome"), [("200 OK", Answered(status=200)), ("503 Busy", Answered(status=503))])
@pytest.mark.parametrize("line", [b"", b"A: b\r\n", b"A"])
async def test_a_head_that_never_ends_counts_by_its_status_line(status: str, outcome: Outcome, line: bytes) -> None:
    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 %b\r\n" % status.encode() + line)
        await writer.drain()
        await asyncio.Event().wait()

    async with raw_server(answer) as url, sender_to(url, timeout=0.5) as sender:
        assert await sender.send(REQUEST) == outcome


async def test_a_head_without_end_counts_by_its_status_line_and_is_read_no_further() -> None:
    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        with suppress(ConnectionError):
            while True:
                writer.write(b"A: b\r\n" * 1_000)
                await writer.drain()

    async with raw_server(answer) as url, sender_to(url) as sender:
        assert await sender.send(REQUEST) == Answered(status=200)


async def test_a_body_that_is_whole_json_is_waited_for_no_longer() -> None:
    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad\r\n\r\n")
        for part in (b'{"a": ', b'{"b": 1}', b"}"):
            await asyncio.sleep(0.01)
            writer.write(part)
            await writer.drain()
        await asyncio.Event().wait()

    async with raw_server(answer) as url, sender_to(url) as sender:
        outcome = await sender.send(REQUEST)
    assert isinstance(outcome, Answered)
    assert outcome.body == b'{"a": {"b": 1}}'


@pytest.mark.parametrize("reads_on", [False, True])
async def test_an_answer_that_comes_before_the_request_is_read_counts(reads_on: bool) -> None:
    """A receiver that refuses by the headers alone: what is still to be sent is dropped with the connection."""
    big = WebhookRequest(fixed=FixedHeaders({}), id="msg_1", timestamp=1, body=b"x" * 32 * MIB)
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        while reads_on and await reader.read(65536):
            pass
        await asyncio.Event().wait()

    async with serving(serve) as port, sender_to(f"http://127.0.0.1:{port}/") as sender:
        assert [await sender.send(big) for _ in range(2)] == [Answered(status=413)] * 2
    assert connections == 2


@pytest.mark.parametrize(
    "tail",
    [b"Content-Length: 1000\r\n\r\nshort", b"Transfer-Encoding: chunked\r\n\r\n5\r\nsho", b"\r\n"],
    ids=["cut short", "cut in a chunk", "no length"],
)
async def test_a_2xx_counts_even_if_its_body_is_cut_or_has_no_length(tail: bytes) -> None:
    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n" + tail)
        await writer.drain()

    async with raw_server(answer) as url, sender_to(url) as sender:
        outcome = await sender.send(REQUEST)
    assert isinstance(outcome, Answered)
    assert outcome.is_success


ENDLESS = pytest.mark.parametrize(
    "tail",
    [
        b"\r\n",
        b"\r\nsome",
        b"Content-Length: 1000\r\n\r\nsome",
        b"Transfer-Encoding: chunked\r\n\r\n4\r\nsome\r\n",
        b"Connection: close\r\n\r\n",
    ],
    ids=["no length", "no length, begun", "length", "chunks", "close"],
)


@ENDLESS
@pytest.mark.parametrize("status", [200, 204, 500], ids=str)
@pytest.mark.parametrize("needs_body", [False, True], ids=["not needed", "needed"])
async def test_a_status_counts_although_its_body_never_ends(tail: bytes, status: int, needs_body: bool) -> None:
    request = msgspec.structs.replace(REQUEST, needs_body=needs_body)
    said = b"HTTP/1.1 %d Any\r\n%s" % (status, tail)
    async with raw_server(says(said), stays_open=True) as url, sender_to(url, timeout=300) as sender:
        async with asyncio.timeout(60):
            outcome = await sender.send(request)
    assert isinstance(outcome, Answered)
    assert outcome.status == status
    assert outcome.excerpt == ("some" if tail.endswith((b"some", b"some\r\n")) and status != 204 else "")


@pytest.mark.parametrize(
    ("status", "needs_body", "is_waited_for"), [(200, False, False), (200, True, True), (429, False, True)]
)
async def test_a_body_that_comes_late_is_waited_for_where_it_is_needed(
    status: int, needs_body: bool, is_waited_for: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_connection, "_NEEDED_BODY_WAIT_S", 60)
    is_answered = asyncio.Event()

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 %d Any\r\nContent-Length: 19\r\n\r\n" % status)
        await writer.drain()
        if is_waited_for:
            await asyncio.sleep(0.05)  # longer than the wait for a body that is not needed
        else:
            await is_answered.wait()
        writer.write(b'{"retry_after": 42}')

    async with raw_server(answer, stays_open=True) as url, sender_to(url, timeout=300) as sender:
        async with asyncio.timeout(60):
            outcome = await sender.send(msgspec.structs.replace(REQUEST, needs_body=needs_body))
        is_answered.set()
    assert isinstance(outcome, Answered)
    assert outcome.excerpt == ('{"retry_after": 42}' if is_waited_for else "")
    assert outcome.retry_after == (timedelta(seconds=42) if status == 429 else None)


async def test_a_body_right_after_the_headers_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many servers write headers and body in two packets. The second may be a little later."""
    monkeypatch.setattr(http_connection, "_UNNEEDED_BODY_WAIT_S", 60)

    async def answer(writer: asyncio.StreamWriter) -> None:
        for piece in (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n", b"so", b"me"):
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.01)

    async with raw_server(answer, stays_open=True) as url, sender_to(url) as sender:
        assert await sender.send(REQUEST) == Answered(status=200, excerpt="some", body=b"some")


async def test_the_rest_of_a_body_is_read_and_then_its_connection_is_used_again() -> None:
    is_answered = [asyncio.Event() for _ in range(2)]
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        number = connections
        while True:
            await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(len(REQUEST.body))
            if number == 1:
                writer.write(b"HTTP/1.1 201 Slow\r\nContent-Length: 4\r\n\r\nso")
                await writer.drain()
                await is_answered[0].wait()
                writer.write(b"me")
                await writer.drain()
                is_answered[1].set()
                number = 3
            else:
                writer.write(b"HTTP/1.1 20%d Quick\r\nContent-Length: 0\r\n\r\n" % number)
                await writer.drain()

    async with serving(serve) as port, sender_to(f"http://127.0.0.1:{port}/", timeout=300) as sender:
        async with asyncio.timeout(60):
            first = await sender.send(REQUEST)
            second = await sender.send(REQUEST)  # over another connection, for the first is not free
            is_answered[0].set()
            await is_answered[1].wait()
            third = [await sender.send(REQUEST) for _ in range(2)]
    assert first == Answered(status=201, excerpt="so", body=b"so")
    assert second == Answered(status=202)
    assert {outcome.status for outcome in third if isinstance(outcome, Answered)} <= {202, 203}
    assert connections == 2


REST = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nso"


@pytest.mark.parametrize(
    ("rest", "is_usable"),
    [
        (b"me", True),
        (b"meHTTP/1.1 500 Smuggled\r\nContent-Length: 0\r\n\r\n", False),
        (b"me and more", False),
        (None, False),
    ],
    ids=["the rest", "a second response", "more than the rest", "the end"],
)
async def test_a_connection_is_usable_after_the_rest_of_a_response_and_nothing_else(
    rest: bytes | None, is_usable: bool
) -> None:
    is_answered = asyncio.Event()

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(REST)
        await is_answered.wait()
        if rest is not None:
            writer.write(rest)
            await writer.drain()
            await asyncio.Event().wait()

    async with raw_server(answer) as url, asyncio.timeout(60):
        connection = await connect(url)
        assert (await connection.exchange(HEAD, b"")).body == b"so"
        assert (connection.is_usable, connection.has_rest) == (False, True)
        with pytest.raises(BrokenConnectionError):
            await connection.exchange(HEAD, b"")
        is_answered.set()
        while connection.has_rest:  # noqa: ASYNC110 - nothing reports it
            await asyncio.sleep(0)
        assert connection.is_usable is is_usable
        connection.abort()


@pytest.mark.parametrize("piece", [b"b" * 65536, b"b"], ids=["long", "slow"])
async def test_the_rest_of_a_body_is_read_only_up_to_a_limit(piece: bytes) -> None:
    """Of bytes, and of time: what calls `run_out` at the deadline is the pool."""
    async with raw_server(drip(b"HTTP/1.1 200 OK\r\n\r\n", piece, every_s=0.02)) as url, asyncio.timeout(60):
        connection = await connect(url)
        assert (await connection.exchange(HEAD, b"")).is_success
        if len(piece) == 1:
            assert connection.has_rest
            connection.run_out()
        while connection.has_rest:  # noqa: ASYNC110 - nothing reports it
            await asyncio.sleep(0)
        assert not connection.is_usable


async def connect(url: str) -> HttpConnection:
    loop = asyncio.get_running_loop()
    port = int(url.rpartition(":")[2].rstrip("/"))
    _, connection = await loop.create_connection(lambda: HttpConnection(loop), "localhost", port)
    return connection


@asynccontextmanager
async def connection_to(*answers: bytes) -> AsyncIterator[HttpConnection]:
    """Give a connection whose requests are answered with these bytes, one after the other."""
    left = list(answers)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await reader.readuntil(b"\r\n\r\n")
            if not left:
                return
            writer.write(left.pop(0))
            await writer.drain()

    async with serving(serve) as port:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(lambda: HttpConnection(loop), "127.0.0.1", port)
        try:
            yield connection
        finally:
            connection.abort()


HEAD = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"


async def test_a_connection_is_used_again_after_an_answer_that_lets_it() -> None:
    async with connection_to(OK, OK) as connection:
        for _ in range(2):
            assert (await connection.exchange(HEAD, b"")).status == 200
            assert connection.is_usable


async def test_a_connection_that_the_receiver_wants_closed_is_not_used_again() -> None:
    async with connection_to(OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")) as connection:
        assert (await connection.exchange(HEAD, b"")).is_success
        assert not connection.is_usable
        with pytest.raises(BrokenConnectionError) as broken:
            await connection.exchange(HEAD, b"")
        assert not broken.value.has_begun


async def test_a_connection_that_ends_says_whether_anything_of_an_answer_came() -> None:
    for said, has_begun in ((b"", False), (b"HTTP/1.1 2", True)):
        async with raw_server(says(said)) as url:
            connection = await connect(url)
            with pytest.raises(BrokenConnectionError) as broken:
                await connection.exchange(HEAD, b"")
            assert broken.value.has_begun is has_begun


async def test_an_exchange_whose_time_is_up_has_no_answer() -> None:
    async with connection_to(b"HTTP/1.1 100 Continue\r\n\r\n") as connection:
        waiting = asyncio.ensure_future(connection.exchange(HEAD, b""))
        await asyncio.sleep(0)
        connection.run_out()
        with pytest.raises(TimeoutError):
            await waiting
        assert not connection.is_usable


async def test_a_cancelled_exchange_costs_the_connection() -> None:
    async with connection_to(OK) as connection:
        waiting = asyncio.ensure_future(connection.exchange(HEAD, b""))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
        assert waiting.cancelled()
        assert not connection.is_usable


async def test_the_headers_that_are_acted_on_are_kept_the_first_of_each_and_a_transcript_has_all() -> None:
    answer = OK.replace(b"\r\n\r\n", b"\r\nRetry-After: 1\r\nretry-after: 2\r\nX-Other: a\r\n\r\n")
    async with connection_to(b"HTTP/1.1 103 Early Hints\r\nLink: b\r\n\r\n" + answer) as connection:
        connection.transcript = []
        found = await connection.exchange(HEAD, b"")
        assert found.headers == {b"retry-after": b"1"}
        assert [name for name, _ in connection.transcript] == [
            b"Content-Length",
            b"Retry-After",
            b"retry-after",
            b"X-Other",
        ]


async def test_an_answer_of_tls_says_what_may_be_wrong() -> None:
    async with connection_to(b"\x15\x03\x01\x00\x02\x02\x16") as connection:
        with pytest.raises(NotHttpError, match="it speaks TLS at this port"):
            await connection.exchange(HEAD, b"")
