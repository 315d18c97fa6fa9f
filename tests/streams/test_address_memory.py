"""A stream whose server has several addresses: after one that carries nothing, the others come first."""

import asyncio
import socket
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import ThreadedResolver

from forwarder.emulator.server import Emulator
from forwarder.streams.address_memory import AddressMemory
from forwarder.streams.faults import FaultKind, StreamFaultError
from forwarder.streams.sse import SseStream
from forwarder.streams.websocket import WebSocketStream
from tests.support.raw import serving
from tests.support.streams import FakeListener, hold_once

SOON = timedelta(seconds=1)


def resolve(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    async def answer(_self: ThreadedResolver, host: str, port: int, _family: int) -> list[dict[str, Any]]:
        return [
            {"hostname": host, "host": address, "port": port, "family": socket.AF_INET, "proto": 0, "flags": 0}
            for address in addresses
        ]

    monkeypatch.setattr(ThreadedResolver, "resolve", answer)


def leave() -> None:
    """End a connection that has opened."""
    raise EOFError


@pytest.mark.parametrize("closes", [False, True])
@pytest.mark.parametrize("kind", [WebSocketStream, SseStream])
async def test_an_address_that_connects_and_carries_nothing_is_not_tried_forever(
    monkeypatch: pytest.MonkeyPatch, kind: type[WebSocketStream | SseStream], closes: bool
) -> None:
    came: list[bytes] = []

    async def silence(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        came.append(await reader.read(1))
        if not closes:
            await reader.read()

    resolve(monkeypatch, "127.0.0.9", "127.0.0.1")
    async with Emulator() as emulator:
        url = emulator.ws_url if kind is WebSocketStream else f"{emulator.url}/stream"
        port = int(emulator.url.rpartition(":")[2])
        url = url.replace("127.0.0.1", "several.example")
        stream = kind(name="main", url=url, api_key="test-key", handshake_within=SOON)
        async with serving(silence, address="127.0.0.9", port=port):
            fault = await hold_once(stream)
            assert fault.kind in {FaultKind.TIMEOUT, FaultKind.NETWORK}
            for _ in range(3):
                with pytest.raises(EOFError):
                    await stream.hold(FakeListener(on_open=leave))
            assert len(came) == 1


@pytest.mark.parametrize(
    ("kind", "is_blamed"),
    [(FaultKind.SILENT, True), (FaultKind.TLS, True), (FaultKind.KEY_REFUSED, False), (FaultKind.CLOSED, False)],
)
def test_an_open_connection_that_carries_nothing_any_more_blames_its_address(kind: FaultKind, is_blamed: bool) -> None:
    memory = AddressMemory()
    found: list[Any] = [{"host": "192.0.2.1"}, {"host": "192.0.2.2"}]
    assert memory.ordered(found) == found
    memory.note_open(("192.0.2.1", 443))
    memory.note_fault(StreamFaultError(kind, "why"))
    assert memory.ordered(found) == (found[::-1] if is_blamed else found)
    memory.note_open(("192.0.2.1", 443))
    assert memory.ordered(found) == found


def test_a_host_that_is_an_address_has_no_order() -> None:
    memory = AddressMemory()
    memory.note_open(None)
    memory.note_fault(StreamFaultError(FaultKind.TIMEOUT, "why"))
    assert memory.ordered([]) == []
