"""One attempt against real receivers of every temper: always an outcome, never an exception."""

import asyncio
import itertools
import socket
import threading
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from forwarder.core.delivery import Answered, Fault, Outcome, Unanswered
from forwarder.core.webhook import FixedHeaders, WebhookRequest
from forwarder.destinations.http import MAX_ANSWER_BYTES, HttpSender, open_sender
from forwarder.emulator.receiver import Answer, Receiver

REQUEST = WebhookRequest(
    fixed=FixedHeaders({"Content-Type": "application/json"}), own={"webhook-id": "msg_1"}, body=b'{"a": "\xc3\xa9"}'
)


@asynccontextmanager
async def sender_to(url: str, timeout: float = 5) -> AsyncIterator[HttpSender]:
    async with open_sender(url, timeout=timedelta(seconds=timeout), clock=lambda: datetime.now(UTC)) as sender:
        yield sender


@asynccontextmanager
async def raw_server(
    answer: Callable[[asyncio.StreamWriter], Awaitable[None]], *, stays_open: bool = False
) -> AsyncIterator[str]:
    """Serve bytes of our own choosing to whoever connects, and close then, or once the client has gone."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        try:
            await answer(writer)
            if stays_open:
                await reader.read()
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


async def test_the_body_and_the_headers_arrive_as_they_are() -> None:
    async with Receiver() as receiver, sender_to(receiver.url) as sender:
        assert await sender.send(REQUEST) == Answered(status=200)
    assert receiver.requests[0].body == REQUEST.body
    assert receiver.requests[0].headers["webhook-id"] == "msg_1"


async def test_a_receiver_that_closes_after_each_answer_without_saying_so_costs_no_failure() -> None:
    async with Receiver() as receiver, sender_to(receiver.url) as sender:
        receiver.respond = lambda _received: Answer(action="close_after")
        outcomes = [await sender.send(REQUEST) for _ in range(100)]
    assert set(outcomes) == {Answered(status=200)}


async def test_a_connection_reset_by_the_receiver_is_a_failure_when_it_was_a_fresh_one() -> None:
    async with Receiver() as receiver, sender_to(receiver.url) as sender:
        receiver.respond = lambda _received: Answer(action="reset")
        outcome = await sender.send(REQUEST)
    assert isinstance(outcome, Unanswered)
    assert outcome.fault is Fault.NETWORK
    assert receiver.received == 1


async def test_a_reused_connection_that_breaks_is_replaced_by_a_fresh_one_whose_failure_counts() -> None:
    async with Receiver() as receiver, sender_to(receiver.url) as sender:
        assert await sender.send(REQUEST) == Answered(status=200)
        receiver.respond = lambda _received: Answer(action="reset")
        assert isinstance(await sender.send(REQUEST), Unanswered)
    assert receiver.received == 3


async def test_no_answer_within_the_timeout() -> None:
    async with Receiver() as receiver, sender_to(receiver.url, timeout=0.2) as sender:
        receiver.respond = lambda _received: Answer(action="hang")
        outcome = await sender.send(REQUEST)
    assert outcome == Unanswered(fault=Fault.TIMEOUT, detail="no answer within 0.2 s")


@pytest.mark.parametrize(
    ("location", "said"),
    [
        ("http://elsewhere.invalid/secret-path?token=1", "http://elsewhere.invalid"),
        ("/login", "another path of the same host"),
        ("http://[::1", "an invalid address"),
    ],
)
async def test_a_redirect_is_a_failure_that_says_where_it_pointed_without_the_path(location: str, said: str) -> None:
    async with Receiver() as receiver, sender_to(receiver.url) as sender:
        receiver.respond = lambda _received: Answer(status=302, headers={"Location": location})
        outcome = await sender.send(REQUEST)
    assert outcome.reason == f"HTTP 302, a redirect to {said}, not followed"
    assert receiver.received == 1


async def test_retry_after_is_read_and_an_unreadable_one_is_ignored() -> None:
    async with Receiver() as receiver, sender_to(receiver.url) as sender:
        receiver.respond = lambda _received: Answer(status=429, headers={"Retry-After": "7"})
        assert await sender.send(REQUEST) == Answered(status=429, retry_after=timedelta(seconds=7))
        receiver.respond = lambda _received: Answer(status=429, headers={"Retry-After": "soon"})
        assert await sender.send(REQUEST) == Answered(status=429)


async def test_an_answer_is_read_up_to_64_kib_and_kept_as_one_harmless_line() -> None:
    async with Receiver() as receiver, sender_to(receiver.url) as sender:
        receiver.respond = lambda _received: Answer(
            status=500, body=b"\x1b[2J no\nroom \xff" + b"x" * 3 * MAX_ANSWER_BYTES
        )
        outcome = await sender.send(REQUEST)
        assert isinstance(outcome, Answered)
        assert outcome.excerpt.startswith("[2J no room \ufffdxxx")
        assert outcome.excerpt.isprintable()
        receiver.respond = None
        assert await sender.send(REQUEST) == Answered(status=200)


@pytest.mark.parametrize(
    "tail",
    [b"Content-Length: 1000\r\n\r\nshort", b"Transfer-Encoding: chunked\r\n\r\n5\r\nsho", b"\r\n"],
    ids=["cut short", "cut in a chunk", "no length"],
)
async def test_a_2xx_counts_whatever_becomes_of_its_body(tail: bytes) -> None:
    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n" + tail)
        await writer.drain()

    async with raw_server(answer) as url, sender_to(url) as sender:
        outcome = await sender.send(REQUEST)
    assert isinstance(outcome, Answered)
    assert outcome.is_success


async def test_a_2xx_whose_body_never_ends_counts_when_the_timeout_is_over() -> None:
    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")
        await writer.drain()

    async with raw_server(answer, stays_open=True) as url, sender_to(url, timeout=0.3) as sender:
        assert await sender.send(REQUEST) == Answered(status=200)


@pytest.mark.parametrize(
    "said", [b"SSH-2.0-OpenSSH\r\n\r\n", b"HTTP/1.1 banana\r\n\r\n", b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 100_000]
)
async def test_what_is_not_http_is_a_failure_with_a_sentence(said: bytes) -> None:
    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        await writer.drain()

    async with raw_server(answer) as url, sender_to(url) as sender:
        outcome = await sender.send(REQUEST)
    assert isinstance(outcome, Unanswered)
    assert outcome.detail in {"the answer is not valid HTTP", "the receiver closed the connection without an answer"}


async def test_each_of_many_requests_that_get_no_answer_ends_in_its_time_whatever_the_others_do() -> None:
    """One timer watches over all of them: it is set again for deadlines that have just passed, and for all that follow."""
    async with Receiver() as receiver, sender_to(receiver.url, timeout=0.1) as sender:
        hangs = itertools.cycle([True, False, False])
        receiver.respond = lambda _received: Answer(action="hang") if next(hangs) else Answer(delay_s=0.001)

        async def send_some() -> list[Outcome]:
            return [await sender.send(REQUEST) for _ in range(12)]

        async with asyncio.timeout(30):
            found = await asyncio.gather(*(send_some() for _ in range(16)))
    ends = Counter(outcome.reason for outcomes in found for outcome in outcomes)
    assert set(ends) == {"HTTP 200", "no answer within 0.1 s"}
    assert ends["no answer within 0.1 s"] >= 16


async def test_a_name_server_that_says_nothing_holds_up_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    look_up, asked, may_end = socket.getaddrinfo, [], threading.Event()

    def hang(host: str, port: int, **options: Any) -> Any:  # noqa: ANN401 - as getaddrinfo's
        if host == "silent.example" and options["flags"] != socket.AI_NUMERICHOST:
            asked.append(host)
            may_end.wait(30)
        return look_up(host, port, **options)

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    try:
        async with Receiver() as receiver, sender_to("http://silent.example/", timeout=0.3) as silent:
            url = receiver.url.replace("127.0.0.1", "localhost")
            waiting = [asyncio.ensure_future(silent.send(REQUEST)) for _ in range(40)]
            await asyncio.sleep(0)
            async with sender_to(url) as sender:
                assert await sender.send(REQUEST) == Answered(status=200)
            ends = set(await asyncio.gather(*waiting))
            assert ends == {Unanswered(fault=Fault.TIMEOUT, detail="no answer within 0.3 s")}
            assert len(asked) == 1
    finally:
        may_end.set()


async def test_nothing_listening_no_such_host_and_no_tls_each_have_their_sentence() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    async with sender_to(f"http://127.0.0.1:{port}/?token=canary") as sender:
        refused = await sender.send(REQUEST)
    async with sender_to("http://no-such-host.invalid/canary") as sender:
        unknown = await sender.send(REQUEST)
    async with Receiver() as receiver, sender_to(receiver.url.replace("http://", "https://")) as sender:
        plain = await sender.send(REQUEST)
    assert refused == Unanswered(fault=Fault.REFUSED, detail="connection refused: nothing listens there")
    assert unknown == Unanswered(fault=Fault.DNS, detail="its host name cannot be resolved")
    assert isinstance(plain, Unanswered)
    assert plain.fault is Fault.TLS
