"""Whether a request has left this machine: a 2xx that comes early counts when it has, and any other answer counts at once."""

import asyncio
import errno
import gzip
import random
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest
import trustme

from forwarder.core.delivery import Answered, Fault, Outcome, Unanswered
from forwarder.core.destinations.request import FixedHeaders, WebhookRequest
from forwarder.core.destinations.transport import Proxy, Tls, Transport
from forwarder.destinations import send_state
from forwarder.destinations.send_state import SendState
from forwarder.emulator.connection import reset_on_close
from tests.support.raw import sender_to

CA = trustme.CA()
SERVER_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
CA.issue_cert("localhost").configure_cert(SERVER_TLS)
SMALL_BUFFER = 4096
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
BODY = random.Random(1).randbytes(8_000_000)  # noqa: S311 - more than any buffers on the way hold
CUT_SHORT = Unanswered(
    fault=Fault.NETWORK,
    detail="the receiver answered HTTP 200 before it had the whole request, and then closed the connection",
)


def request(body: bytes = BODY) -> WebhookRequest:
    return WebhookRequest(fixed=FixedHeaders({"Content-Type": "application/json"}), id="msg_1", timestamp=1, body=body)


@dataclass
class Early:
    """A receiver in a thread: each connection is given to `behave` once the head of its first request is in."""

    behave: Callable[["Early", socket.socket], None]
    port: int = 0
    connections: int = 0
    bodies: list[bytes] = field(default_factory=list)
    may_end: threading.Event = field(default_factory=threading.Event)

    def head(self, connection: socket.socket) -> bytes:
        """Read up to the body, whose first bytes may come with it; return those."""
        data = b""
        while b"\r\n\r\n" not in data:
            if not (more := connection.recv(1024)):
                raise ConnectionError
            data += more
        return data.partition(b"\r\n\r\n")[2]

    def body(self, connection: socket.socket, begun: bytes, length: int = len(BODY)) -> bytes:
        """Read the rest of a body."""
        pieces, left = [begun], length - len(begun)
        while left > 0 and (piece := connection.recv(65536)):
            pieces.append(piece)
            left -= len(piece)
        return b"".join(pieces)


@contextmanager
def receiving(
    behave: Callable[[Early, socket.socket], None], *, tls: bool = False, path: str | None = None
) -> Iterator[Early]:
    """Have one in a thread, at a port or a unix socket; it has ended at the end."""
    early = Early(behave)
    listener = socket.socket(socket.AF_INET if path is None else socket.AF_UNIX)
    if path is None:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
        listener.bind(("127.0.0.1", 0))
        early.port = listener.getsockname()[1]
    else:
        listener.bind(path)
    listener.listen()

    def serve(plain: socket.socket) -> None:
        with (
            suppress(OSError),
            closing(SERVER_TLS.wrap_socket(plain, server_side=True) if tls else plain) as connection,
        ):
            behave(early, connection)

    def accept() -> None:
        with suppress(OSError):
            while True:
                plain, _ = listener.accept()
                early.connections += 1
                threading.Thread(target=serve, args=(plain,), daemon=True).start()

    accepting = threading.Thread(target=accept, daemon=True)
    accepting.start()
    try:
        yield early
    finally:
        early.may_end.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        accepting.join()


WAYS = pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])


async def send(early: Early, *, tls: bool, timeout: float = 30, body: bytes = BODY) -> Outcome:
    async with sender_to(url_of(early, tls=tls), timeout=timeout, transport=transport_of(tls=tls)) as sender:
        return await sender.send(request(body))


def url_of(early: Early, *, tls: bool) -> str:
    return f"{'https' if tls else 'http'}://localhost:{early.port}/"


def transport_of(*, tls: bool) -> Transport:
    return Transport(tls=Tls(ca=CA.cert_pem.bytes().decode())) if tls else Transport()


@WAYS
async def test_what_is_read_after_the_answer_is_delivered_whole_and_the_connection_is_kept(tls: bool) -> None:
    def answer_then_read(early: Early, connection: socket.socket) -> None:
        while True:
            begun = early.head(connection)
            connection.sendall(OK)
            early.bodies.append(early.body(connection, begun))
            if len(early.bodies) == 2:
                early.may_end.set()

    with receiving(answer_then_read, tls=tls) as early:
        async with sender_to(url_of(early, tls=tls), timeout=60, transport=transport_of(tls=tls)) as sender:
            outcomes = [await sender.send(request()) for _ in range(2)]
            await asyncio.to_thread(
                early.may_end.wait, 30
            )  # the kernel has the last bytes; the receiver may still be at them
    assert outcomes == [Answered(status=200)] * 2
    assert early.bodies == [BODY, BODY]
    assert early.connections == 1


@WAYS
@pytest.mark.parametrize(
    "head", [b"Connection: close\r\nContent-Length: 2\r\n\r\nok", b"Content-Length: 2\r\n\r\nok", b"\r\nok"]
)
async def test_an_answer_that_ends_the_connection_does_not_cut_the_request_short(head: bytes, tls: bool) -> None:
    def answer_then_read(early: Early, connection: socket.socket) -> None:
        begun = early.head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + head)
        if not tls:
            connection.shutdown(socket.SHUT_WR)
        early.bodies.append(early.body(connection, begun))
        early.may_end.set()

    with receiving(answer_then_read, tls=tls) as early:
        outcome = await send(early, tls=tls, timeout=60)
        await asyncio.to_thread(early.may_end.wait, 30)
    # With TLS an answer without a length ends when the connection does, which nobody waits for.
    assert outcome == Answered(status=200, excerpt="ok", body=b"ok")
    assert early.bodies == [BODY]


@WAYS
@pytest.mark.parametrize("read", [0, 80_000])
@pytest.mark.parametrize("how", [reset_on_close, lambda _connection: None], ids=["reset", "closed"])
async def test_a_receiver_that_answers_and_closes_has_only_what_it_read(
    how: Callable[[socket.socket], None], read: int, tls: bool
) -> None:
    def answer_and_leave(early: Early, connection: socket.socket) -> None:
        begun = early.head(connection)
        connection.sendall(OK)
        early.body(connection, begun, read)
        how(connection)

    with receiving(answer_and_leave, tls=tls) as early:
        assert await send(early, tls=tls) == CUT_SHORT


@WAYS
async def test_the_timeout_is_that_of_the_whole_and_what_was_not_read_by_then_is_not_delivered(tls: bool) -> None:
    def answer_and_read_no_more(early: Early, connection: socket.socket) -> None:
        early.head(connection)
        connection.sendall(OK)
        early.may_end.wait()

    with receiving(answer_and_read_no_more, tls=tls) as early:
        outcome = await send(early, tls=tls, timeout=1)
    assert outcome == Unanswered(
        fault=Fault.TIMEOUT,
        detail="the receiver answered HTTP 200 before it had the whole request, and did not read the rest within 1 s",
    )


@WAYS
@pytest.mark.parametrize("status", [301, 401, 413, 429, 503])
@pytest.mark.parametrize(
    "head", [b"Content-Length: 2\r\n\r\nno", b"Connection: close\r\n\r\nno"], ids=["length", "end"]
)
async def test_an_early_refusal_counts_at_once(status: int, head: bytes, tls: bool) -> None:
    def refuse(early: Early, connection: socket.socket) -> None:
        early.head(connection)
        connection.sendall(b"HTTP/1.1 %d No\r\n%s" % (status, head))
        if not tls:
            connection.shutdown(socket.SHUT_WR)
        early.may_end.wait()  # it reads nothing: whoever went on sending would wait forever

    with receiving(refuse, tls=tls) as early:
        if b"Content-Length" in head or not tls:
            outcome = await send(early, tls=tls)
        else:  # its end cannot be seen: it counts when the time is over
            outcome = await send(early, tls=tls, timeout=1)
    assert isinstance(outcome, Answered)
    assert (outcome.status, outcome.excerpt) == (status, "no")


@WAYS
async def test_an_end_without_an_answer_is_noticed_while_sending(tls: bool) -> None:
    def leave(early: Early, connection: socket.socket) -> None:
        early.head(connection)
        if not tls:
            connection.shutdown(socket.SHUT_WR)
            early.may_end.wait()

    with receiving(leave, tls=tls) as early:
        outcome = await send(early, tls=tls)
    assert isinstance(outcome, Unanswered)
    assert outcome.fault is Fault.NETWORK


@pytest.mark.parametrize("size", [150_000, 2_000_000])
async def test_what_the_kernel_holds_is_not_out(size: int) -> None:
    """All of the request fits into the buffers of the kernel here; the receiver reads 80 KB of it."""

    def answer_and_leave(early: Early, connection: socket.socket) -> None:
        begun = early.head(connection)
        connection.sendall(OK)
        early.body(connection, begun, 80_000)
        reset_on_close(connection)

    with receiving(answer_and_leave) as early:
        assert await send(early, tls=False, body=BODY[:size]) == CUT_SHORT


@pytest.mark.parametrize("size", [12_000, 15_000])
@pytest.mark.parametrize("how", [reset_on_close, lambda _connection: None], ids=["reset", "closed"])
async def test_a_small_request_is_not_out_while_the_kernel_holds_some_of_it(
    how: Callable[[socket.socket], None], size: int
) -> None:
    def answer_and_leave(early: Early, connection: socket.socket) -> None:
        early.head(connection)
        connection.sendall(OK)
        how(connection)

    with receiving(answer_and_leave) as early:
        assert await send(early, tls=False, body=BODY[:size]) == CUT_SHORT


async def test_a_small_request_that_is_read_after_the_answer_is_delivered_and_the_connection_is_kept() -> None:
    def answer_then_read(early: Early, connection: socket.socket) -> None:
        while True:
            begun = early.head(connection)
            connection.sendall(OK)
            early.bodies.append(early.body(connection, begun, 15_000))
            if len(early.bodies) == 2:
                early.may_end.set()

    with receiving(answer_then_read) as early:
        async with sender_to(url_of(early, tls=False), timeout=60) as sender:
            outcomes = [await sender.send(request(BODY[:15_000])) for _ in range(2)]
            await asyncio.to_thread(early.may_end.wait, 30)
    assert outcomes == [Answered(status=200)] * 2
    assert early.bodies == [BODY[:15_000]] * 2
    assert early.connections == 1


UNIX_SIZES = pytest.mark.parametrize("size", [2_000, 20_000, 150_000, 400_000, 8_000_000])


async def send_to_unix(path: str, size: int, *, times: int = 1, timeout: float = 60) -> list[Outcome]:
    async with sender_to("http://localhost/", timeout=timeout, transport=Transport(socket=path)) as sender:
        return [await sender.send(request(BODY[:size])) for _ in range(times)]


@UNIX_SIZES
async def test_the_receiver_at_a_unix_socket_has_only_what_it_read(size: int, tmp_path: Path) -> None:
    def answer_and_leave(early: Early, connection: socket.socket) -> None:
        early.head(connection)
        connection.sendall(OK)

    with receiving(answer_and_leave, path=str(tmp_path / "socket")):
        assert await send_to_unix(str(tmp_path / "socket"), size) == [CUT_SHORT]


@pytest.mark.parametrize("size", [2_000, 8_000_000])
async def test_what_nobody_reads_from_a_unix_socket_is_not_delivered(size: int, tmp_path: Path) -> None:
    def answer_and_read_no_more(early: Early, connection: socket.socket) -> None:
        early.head(connection)
        connection.sendall(OK)
        early.may_end.wait()

    with receiving(answer_and_read_no_more, path=str(tmp_path / "socket")):
        (outcome,) = await send_to_unix(str(tmp_path / "socket"), size, timeout=1)
    assert isinstance(outcome, Unanswered)
    assert outcome.fault is Fault.TIMEOUT


@UNIX_SIZES
@pytest.mark.parametrize("is_early", [True, False], ids=["early", "late"])
async def test_what_is_read_from_a_unix_socket_is_delivered_and_the_connection_is_kept(
    is_early: bool, size: int, tmp_path: Path
) -> None:
    def read_all(early: Early, connection: socket.socket) -> None:
        while True:
            begun = early.head(connection)
            if is_early:
                connection.sendall(OK)
            early.bodies.append(early.body(connection, begun, size))
            if len(early.bodies) == 2:
                early.may_end.set()
            if not is_early:
                connection.sendall(OK)

    with receiving(read_all, path=str(tmp_path / "socket")) as early:
        outcomes = await send_to_unix(str(tmp_path / "socket"), size, times=2)
        await asyncio.to_thread(
            early.may_end.wait, 30
        )  # it counts once it is read; the thread may still be at noting it
    assert outcomes == [Answered(status=200)] * 2
    assert early.bodies == [BODY[:size]] * 2
    assert early.connections == 1


@UNIX_SIZES
async def test_a_unix_socket_may_be_closed_when_all_is_read(size: int, tmp_path: Path) -> None:
    def answer_then_read(early: Early, connection: socket.socket) -> None:
        begun = early.head(connection)
        connection.sendall(OK)
        early.body(connection, begun, size)

    with receiving(answer_then_read, path=str(tmp_path / "socket")):
        assert await send_to_unix(str(tmp_path / "socket"), size) == [Answered(status=200)]


@pytest.mark.parametrize("size", [2_000, 8_000_000])
async def test_an_early_refusal_from_a_unix_socket_counts_at_once(size: int, tmp_path: Path) -> None:
    def refuse(early: Early, connection: socket.socket) -> None:
        early.head(connection)
        connection.sendall(b"HTTP/1.1 413 No\r\nContent-Length: 0\r\n\r\n")
        early.may_end.wait()

    with receiving(refuse, path=str(tmp_path / "socket")):
        (outcome,) = await send_to_unix(str(tmp_path / "socket"), size)
    assert isinstance(outcome, Answered)
    assert outcome.status == 413


async def test_compressed_bodies_and_tunnels_are_no_other_matter() -> None:
    """The proxy is of the same kind: a thread that passes on what comes."""
    body = gzip.compress(BODY, 1)

    def answer_then_read(early: Early, connection: socket.socket) -> None:
        begun = early.head(connection)
        connection.sendall(OK)
        early.bodies.append(early.body(connection, begun, len(body)))
        early.may_end.set()

    with receiving(answer_then_read, tls=True) as early:

        def tunnel(proxy: Early, client: socket.socket) -> None:
            proxy.head(client)
            with closing(socket.create_connection(("127.0.0.1", early.port))) as receiver:
                client.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
                back = threading.Thread(target=pump, args=(receiver, client), daemon=True)
                back.start()
                pump(client, receiver)
                back.join()

        with receiving(tunnel) as proxy:
            way = Transport(tls=Tls(ca=CA.cert_pem.bytes().decode()), proxy=Proxy(host="127.0.0.1", port=proxy.port))
            async with sender_to(url_of(early, tls=True), timeout=60, transport=way) as sender:
                outcome = await sender.send(request(body))
                await asyncio.to_thread(early.may_end.wait, 30)
    assert outcome == Answered(status=200)
    assert [gzip.decompress(each) for each in early.bodies] == [BODY]


def pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)


@asynccontextmanager
async def connected() -> AsyncIterator[tuple[SendState, asyncio.Transport, socket.socket]]:
    """Give the state of a connection over a socket pair, its transport, and the other end, which reads nothing by itself."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        ours = socket.create_connection(listening.getsockname())
        theirs, _ = listening.accept()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL_BUFFER)
    state = SendState()
    with theirs:
        transport, _ = await asyncio.get_running_loop().create_connection(lambda: Reporting(state), sock=ours)
        try:
            yield state, transport, theirs
        finally:
            transport.abort()
            state.stop_watching()


class Reporting(asyncio.Protocol):
    """Reports to a state, as the connection of a sender does."""

    def __init__(self, state: SendState) -> None:
        self._state = state

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._state.opened(cast("asyncio.Transport", transport))  # that of uvloop is no subclass

    def connection_lost(self, error: Exception | None) -> None:
        self._state.closed(error)


async def until(holds: Callable[[], bool]) -> None:
    """Return once it holds, asked in each turn of the loop."""
    async with asyncio.timeout(30):
        while not holds():  # noqa: ASYNC110 - what the kernel has sent is not reported
            await asyncio.sleep(0)


async def test_what_was_written_is_sent_when_the_kernel_has_nothing_left_of_it() -> None:
    async with connected() as (state, transport, theirs):
        await until(state.is_sent)
        transport.write(BODY)
        assert not state.is_sent()
        assert not state.is_broken()
        await asyncio.to_thread(read_all, theirs, len(BODY))
        await until(state.is_sent)


def read_all(connection: socket.socket, length: int) -> None:
    while length > 0 and (piece := connection.recv(1 << 16)):
        length -= len(piece)


async def test_what_the_transport_still_had_when_it_was_aborted_is_lost() -> None:
    async with connected() as (state, transport, _):
        transport.write(BODY)
        state.watch()
        state.aborted()
        transport.abort()
        await until(state.is_broken)
        assert not state.is_sent()
        assert not state.is_draining


async def test_a_closed_connection_that_is_watched_can_still_be_asked() -> None:
    async with connected() as (state, transport, _):
        state.watch()
        transport.close()
        await until(lambda: state.is_draining)
        await until(state.is_sent)
        assert not state.is_broken()
        state.stop_watching()
        assert not state.is_sent()
        assert state.is_broken()


async def test_of_a_connection_that_was_never_opened_nothing_is_sent() -> None:
    state = SendState()
    assert not state.is_sent()
    assert state.is_broken()
    state.watch()
    assert not state.is_draining


async def test_a_kernel_that_cannot_report_its_queue_stops_no_deliveries(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(number: int) -> Callable[..., bytes]:
        def ioctl(*_: object) -> bytes:
            raise OSError(number, "as the kernel says it")

        return ioctl

    async with connected() as (state, _, _):
        monkeypatch.setattr(send_state, "ioctl", fail(errno.ENOTTY))
        assert state.is_sent()
        monkeypatch.setattr(send_state, "ioctl", fail(errno.EBADF))
        assert not state.is_sent()
