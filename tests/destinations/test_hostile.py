"""Receivers that mean harm or are broken: one clear outcome each, in bounded time and memory, and the next answer is its request's."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from forwarder.core.delivery import Answered, Fault, Outcome, Unanswered
from forwarder.core.webhook import FixedHeaders, WebhookRequest
from tests.support.raw import REQUEST, raw_server, says, sender_to, serving

NOT_HTTP = Unanswered(fault=Fault.PROTOCOL, detail="the answer is not valid HTTP")
CLOSED = Unanswered(fault=Fault.NETWORK, detail="the receiver closed the connection without an answer")
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
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", NOT_HTTP),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", NOT_HTTP),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n", NOT_HTTP),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", NOT_HTTP),
        (b"HTTP/1.1 200 OK\r\nbad header\r\n\r\n", NOT_HTTP),
        (b"HTTP/1.1 200 OK\r\nname : value\r\n\r\n", NOT_HTTP),
        (b"HTTP/1.1 200 OK\r\nname: va\0lue\r\n\r\n", NOT_HTTP),
        (
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
            Unanswered(fault=Fault.PROTOCOL, detail="it answers with another protocol than HTTP"),
        ),
        (
            b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 100_000,
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
        (b"HTTP/1.1 200 OK\r\n", b"a", Unanswered(fault=Fault.TIMEOUT, detail="no answer within 0.6 s")),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"a", Answered(status=200)),
        (b"HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 100000\r\n\r\n", b"a", Answered(status=503)),
        (CHUNKED, b"1\r\na\r\n", Answered(status=200)),
    ],
    ids=["line", "header", "body", "error body", "chunks"],
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
        (b"HTTP/1.1 200 OK\r\n", b"a: " + b"b" * 65536 + b"\r\n", None),
        (b"HTTP/1.1 200 OK\r\na: ", b"b" * 65536, None),
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
        (b"HTTP/1.1 200 OK\r\nContent-", CLOSED),
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


@pytest.mark.parametrize("reads_on", [False, True])
async def test_an_answer_that_comes_before_the_request_is_read_counts(reads_on: bool) -> None:
    """A receiver that refuses by the headers alone: what is still to be sent is dropped with the connection."""
    big = WebhookRequest(fixed=FixedHeaders({}), own={}, body=b"x" * 32 * MIB)
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


async def test_connections_that_died_without_a_word_cost_one_timeout_in_all() -> None:
    """A firewall that forgets idle connections: the first to meet it closes the others as well."""
    is_dead = False
    answered = asyncio.Event()
    waiting = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal waiting
        was_there = not is_dead
        while True:
            await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(len(REQUEST.body))
            if is_dead and was_there:
                await asyncio.Event().wait()
            waiting += 1
            if waiting == 8:
                answered.set()
            await answered.wait()
            writer.write(OK)

    async with serving(serve) as port, sender_to(f"http://127.0.0.1:{port}/", timeout=0.5) as sender:
        first = await asyncio.gather(*(sender.send(REQUEST) for _ in range(8)))
        is_dead = True
        outcomes = [await sender.send(REQUEST) for _ in range(8)]
    assert first == [Answered(status=200)] * 8
    assert outcomes == [Unanswered(fault=Fault.TIMEOUT, detail="no answer within 0.5 s")] + [Answered(status=200)] * 7
