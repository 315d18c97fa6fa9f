"""What a proxy of a stream is blamed for, each in its own sentence; and never for what the server does beyond it."""

import asyncio
import socket
from datetime import timedelta

import pytest

from forwarder.core.config.model.transport import parse_proxy
from forwarder.core.streams.reconnect_policy import WaitKind
from forwarder.emulator.server import Emulator
from forwarder.streams.faults import FaultKind, StreamFaultError
from forwarder.streams.sse import SseStream
from forwarder.streams.transport import StreamTransport
from forwarder.streams.websocket import WebSocketStream
from tests.support.http_proxy import SmallProxy
from tests.support.raw import raw_server, says, serving
from tests.support.streams import FakeListener

CREDENTIALS = "Basic dXNlcjpjYW5hcnk="
HALF_A_MINUTE = timedelta(seconds=30)


async def fault_of(
    proxy: str, *, url: str = "wss://localhost:9/ws", within: timedelta = timedelta(seconds=15)
) -> StreamFaultError:
    """Return why a stream through this proxy cannot be opened."""
    kind = WebSocketStream if url.startswith("ws") else SseStream
    transport = StreamTransport(proxy=parse_proxy(proxy))
    stream = kind(name="main", url=url, api_key="secret-key", transport=transport, handshake_within=within)
    with pytest.raises(StreamFaultError) as caught:
        async with asyncio.timeout(60):
            await stream.hold(FakeListener())
    assert "canary" not in caught.value.sentence
    return caught.value


@pytest.mark.parametrize("url", ["wss://localhost:9/ws", "https://localhost:9/stream", "http://localhost:9/stream"])
@pytest.mark.parametrize(
    ("user", "said"),
    [
        ("", "the proxy: it requires a user name and a password: write them into its URL"),
        (
            "user:wrong@",
            "the proxy: it rejects the user name and password in its URL: check proxy of this stream",
        ),
    ],
)
async def test_a_proxy_that_does_not_know_us_is_named(url: str, user: str, said: str) -> None:
    async with serving(SmallProxy(wants=CREDENTIALS).serve) as port:
        fault = await fault_of(f"http://{user}127.0.0.1:{port}", url=url)
    assert (fault.kind, fault.sentence, fault.minimum_wait) == (FaultKind.PROXY, said, HALF_A_MINUTE)


async def test_a_server_that_the_proxy_cannot_reach_is_tried_as_one_that_cannot_be_reached() -> None:
    async with serving(SmallProxy().serve) as port:
        fault = await fault_of(f"http://127.0.0.1:{port}")
    assert (fault.kind, fault.sentence) == (FaultKind.PROXY, "the proxy: it could not reach localhost (HTTP 502)")
    assert (fault.wait_kind, fault.minimum_wait) == (WaitKind.PATH, timedelta())


async def test_a_proxy_that_is_not_there_or_has_no_name_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    fault = await fault_of("http://127.0.0.1:1")
    assert (fault.kind, fault.wait_kind) == (FaultKind.PROXY, WaitKind.PATH)
    assert fault.sentence == "the proxy: connection refused: nothing listens there"

    def fail(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    fault = await fault_of("http://proxy.example")
    assert fault.sentence == "the proxy: its host name cannot be resolved: check proxy, and this machine's DNS"


async def test_an_address_of_a_proxy_that_this_machine_cannot_connect_to_is_named() -> None:
    fault = await fault_of("http://255.255.255.255:3128")
    assert fault.kind is FaultKind.PROXY
    assert fault.sentence.startswith("the proxy: it cannot be reached: ")


@pytest.mark.parametrize(
    ("answer", "said", "wait"),
    [
        (
            b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n",
            "it refuses the connection to localhost (HTTP 403): have it allow this host",
            HALF_A_MINUTE,
        ),
        (
            b"HTTP/1.1 504 Gateway Timeout\r\nContent-Length: 0\r\n\r\n",
            "it could not reach localhost (HTTP 504)",
            timedelta(),
        ),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "it refuses the connection: its answer is not valid HTTP", HALF_A_MINUTE),
        (b"", "it closed the connection", timedelta()),
    ],
)
async def test_whatever_a_proxy_answers_to_connect_has_its_sentence(answer: bytes, said: str, wait: timedelta) -> None:
    async with raw_server(says(answer)) as url:
        fault = await fault_of(url)
    assert (fault.kind, fault.sentence, fault.minimum_wait) == (FaultKind.PROXY, f"the proxy: {said}", wait)


@pytest.mark.alone
async def test_a_proxy_that_says_nothing_ends_in_the_time_of_a_handshake() -> None:
    async with raw_server(says(b""), stays_open=True) as url:
        fault = await fault_of(url, within=timedelta(seconds=0.3))
    assert (fault.kind, fault.sentence) == (FaultKind.TIMEOUT, "localhost did not finish the handshake within 0.3 s")


async def test_what_the_server_does_beyond_the_proxy_is_the_servers() -> None:
    async with Emulator() as emulator, serving(SmallProxy().serve) as port:
        authority = emulator.url.removeprefix("http://")
        no_tls = await fault_of(f"http://127.0.0.1:{port}", url=f"wss://{authority}/ws")
        unknown = await fault_of(f"http://127.0.0.1:{port}", url=f"http://{authority}/stream")
    assert no_tls.kind is FaultKind.TLS
    assert "the proxy" not in no_tls.sentence
    assert unknown.kind is FaultKind.KEY_REFUSED


async def test_a_server_that_closes_an_open_tunnel_is_not_the_proxy() -> None:
    async with raw_server(says(b"")) as url, serving(SmallProxy().serve) as port:
        authority = url.removeprefix("http://").rstrip("/")
        fault = await fault_of(f"http://127.0.0.1:{port}", url=f"http://{authority}/stream")
    assert fault.kind is FaultKind.NETWORK
