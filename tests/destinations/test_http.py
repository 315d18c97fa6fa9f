"""One attempt against real receivers of every temper: always an outcome, never an exception."""

import asyncio
import errno
import itertools
import os
import resource
import socket
import threading
from collections import Counter
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from forwarder.core.delivery import Answered, Fault, Outcome, Unanswered
from forwarder.core.webhook import FixedHeaders, WebhookRequest
from forwarder.destinations.http import MAX_ANSWER_BYTES
from forwarder.emulator.receiver import Answer, Received, Receiver
from tests.support.raw import REQUEST, raw_server, sender_to


async def test_the_body_and_the_headers_arrive_as_they_are() -> None:
    async with Receiver() as receiver, sender_to(receiver.url) as sender:
        assert await sender.send(REQUEST) == Answered(status=200)
    assert receiver.requests[0].body == REQUEST.body
    assert receiver.requests[0].headers["webhook-id"] == "msg_1"


async def test_a_receiver_that_closes_after_each_answer_without_saying_so_costs_no_failure() -> None:
    async with Receiver() as receiver, sender_to(receiver.url) as sender:
        receiver.respond = lambda _received: Answer(action="close_after")
        outcomes = [await sender.send(REQUEST) for _ in range(300)]
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


async def test_a_knock_tells_whether_somebody_listens_and_the_next_attempt_uses_its_connection() -> None:
    async with Receiver() as receiver, sender_to(receiver.url) as sender:
        await receiver.stop_listening()
        assert not await sender.knock()
        await receiver.start_listening()
        assert await sender.knock()
        assert receiver.received == 0
        assert await sender.send(REQUEST) == Answered(status=200)


async def test_a_knock_at_a_port_that_takes_connections_and_speaks_no_tls_asks_for_an_attempt() -> None:
    async with Receiver() as receiver, sender_to(receiver.url.replace("http:", "https:")) as sender:
        assert await sender.knock()
        outcome = await sender.send(REQUEST)
        assert isinstance(outcome, Unanswered)
        assert outcome.fault is Fault.TLS


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


async def test_what_an_answer_repeats_of_the_requests_secrets_is_not_kept() -> None:
    shared = FixedHeaders({"Content-Type": "application/json", "X-Key": "canary-header", "x-forwarder-attempt": "1"})
    request = WebhookRequest(fixed=shared, own={"webhook-id": "msg_1"}, body=b"{}")
    echoed: list[bytes] = []

    def echo(received: Received) -> Answer:
        headers = "; ".join(f"{name}: {value}" for name, value in received.headers.items())
        echoed.append(f"no {received.path} here; {'x' * 420} {headers}".encode())
        return Answer(status=400, body=echoed[-1])

    async with Receiver(respond=echo) as receiver:
        url = receiver.url.replace("http://", "http://u:canary-password@") + "/canary-long-path?key=canary-long-query"
        async with sender_to(url) as sender:
            outcomes = [
                await sender.send(request),
                await sender.send(
                    msgspec.structs.replace(request, target="/canary-of-a-template?key=canary-long-query")
                ),
            ]
    for outcome, answer in zip(outcomes, echoed, strict=True):
        assert isinstance(outcome, Answered)
        assert b"canary" in answer
        assert outcome.excerpt.startswith("no *** here")
        assert "canary" not in outcome.excerpt
        assert "Host: 127.0.0.1" in outcome.excerpt


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


@pytest.mark.alone
async def test_each_of_many_requests_that_get_no_answer_ends_in_its_time_whatever_the_others_do() -> None:
    """One timer watches over all of them: it is set again for deadlines that have just passed, and for all that follow."""
    async with Receiver() as receiver, sender_to(receiver.url, timeout=0.5) as sender:
        hangs = itertools.cycle([True, False, False])
        receiver.respond = lambda _received: Answer(action="hang") if next(hangs) else Answer(delay_s=0.001)

        async def send_some() -> list[Outcome]:
            return [await sender.send(REQUEST) for _ in range(12)]

        async with asyncio.timeout(90):
            found = await asyncio.gather(*(send_some() for _ in range(16)))
    ends = Counter(outcome.reason for outcomes in found for outcome in outcomes)
    assert set(ends) == {"HTTP 200", "no answer within 0.5 s"}
    assert ends["no answer within 0.5 s"] >= 16


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
            said = "our name server gave no answer within 0.3 s"
            assert ends == {Unanswered(fault=Fault.DNS, detail=said, is_ours=True)}
            assert len(asked) == 1
    finally:
        may_end.set()


async def test_nothing_listening_and_no_tls_each_have_their_sentence() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        async with sender_to(f"http://127.0.0.1:{port}/?token=canary") as sender:
            refused = await sender.send(REQUEST)
    async with Receiver() as receiver, sender_to(receiver.url.replace("http://", "https://")) as sender:
        plain = await sender.send(REQUEST)
    assert refused == Unanswered(fault=Fault.REFUSED, detail="connection refused: nothing listens there")
    assert plain == Unanswered(
        fault=Fault.TLS, detail="it does not speak TLS at this port; should the URL begin with http://?"
    )


@pytest.mark.parametrize(
    ("number", "said", "is_ours"),
    [
        (socket.EAI_NONAME, "its host name does not exist", False),
        (socket.EAI_NODATA, "its host name does not exist", False),
        (socket.EAI_AGAIN, "our name server gives no answer for its host name", True),
        (socket.EAI_FAIL, "our name server refuses to answer", True),
        (socket.EAI_MEMORY, "no memory for a look-up of its host name is left here", True),
        (socket.EAI_SYSTEM, "its host name cannot be looked up here", True),
    ],
)
async def test_a_name_that_does_not_exist_is_told_from_a_name_server_that_fails(
    monkeypatch: pytest.MonkeyPatch, number: int, said: str, is_ours: bool
) -> None:
    def fail(_host: str, _port: int, **_options: object) -> None:
        raise socket.gaierror(number, "as the C library says it")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    async with sender_to("http://some.example/canary") as sender:
        assert await sender.send(REQUEST) == Unanswered(fault=Fault.DNS, detail=said, is_ours=is_ours)


@pytest.mark.parametrize(
    ("number", "said", "is_ours"),
    [
        (errno.ENETUNREACH, "no network here leads to its address", True),
        (errno.ENETDOWN, "the network here is down", True),
        (errno.EADDRNOTAVAIL, "no address or port is free here to connect from", True),
        (errno.ENOBUFS, "no memory for a connection is left here", True),
        (errno.ENFILE, "too many files are open on this machine", True),
        (errno.EPERM, "this machine does not let us connect there (a firewall, or IPAddressDeny= of the unit)", True),
        (errno.EHOSTUNREACH, "network error: no route to host", False),
        (errno.ETIMEDOUT, "the connection timed out", False),
    ],
)
async def test_a_fault_of_this_machine_is_told_from_one_of_the_receiver(
    monkeypatch: pytest.MonkeyPatch, number: int, said: str, is_ours: bool
) -> None:
    async def fail(*_: object) -> None:
        raise OSError(number, "as the loop says it")

    monkeypatch.setattr(asyncio.get_running_loop(), "sock_connect", fail, raising=False)
    async with sender_to("http://127.0.0.1:1/canary") as sender:
        outcome = await sender.send(REQUEST)
    assert isinstance(outcome, Unanswered)
    assert (outcome.detail, outcome.is_ours) == (said, is_ours)


async def test_no_thread_for_a_look_up_is_our_fault_and_no_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async with sender_to("http://some.example/") as sender:
        with monkeypatch.context() as patched:
            patched.setattr(threading.Thread, "start", fail)
            outcome = await sender.send(REQUEST)
    assert outcome == Unanswered(
        fault=Fault.NETWORK, detail="no thread or connection can be started here", is_ours=True
    )


async def test_no_file_descriptor_left_is_our_fault_and_passes() -> None:
    async with Receiver() as receiver, sender_to(receiver.url) as sender:
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        probe = os.open(os.devnull, os.O_RDONLY)
        os.close(probe)
        resource.setrlimit(resource.RLIMIT_NOFILE, (probe, hard))
        try:
            outcome = await sender.send(REQUEST)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert isinstance(outcome, Unanswered)
        assert outcome.is_ours
        assert outcome.detail.startswith("too many connections and files are open in this process")
        assert await sender.send(REQUEST) == Answered(status=200)


async def test_the_address_of_a_host_is_looked_up_again_when_it_cannot_be_reached(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    look_up, asked = socket.getaddrinfo, []

    def moved(host: str, port: int, **options: Any) -> Any:  # noqa: ANN401 - as getaddrinfo's
        if host != "moved.example":
            return look_up(host, port, **options)
        if options["flags"] == socket.AI_NUMERICHOST:
            raise socket.gaierror(socket.EAI_NONAME, "not numeric")
        asked.append(host)
        return look_up("127.0.0.2" if len(asked) == 1 else "127.0.0.1", port, **options)

    monkeypatch.setattr(socket, "getaddrinfo", moved)
    async with Receiver() as receiver, sender_to(receiver.url.replace("127.0.0.1", "moved.example")) as sender:
        refused = await sender.send(REQUEST)
        assert isinstance(refused, Unanswered)
        assert refused.fault is Fault.REFUSED
        assert [await sender.send(REQUEST) for _ in range(20)] == [Answered(status=200)] * 20
    assert len(asked) == 2


async def test_an_address_that_swallows_everything_costs_a_quarter_of_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """Happy Eyeballs: the second address is tried beside the first."""
    look_up, connect = socket.getaddrinfo, asyncio.get_running_loop().sock_connect
    swallowed = []

    def two(host: str, port: int, **options: Any) -> Any:  # noqa: ANN401 - as getaddrinfo's
        if host != "two.example":
            return look_up(host, port, **options)
        if options["flags"] == socket.AI_NUMERICHOST:
            raise socket.gaierror(socket.EAI_NONAME, "not numeric")
        return [*look_up("127.0.0.9", port, **options), *look_up("127.0.0.1", port, **options)]

    async def swallow(sock: socket.socket, address: tuple[str, int]) -> None:
        if address[0] == "127.0.0.9":
            swallowed.append(address)
            await asyncio.get_running_loop().create_future()
        await connect(sock, address)

    monkeypatch.setattr(socket, "getaddrinfo", two)
    monkeypatch.setattr(asyncio.get_running_loop(), "sock_connect", swallow, raising=False)
    async with Receiver() as receiver, sender_to(receiver.url.replace("127.0.0.1", "two.example")) as sender:
        assert await sender.send(REQUEST) == Answered(status=200)
    assert swallowed


@pytest.mark.parametrize("target", ["/a b", "/a\r\nX: y", "/\ud800", "/\0"])
async def test_a_target_that_no_request_can_carry_is_a_failure_for_good(target: str) -> None:
    async with sender_to("http://127.0.0.1:9/") as sender:
        outcome = await sender.send(msgspec.structs.replace(REQUEST, target=target))
    assert isinstance(outcome, Unanswered)
    assert outcome.fault is Fault.FORMAT


@pytest.mark.parametrize("host", ["[::1%25{lo}]", "[::1%{lo}]", "[::1]"])
async def test_a_zone_is_dialled_and_sent_to_nobody(host: str) -> None:
    heads = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        writer.close()
        await writer.wait_closed()

    try:
        server = await asyncio.start_server(serve, "::1", 0)
    except OSError:
        pytest.skip("this machine has no IPv6")
    async with server:
        port = server.sockets[0].getsockname()[1]
        async with sender_to(f"http://{host.format(lo=socket.if_nametoindex('lo'))}:{port}/") as sender:
            assert await sender.send(REQUEST) == Answered(status=200)
    assert b"Host: [::1]:%d\r\n" % port in heads[0]
