"""Through an HTTP proxy, to a unix socket: a small real proxy, and whose fault is whose."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trustme

from forwarder.core.config.model.transport import parse_proxy
from forwarder.core.delivery import Answered, Fault, Unanswered
from forwarder.core.destinations.networks import Networks, read_networks
from forwarder.core.destinations.transport import Tls, Transport
from forwarder.emulator.receiver import Answer, Receiver
from tests.support.http_proxy import SmallProxy
from tests.support.raw import REQUEST, raw_server, says, sender_to, serving

CREDENTIALS = "Basic dXNlcjpjYW5hcnk="
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


def through(port: int, user: str = "", **more: Tls | Networks) -> Transport:
    return Transport(proxy=parse_proxy(f"http://{user}127.0.0.1:{port}"), **more)  # type: ignore[arg-type] # each by its name


@asynccontextmanager
async def tls_receiver(authority: trustme.CA) -> AsyncIterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    async with raw_server(says(OK), tls=context) as url:
        yield url


async def test_a_plain_receiver_is_reached_in_absolute_form_and_the_connection_is_kept() -> None:
    proxy = SmallProxy()
    async with serving(proxy.serve) as port, Receiver() as receiver:
        async with sender_to(receiver.url, transport=through(port)) as sender:
            assert [await sender.send(REQUEST) for _ in range(3)] == [Answered(status=200)] * 3
    assert proxy.heads[0].startswith(f"POST {receiver.url} HTTP/1.1\r\nHost: 127.0.0.1:")
    assert len(proxy.heads) == 1  # the others came over the same connection
    assert "Proxy-Authorization" not in proxy.heads[0]
    assert receiver.requests[0].body == REQUEST.body


async def test_a_tls_receiver_is_reached_through_a_tunnel_which_the_proxy_cannot_read() -> None:
    proxy, authority = SmallProxy(wants=CREDENTIALS), trustme.CA()
    trusting = Tls(ca=authority.cert_pem.bytes().decode())
    async with serving(proxy.serve) as port, tls_receiver(authority) as url:
        async with sender_to(url + "canary", transport=through(port, "user:canary@", tls=trusting)) as sender:
            assert await sender.send(REQUEST) == Answered(status=200)
        async with sender_to(url, transport=through(port, "user:canary@")) as sender:
            outcome = await sender.send(REQUEST)
    assert isinstance(outcome, Unanswered)
    assert (outcome.fault, outcome.is_local_fault) == (Fault.CERTIFICATE, False)
    authority_part = url.removeprefix("https://").rstrip("/")
    assert proxy.heads[0] == (
        f"CONNECT {authority_part} HTTP/1.1\r\nHost: {authority_part}\r\nProxy-Authorization: {CREDENTIALS}\r\n\r\n"
    )


@pytest.mark.parametrize(
    ("user", "said"),
    [
        ("", "the proxy requires a user name and a password; write them into its URL"),
        ("user:wrong@", "the proxy rejects the user name and password in its URL"),
    ],
)
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_proxy_that_does_not_know_us_is_our_fault(scheme: str, user: str, said: str) -> None:
    proxy = SmallProxy(wants=CREDENTIALS)
    async with serving(proxy.serve) as port:
        async with sender_to(f"{scheme}://localhost:9/canary", transport=through(port, user)) as sender:
            assert await sender.send(REQUEST) == Unanswered(fault=Fault.PROXY, detail=said, is_local_fault=True)


async def test_a_407_of_a_receiver_itself_is_its_answer() -> None:
    async with Receiver() as receiver, sender_to(receiver.url) as sender:
        receiver.respond = lambda _: Answer(status=407)
        assert await sender.send(REQUEST) == Answered(status=407)


async def test_a_receiver_that_the_proxy_cannot_reach_is_the_receivers_fault() -> None:
    async with serving(SmallProxy().serve) as port:
        async with sender_to("https://localhost:9/", transport=through(port)) as sender:
            assert await sender.send(REQUEST) == Unanswered(
                fault=Fault.PROXY, detail="the proxy could not reach the receiver (HTTP 502)"
            )
        async with sender_to("http://localhost:9/", transport=through(port)) as sender:
            assert await sender.send(REQUEST) == Answered(status=502)


async def test_a_proxy_that_is_not_there_or_cannot_be_found_is_our_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    async with sender_to(
        "https://localhost:9/", transport=Transport(proxy=parse_proxy("http://127.0.0.1:1"))
    ) as sender:
        assert await sender.send(REQUEST) == Unanswered(
            fault=Fault.PROXY, detail="the proxy: connection refused: nothing listens there", is_local_fault=True
        )

    def fail(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    async with sender_to(
        "https://localhost:9/", transport=Transport(proxy=parse_proxy("http://proxy.example"))
    ) as sender:
        assert await sender.send(REQUEST) == Unanswered(
            fault=Fault.PROXY, detail="the proxy: its host name does not exist", is_local_fault=True
        )


@pytest.mark.parametrize(
    "established",
    [
        *(b"HTTP/1.1 200 OK\n\n", b"HTTP/1.0 200\r\n\r\n", b"HTTP/1.1 200 OK\r\nno colon\r\n\n"),
        *(b"\r\nHTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", b"http/1.1  200 ok\r\n\r\n"),
    ],
)
async def test_a_proxy_may_say_untidily_that_the_tunnel_is_open(established: bytes) -> None:
    proxy = SmallProxy(established=established)
    authority = trustme.CA()
    async with tls_receiver(authority) as url, serving(proxy.serve) as port:
        tls = Tls(ca=authority.cert_pem.bytes().decode())
        async with sender_to(url, transport=through(port, tls=tls)) as sender:
            assert await sender.send(REQUEST) == Answered(status=200)


@pytest.mark.parametrize(
    ("answer", "said", "is_local_fault"),
    [
        (b"HTTP/1.1 403 Forbidden\r\n\r\n", "the proxy refuses the connection: HTTP 403", True),
        (b"HTTP/1.1 504 Gateway Timeout\r\n\r\n", "the proxy could not reach the receiver (HTTP 504)", False),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "the proxy refuses the connection: its answer is not valid HTTP", True),
        (b"a: b\r\n" * 10_000, "the proxy refuses the connection: its answer is not valid HTTP", True),
        (
            b"HTTP/1.1 200 OK\r\n\r\nsomething of its own",
            "the proxy refuses the connection: its answer is not valid HTTP",
            True,
        ),
        (b"", "the proxy closed the connection", True),
        (b"HTTP/1.1 200", "the proxy closed the connection", True),
    ],
)
async def test_whatever_a_proxy_answers_to_connect_has_its_sentence(
    answer: bytes, said: str, is_local_fault: bool
) -> None:
    async with raw_server(says(answer)) as url:
        port = int(url.rstrip("/").rpartition(":")[2])
        async with sender_to("https://localhost:9/", transport=through(port)) as sender:
            assert await sender.send(REQUEST) == Unanswered(
                fault=Fault.PROXY, detail=said, is_local_fault=is_local_fault
            )


@pytest.mark.alone
async def test_a_proxy_that_says_nothing_ends_in_its_time() -> None:
    async with raw_server(says(b""), stays_open=True) as url:
        port = int(url.rstrip("/").rpartition(":")[2])
        async with sender_to("https://localhost:9/", timeout=0.3, transport=through(port)) as sender:
            assert await sender.send(REQUEST) == Unanswered(
                fault=Fault.TIMEOUT, detail="the proxy did not reach the receiver within 0.3 s"
            )


async def test_of_a_way_through_a_proxy_the_proxys_address_is_judged_alone() -> None:
    deny_all = Networks(deny=(read_networks("private"),))
    proxy = SmallProxy()
    async with serving(proxy.serve) as port:
        async with sender_to("https://localhost:9/", transport=through(port, networks=deny_all)) as sender:
            assert await sender.send(REQUEST) == Unanswered(
                fault=Fault.BLOCKED, detail="the proxy: 127.0.0.1 is in networks.deny (private)"
            )
        but_proxy = Networks(deny=deny_all.deny, allow=(read_networks("127.0.0.1"),))
        async with sender_to("https://10.1.2.3:9/", transport=through(port, networks=but_proxy), timeout=0.5) as sender:
            outcome = await sender.send(REQUEST)
    assert isinstance(outcome, Unanswered)
    assert outcome.fault is not Fault.BLOCKED
    assert len(proxy.heads) == 1


async def test_a_unix_socket_is_reached_whatever_networks_deny(tmp_path: Path) -> None:
    path = str(tmp_path / "bot.sock")
    heads = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
            await reader.readexactly(len(REQUEST.body))
            writer.write(OK)

    transport = Transport(socket=path, networks=Networks(deny=(read_networks("private"),)))
    async with serving(serve, path=path), sender_to("http://localhost/hook?a=1", transport=transport) as sender:
        assert [await sender.send(REQUEST) for _ in range(3)] == [Answered(status=200)] * 3
    assert [head.splitlines()[:2] for head in heads] == [["POST /hook?a=1 HTTP/1.1", "Host: localhost"]] * 3


async def test_a_unix_socket_that_is_not_there_or_has_nobody_behind_it_is_refused(tmp_path: Path) -> None:
    path = str(tmp_path / "bot.sock")
    refused = Unanswered(fault=Fault.REFUSED, detail="connection refused: nothing listens there")
    async with sender_to("http://localhost/", transport=Transport(socket=path)) as sender:
        assert await sender.send(REQUEST) == refused
        with socket.socket(socket.AF_UNIX) as left_over:
            left_over.bind(path)
        assert await sender.send(REQUEST) == refused


async def test_a_unix_socket_whose_queue_is_full_is_refused_and_not_taken_for_connected(tmp_path: Path) -> None:
    path = str(tmp_path / "bot.sock")
    with socket.socket(socket.AF_UNIX) as listening, socket.socket(socket.AF_UNIX) as first:
        listening.bind(path)
        listening.listen(0)
        first.connect(path)
        async with sender_to("http://localhost/", timeout=1, transport=Transport(socket=path)) as sender:
            assert await sender.send(REQUEST) == Unanswered(
                fault=Fault.REFUSED, detail="connection refused: its queue of connections is full"
            )


async def test_tls_over_a_unix_socket(tmp_path: Path) -> None:
    path, authority = str(tmp_path / "bot.sock"), trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("bot.internal").configure_cert(context)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        await reader.read()

    transport = Transport(socket=path, tls=Tls(ca=authority.cert_pem.bytes().decode()))
    async with serving(serve, context, path=path), sender_to("https://bot.internal/", transport=transport) as sender:
        assert await sender.send(REQUEST) == Answered(status=200)
