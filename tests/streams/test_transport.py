"""Streams over TLS with a CA of one's own and a client certificate, and through a real proxy: the WebSocket, the event stream and its token."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest
import trustme

from forwarder.core.config import load_config
from forwarder.core.config.model.transport import parse_proxy
from forwarder.core.destinations.transport import Tls
from forwarder.emulator.server import Emulator
from forwarder.streams.build import streams_of
from forwarder.streams.faults import FaultKind, StreamFaultError
from forwarder.streams.sse import SseStream
from forwarder.streams.stream import Stream
from forwarder.streams.transport import StreamTransport
from forwarder.streams.websocket import WebSocketStream
from forwarder.tls.contexts import context_of
from tests.support.http_proxy import SmallProxy
from tests.support.raw import raw_server, says, serving
from tests.support.streams import FakeListener
from tests.support.tls import tls_before, tls_server

CA, OTHER_CA = trustme.CA(), trustme.CA()
CLIENT = CA.issue_cert("client@example.com")
CREDENTIALS = "Basic dXNlcjpjYW5hcnk="
EVENT = b'{"mid":"1","sid":"2","source":"x","timestamp":1,"payload":{}}'
KINDS = pytest.mark.parametrize("kind", ["websocket", "sse"])


def pem(*blobs: trustme.Blob) -> str:
    return "".join(blob.bytes().decode() for blob in blobs)


TRUSTING = Tls(ca=pem(CA.cert_pem))
KNOWN = replace(TRUSTING, cert=pem(*CLIENT.cert_chain_pems), key=pem(CLIENT.private_key_pem))


def server_context(host: str = "localhost", *, wants: trustme.CA | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    CA.issue_cert(host).configure_cert(context)
    if wants is not None:
        wants.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def reached(tls: Tls = TRUSTING, proxy: str = "") -> StreamTransport:
    return StreamTransport(tls=tls, proxy=parse_proxy(proxy) if proxy else None, context=context_of(tls))


def stream_to(kind: str, authority: str, transport: StreamTransport, *, tls: bool = True) -> Stream:
    if kind == "sse":
        url = f"http{'s' if tls else ''}://{authority}/stream"
        return SseStream(name="main", url=url, api_key="test-key", transport=transport)
    return WebSocketStream(name="main", url=f"wss://{authority}/ws", api_key="test-key", transport=transport)


@dataclass
class Held:
    frames: list[bytes] = field(default_factory=list)
    fault: StreamFaultError | None = None


async def hold(stream: Stream, emulator: Emulator) -> Held:
    """Hold a stream until it has brought one event, or could not be opened."""
    held, came, opened = Held(), asyncio.Event(), asyncio.Event()

    async def take(frame: bytes) -> None:
        held.frames.append(frame)
        came.set()

    async def bring() -> None:
        await opened.wait()
        await emulator.send(EVENT)
        await came.wait()

    async def open_it() -> None:
        try:
            await stream.hold(FakeListener(take=take, on_open=opened.set))
        except StreamFaultError as fault:
            held.fault = fault
            raise

    bringing, holding = asyncio.ensure_future(bring()), asyncio.ensure_future(open_it())
    async with asyncio.timeout(60):
        await asyncio.wait([bringing, holding], return_when=asyncio.FIRST_COMPLETED)
    bringing.cancel()
    holding.cancel()
    await asyncio.gather(bringing, holding, return_exceptions=True)
    return held


@asynccontextmanager
async def emulated(context: ssl.SSLContext) -> AsyncIterator[tuple[Emulator, str]]:
    async with Emulator() as emulator, tls_before(int(emulator.url.rpartition(":")[2]), context) as port:
        yield emulator, f"localhost:{port}"


@KINDS
async def test_a_private_authority_and_a_client_certificate_open_a_stream(kind: str) -> None:
    async with emulated(server_context(wants=CA)) as (emulator, authority):
        assert (await hold(stream_to(kind, authority, reached(KNOWN)), emulator)).frames == [EVENT]


@KINDS
async def test_server_name_is_the_name_that_the_certificate_must_have(kind: str) -> None:
    async with emulated(server_context("scrape.internal")) as (emulator, authority):
        named = reached(replace(TRUSTING, server_name="scrape.internal"))
        assert (await hold(stream_to(kind, authority, named), emulator)).frames == [EVENT]
        fault = (await hold(stream_to(kind, authority, reached()), emulator)).fault
    assert fault is not None
    assert fault.sentence.endswith(
        "its certificate is not for this host name: it is for scrape.internal; to check it for another name, set tls.server_name"
    )


@KINDS
@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_server_that_wants_a_client_certificate_says_so(kind: str, newest: ssl.TLSVersion) -> None:
    context = server_context(wants=CA)
    context.maximum_version = newest
    with tls_server(context) as url:
        stream = stream_to(kind, url.removeprefix("https://").rstrip("/"), reached())
        with pytest.raises(StreamFaultError) as caught:
            await stream.hold(FakeListener())
    fault = caught.value
    assert fault.kind is FaultKind.TLS
    assert "tls.cert_file" in fault.sentence


@KINDS
async def test_a_certificate_of_another_authority_is_refused_with_the_key_that_would_help(kind: str) -> None:
    async with emulated(server_context()) as (emulator, authority):
        fault = (await hold(stream_to(kind, authority, reached(Tls(ca=pem(OTHER_CA.cert_pem)))), emulator)).fault
        unverified = await hold(stream_to(kind, authority, reached(Tls(is_verified=False))), emulator)
    assert fault is not None
    assert (fault.kind, fault.sentence) == (
        FaultKind.TLS,
        f"no TLS connection to localhost port {authority.rpartition(':')[2]}: unknown CA or incomplete chain. To trust this CA, set tls.ca_file.",
    )
    assert unverified.frames == [EVENT]


@KINDS
async def test_a_stream_without_tls_where_tls_is_expected_says_how_the_url_should_begin(kind: str) -> None:
    async with Emulator() as emulator:
        fault = (await hold(stream_to(kind, emulator.url.removeprefix("http://"), reached()), emulator)).fault
    assert fault is not None
    assert fault.sentence.endswith(
        "it does not speak TLS at this port; should the URL begin with ws:// (http:// for sse)?"
    )


@KINDS
async def test_everything_of_a_stream_goes_through_the_proxy_and_the_proxy_cannot_read_it(kind: str) -> None:
    proxy = SmallProxy(wants=CREDENTIALS)
    async with emulated(server_context()) as (emulator, authority), serving(proxy.serve) as port:
        through = reached(proxy=f"http://user:canary@127.0.0.1:{port}")
        assert (await hold(stream_to(kind, authority, through), emulator)).frames == [EVENT]
    assert proxy.heads
    for head in proxy.heads:
        assert head.startswith(f"CONNECT {authority} HTTP/1.1\r\n")
        assert f"Proxy-Authorization: {CREDENTIALS}\r\n" in head
        assert "test-key" not in head


async def test_an_event_stream_without_tls_is_read_by_the_proxy_which_gets_its_credentials() -> None:
    proxy = SmallProxy(wants=CREDENTIALS)
    async with Emulator() as emulator, serving(proxy.serve) as port:
        transport = StreamTransport(proxy=parse_proxy(f"http://user:canary@127.0.0.1:{port}"))
        stream = stream_to("sse", emulator.url.removeprefix("http://"), transport, tls=False)
        assert (await hold(stream, emulator)).frames == [EVENT]
    assert proxy.heads[0].startswith(f"POST {emulator.url}/stream/token HTTP/1.1\r\n")


@KINDS
async def test_the_proxies_of_the_environment_are_not_used(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = SmallProxy()
    async with emulated(server_context()) as (emulator, authority), serving(proxy.serve) as port:
        for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "ALL_PROXY", "WSS_PROXY", "wss_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{port}")
        assert (await hold(stream_to(kind, authority, reached()), emulator)).frames == [EVENT]
    assert proxy.heads == []


def test_a_change_of_tls_or_of_the_proxy_is_a_change_of_the_stream() -> None:
    def streams(ca: str, proxy: str) -> list[Stream]:
        text = f"""
streams: [{{api_key: key, proxy: "{proxy}", tls: {{ca_file: ca.pem, server_name: scrape.internal}}}}]
destinations: {{bot: {{url: "http://b/"}}}}
routes: [{{to: bot}}]
"""
        return streams_of(load_config(text.encode(), name="config.yaml", env={}, read_file=lambda _: ca))

    one, other = pem(CA.cert_pem), pem(OTHER_CA.cert_pem)
    (built,) = streams(one, "http://u:canary@proxy.example:3128")
    assert isinstance(built, WebSocketStream)
    assert built.transport.tls == Tls(ca=one.strip(), server_name="scrape.internal")
    assert built.transport.context is context_of(built.transport.tls)
    assert built.transport.proxy == parse_proxy("http://u:canary@proxy.example:3128")
    assert "canary" not in repr(built)
    assert [built] == streams(one, "http://u:canary@proxy.example:3128")
    assert [built] != streams(other, "http://u:canary@proxy.example:3128")
    assert [built] != streams(one, "http://u:other@proxy.example:3128")


PAGE = b"HTTP/1.1 403 Forbidden\r\nContent-Type: text/html\r\nServer: cloudflare\r\nContent-Length: 6\r\n\r\n<html>"


@KINDS
async def test_the_page_of_a_firewall_before_the_server_is_not_called_a_wrong_key(kind: str) -> None:
    async with raw_server(says(PAGE), tls=server_context()) as url:
        stream = stream_to(kind, url.removeprefix("https://").rstrip("/"), reached())
        with pytest.raises(StreamFaultError) as caught:
            await stream.hold(FakeListener())
    assert caught.value.kind is FaultKind.BLOCKED
    assert "a firewall of Cloudflare in front of it blocks this machine's address" in caught.value.sentence
