"""The HTTP session of a stream: each try is one request on one connection, and no redirect is followed."""

import asyncio
import socket
from datetime import timedelta

import pytest

from forwarder.emulator.connection import reset_on_close
from forwarder.streams.address_memory import AddressMemory
from forwarder.streams.faults import FaultKind, StreamFaultError
from forwarder.streams.session import is_peer_open, open_session
from tests.support.raw import serving

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
WITHIN = timedelta(seconds=5)


class Server:
    """Answers the requests of its connections with what a test chooses; nothing ends the connection."""

    def __init__(self, *answers: bytes) -> None:
        self._answers = list(answers)
        self.requests: list[bytes] = []
        self.connections = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        while True:
            self.requests.append(await reader.readuntil(b"\r\n\r\n"))
            answer = self._answers.pop(0)
            if not answer:
                return
            writer.write(answer)
            await writer.drain()


async def test_each_connection_is_reported_and_a_second_request_uses_the_first() -> None:
    server, connections = Server(OK, OK), list[int]()
    async with (
        serving(server.serve) as port,
        open_session(
            connect_within=WITHIN, addresses=AddressMemory(), on_connect=lambda: connections.append(1)
        ) as session,
    ):
        for _ in range(2):
            async with session.get(f"http://127.0.0.1:{port}/") as answer:
                assert answer.status == 200
    assert (len(connections), server.connections) == (1, 1)


async def test_a_fresh_connection_that_ends_without_an_answer_is_a_fault_and_nothing_is_asked_twice() -> None:
    server = Server(b"")
    async with serving(server.serve) as port, open_session(connect_within=WITHIN, addresses=AddressMemory()) as session:
        with pytest.raises(StreamFaultError) as ended:
            await session.get(f"http://127.0.0.1:{port}/")
    assert ended.value.kind is FaultKind.NETWORK
    assert len(server.requests) == 1


async def test_a_kept_connection_that_ended_meanwhile_is_replaced_once() -> None:
    server = Server(OK, b"", OK)
    async with serving(server.serve) as port, open_session(connect_within=WITHIN, addresses=AddressMemory()) as session:
        for _ in range(2):
            async with session.get(f"http://127.0.0.1:{port}/") as answer:
                assert answer.status == 200
    assert (server.connections, len(server.requests)) == (2, 3)


async def test_the_connection_that_replaces_a_kept_one_is_not_replaced_in_its_turn() -> None:
    server = Server(OK, b"", b"", OK)
    async with serving(server.serve) as port, open_session(connect_within=WITHIN, addresses=AddressMemory()) as session:
        async with session.get(f"http://127.0.0.1:{port}/"):
            pass
        with pytest.raises(StreamFaultError):
            await session.get(f"http://127.0.0.1:{port}/")
    assert len(server.requests) == 3


async def test_a_redirect_is_a_fault_and_its_target_is_not_asked() -> None:
    server = Server(b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n", OK)
    async with serving(server.serve) as port, open_session(connect_within=WITHIN, addresses=AddressMemory()) as session:
        with pytest.raises(StreamFaultError) as ended:
            await session.get(f"http://127.0.0.1:{port}/")
    assert ended.value.kind is FaultKind.REDIRECTED
    assert len(server.requests) == 1


async def test_no_cookie_is_kept() -> None:
    server = Server(OK.replace(b"\r\n\r\n", b"\r\nSet-Cookie: a=b\r\n\r\n"), OK)
    async with serving(server.serve) as port, open_session(connect_within=WITHIN, addresses=AddressMemory()) as session:
        for _ in range(2):
            async with session.get(f"http://127.0.0.1:{port}/"):
                pass
    assert b"cookie" not in server.requests[1].lower()


async def test_the_kernel_watches_over_the_socket() -> None:
    async with (
        serving(Server(OK).serve) as port,
        open_session(connect_within=WITHIN, addresses=AddressMemory()) as session,
    ):
        async with session.get(f"http://127.0.0.1:{port}/") as answer:
            assert answer.connection is None  # it is read to its end, and kept
        assert session.connector is not None
        (kept,) = [handler for handlers in session.connector._conns.values() for handler, _ in handlers]
        assert kept.transport is not None
        plug = kept.transport.get_extra_info("socket")
        assert plug.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert plug.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 20_000


@pytest.mark.parametrize("resets", [False, True])
def test_a_peer_that_closed_or_reset_its_connection_is_not_open(resets: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        ours = socket.create_connection(listening.getsockname())
        theirs, _ = listening.accept()
        with ours:
            assert is_peer_open(ours)
            if resets:
                reset_on_close(theirs)
            theirs.close()
            ours.settimeout(10)
            try:
                assert ours.recv(1) == b""
            except ConnectionResetError:
                assert resets
            assert not is_peer_open(ours)
        assert is_peer_open(ours)  # a closed socket says nothing of the peer


def test_without_a_socket_nothing_is_known_to_have_ended() -> None:
    assert is_peer_open(None)
