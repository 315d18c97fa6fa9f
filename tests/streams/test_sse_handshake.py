"""What an event stream sends as `Last-Event-ID` when it is opened again, and how it comes to its token's stream."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest
from structlog.testing import capture_logs

from forwarder.streams.faults import FaultKind
from forwarder.streams.sse import SseStream
from tests.support.raw import serving
from tests.support.streams import FakeListener, Notes, hold_once, supervised

OPEN = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
TOKEN = b'{"token":"' + b"t" * 64 + b'","expiresIn":3600}'


def answer(status: int) -> bytes:
    return b"HTTP/1.1 %d Any\r\nContent-Length: 0\r\n\r\n" % status


Answer = Callable[[bytes | None], bytes]
"""What to say to a `Last-Event-ID`."""


@dataclass
class Server:
    """Says these bytes, the next ones to each request for the stream, and ends the connection; the last ones again and again."""

    says: list[Answer | bytes]
    ids: list[bytes | None] = field(default_factory=list)
    """What each request had as its `Last-Event-ID`."""
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0
    token_says_close: bool = False
    ends_after_token: bool = False
    port: int = 0

    @property
    def stream(self) -> SseStream:
        return SseStream(name="main", url=f"http://127.0.0.1:{self.port}/stream", api_key="key")

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        request = await reader.readuntil(b"\r\n\r\n")
        self.requests.append(request)
        if request.startswith(b"POST"):
            said = b"Connection: close\r\n" if self.token_says_close else b"Connection: keep-alive\r\n"
            writer.write(b"HTTP/1.1 200 OK\r\n%bContent-Length: %d\r\n\r\n%b" % (said, len(TOKEN), TOKEN))
            await writer.drain()
            if not self.ends_after_token:
                await reader.read(1)  # and then the end, whatever it asks for
            return
        lines = (line.partition(b":") for line in request.split(b"\r\n"))
        sent = [value.strip() for name, _, value in lines if name.lower() == b"last-event-id"]
        self.ids.append(sent[0] if sent else None)
        said_next = self.says.pop(0) if len(self.says) > 1 else self.says[0]
        writer.write(said_next if isinstance(said_next, bytes) else said_next(self.ids[-1]))
        await writer.drain()


@asynccontextmanager
async def server(*says: Answer | bytes, token_says_close: bool = False, ends: bool = False) -> AsyncIterator[Server]:
    made = Server(list(says), token_says_close=token_says_close, ends_after_token=ends)
    async with serving(made.serve) as made.port:
        yield made


async def test_an_id_counts_once_the_blank_line_of_its_event_was_read() -> None:
    async with server(OPEN + b"id:one\ndata:A\n\nid:two\ndata:B\n", OPEN) as made:
        stream = made.stream
        await hold_once(stream)
        await hold_once(stream)
    assert made.ids == [None, b"one"]


async def test_an_id_outlives_connections_that_bring_none_and_ends_with_an_empty_one() -> None:
    plain, comment, clears = OPEN + b"data:A\n\n", OPEN + b":\n\n", OPEN + b"id\n\n"
    async with server(OPEN + b"id:one\ndata:A\n\n", plain, comment, answer(503), plain, b"", clears, OPEN) as made:
        stream = made.stream
        for _ in range(8):
            await hold_once(stream)
    assert made.ids == [None, *[b"one"] * 6, None]


async def test_an_event_that_was_not_taken_is_asked_for_again() -> None:
    is_waiting = asyncio.Event()

    async def take(frame: bytes) -> None:
        if frame == b"B":
            is_waiting.set()
            await asyncio.Event().wait()  # the disk has no room, and then we stop

    async with server(OPEN + b"id:one\ndata:A\n\nid:two\ndata:B\n\nid:three\ndata:C\n\n", OPEN) as made:
        stream = made.stream
        holding = asyncio.ensure_future(stream.hold(FakeListener(take=take)))
        async with asyncio.timeout(15):
            await is_waiting.wait()
        holding.cancel()
        await asyncio.wait([holding])
        await hold_once(stream)
    assert made.ids == [None, b"one"]


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ("é☃😀".encode(), "é☃😀".encode()),
        ("\u2028\u0085\u200b".encode(), "\u2028\u0085\u200b".encode()),
        (b"a\tb", b"a\tb"),
        (b"a\xffb", "a\N{REPLACEMENT CHARACTER}b".encode()),
        (b"x" * 1024, b"x" * 1024),
        (b"x" * 1025, b"before"),
        (b"x" * 15_000_000, b"before"),
        (b"\xff" * 1000, b"before"),
        (b"a\0b", b"before"),
        (b"a\x1b[31m", b"before"),
        (b"a\x0bX-Evil: 1", b"before"),
        (b"\x7f", b"before"),
        (b"a\r\nX-Evil: 1", b"a"),  # a line of its own, which the standard passes over
        (b"", None),
    ],
)
async def test_whatever_an_id_is_the_next_request_is_a_good_one(sent: bytes, expected: bytes | None) -> None:
    taken: list[bytes] = []

    async def take(frame: bytes) -> None:
        taken.append(frame)

    async with server(OPEN + b"id:before\ndata:A\n\nid:" + sent + b"\ndata:B\n\n", OPEN) as made:
        stream = made.stream
        await hold_once(stream, FakeListener(take=take))
        assert (await hold_once(stream)).kind is FaultKind.CLOSED
    assert taken == [b"A", b"B"]
    assert made.ids == [None, expected]
    assert b"Evil" not in made.requests[-1]


async def test_ids_that_are_passed_over_are_said_once_a_connection() -> None:
    async with server(OPEN + (b"id:" + b"x" * 2000 + b"\ndata:A\n\n") * 3) as made:
        with capture_logs() as logs:
            await hold_once(made.stream)
    assert [line["event"] for line in logs] == ["stream.id_dropped"]
    assert "1,024 bytes" in logs[0]["reason"]


def takes_back_no_id(status: int) -> Answer:
    return lambda sent: answer(status) if sent else OPEN


@pytest.mark.parametrize("status", [400, 413, 422, 431, 500])
async def test_an_id_that_the_server_does_not_take_back_is_forgotten_and_the_stream_opened_at_once(status: int) -> None:
    async with server(OPEN + b"id:one\n\n", takes_back_no_id(status)) as made:
        stream = made.stream
        await hold_once(stream)
        opened: list[bool] = []
        fault = await hold_once(stream, FakeListener(on_open=lambda: opened.append(True)))
        assert (opened, fault.kind) == ([True], FaultKind.CLOSED)
        await hold_once(stream)
    assert made.ids == [None, b"one", None, None]


@pytest.mark.parametrize(("status", "asked"), [(431, [b"one", None, None]), (500, [b"one", None, b"one", None])])
async def test_a_server_that_refuses_everything_is_asked_once_more_and_only_a_4xx_ends_the_id(
    status: int, asked: list[bytes | None]
) -> None:
    async with server(OPEN + b"id:one\n\n", answer(status)) as made:
        stream = made.stream
        for _ in range(3):
            await hold_once(stream)
    assert made.ids == [None, *asked]


REFUSALS = {
    **{f"HTTP {status}": answer(status) for status in (204, 404, 406, 414, 429, 494, 501, 502, 503, 520)},
    "another type": b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 0\r\n\r\n",
    "no answer": b"",
    "no HTTP": b"\0\0\0\0\r\n\r\n",
}


@pytest.mark.parametrize("refusal", REFUSALS.values(), ids=REFUSALS)
async def test_an_id_that_is_refused_in_any_other_way_twice_is_left_out_and_forgotten_once_that_opens(
    refusal: bytes,
) -> None:
    async with server(OPEN + b"id:one\n\n", lambda sent: refusal if sent else OPEN) as made:
        stream = made.stream
        opened: list[bool] = []
        with capture_logs() as logs:
            for _ in range(5):
                await hold_once(stream, FakeListener(on_open=lambda: opened.append(True)))
    assert made.ids == [None, b"one", b"one", None, None]
    assert len(opened) == 3
    assert [line["event"] for line in logs] == ["stream.id_refused"]


@pytest.mark.parametrize("refusal", REFUSALS.values(), ids=REFUSALS)
async def test_a_server_that_is_down_does_not_cost_the_id_and_tries_with_and_without_it_take_turns(
    refusal: bytes,
) -> None:
    async with server(OPEN + b"id:one\n\n", *[refusal] * 5, OPEN) as made:
        stream = made.stream
        for _ in range(8):
            await hold_once(stream)
    assert made.ids == [None, b"one", b"one", None, b"one", None, b"one", b"one"]


async def test_a_server_that_is_not_reached_or_gives_no_token_says_nothing_of_the_id() -> None:
    async with server(OPEN + b"id:one\n\n") as made:
        stream = made.stream
        await hold_once(stream)
    for _ in range(3):
        assert (await hold_once(stream)).kind is FaultKind.REFUSED
    assert stream.memory.id_to_send() == "one"
    stream.memory.tokens.forget()
    async with serving(no_token) as port:
        moved = replace(stream, url=f"http://127.0.0.1:{port}/stream")  # with the same memory
        for _ in range(3):
            assert (await hold_once(moved)).kind is FaultKind.BUSY
    assert stream.memory.id_to_send() == "one"


async def no_token(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(answer(503))
    await writer.drain()


@pytest.mark.parametrize("status", [401, 403])
async def test_an_id_that_looks_like_a_bad_key_is_left_out_before_the_key_is_blamed(status: int) -> None:
    async with server(OPEN + b"id:one\n\n", takes_back_no_id(status)) as made:
        stream = made.stream
        for _ in range(3):
            fault = await hold_once(stream)
            assert fault.kind is FaultKind.CLOSED
            assert fault.connections <= 5
    assert made.ids == [None, b"one", b"one", None, None]


@pytest.mark.parametrize("status", [401, 403])
async def test_a_token_that_has_ended_early_costs_no_id(status: int) -> None:
    async with server(OPEN + b"id:one\n\n", answer(status), OPEN) as made:
        stream = made.stream
        for _ in range(3):
            assert (await hold_once(stream)).kind is FaultKind.CLOSED
    assert made.ids == [None, b"one", b"one", b"one"]


async def test_a_key_that_is_refused_with_and_without_an_id_is_blamed_and_the_id_kept() -> None:
    async with server(OPEN + b"id:one\n\n", *[answer(401)] * 3, OPEN) as made:
        stream = made.stream
        await hold_once(stream)
        fault = await hold_once(stream)
        assert fault.kind is FaultKind.KEY_REFUSED
        assert fault.connections <= 5
        assert (await hold_once(stream)).kind is FaultKind.CLOSED
    assert made.ids == [None, b"one", b"one", None, b"one"]


@pytest.mark.parametrize(
    "begins", [b"id:long\ndata:", b"data:"], ids=["its id is known", "its id is not known: the second time"]
)
async def test_an_event_that_is_too_long_and_sent_again_each_time_does_not_block_the_stream(begins: bytes) -> None:
    long = begins + b"x" * 2000 + b"\n\n"

    def resumes(sent: bytes | None) -> bytes:
        return OPEN + (long + b"data:after\n\n" if sent == b"one" else b"data:after\n\n")

    notes = Notes()
    async with server(OPEN + b"id:one\ndata:A\n\n" + long, resumes) as made:
        stream = SseStream(name="main", url=made.stream.url, api_key="key", max_frame=1000)
        async with supervised(stream, notes):
            await notes.until(lambda notes: b"after" in notes.frames)
    assert notes.state.ends["too_long"] <= 2


@pytest.mark.parametrize("says_so", [True, False])
@pytest.mark.parametrize("ends", [True, False], ids=["ends at once", "ends when it is asked again"])
async def test_a_server_that_ends_the_connection_after_the_token_costs_no_try(says_so: bool, ends: bool) -> None:
    opened: list[bool] = []
    async with server(OPEN, token_says_close=says_so, ends=ends) as made:
        fault = await hold_once(made.stream, FakeListener(on_open=lambda: opened.append(True)))
    assert (opened, fault.kind) == ([True], FaultKind.CLOSED)
    assert made.connections == fault.connections == 2


async def test_a_port_where_nobody_listens_is_asked_once() -> None:
    async with server(OPEN) as made:
        stream = made.stream
        await hold_once(stream)
    fault = await hold_once(stream)  # with the token that it has
    assert (fault.kind, fault.is_reached, fault.connections) == (FaultKind.REFUSED, False, 1)


async def test_a_server_that_ends_every_connection_without_an_answer_sees_one_more_than_it_gave_a_token_on() -> None:
    async with server(b"") as made:
        stream = made.stream
        fault = await hold_once(stream)
        assert (fault.kind, fault.connections, made.connections) == (FaultKind.NETWORK, 2, 2)
        await hold_once(stream)
    assert made.connections == 3
