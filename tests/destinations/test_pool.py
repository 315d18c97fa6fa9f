"""Connections are used again, a broken one is replaced, and each exchange ends by its deadline; but not by a standstill of the process."""

import asyncio
import itertools
import socket
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest

from forwarder.core.delivery import SENT_TWICE, Answered, Fault, Outcome, Unanswered
from forwarder.core.destinations.transport import Transport
from forwarder.core.url import read_url
from forwarder.destinations import pool
from forwarder.destinations.dialer import Dialer
from forwarder.destinations.http_connection import HttpConnection
from forwarder.destinations.pool import KEEP_ALIVE_S, MAX_FINISHING, Pool
from forwarder.destinations.sender import HttpSender
from forwarder.emulator.receiver import Answer, Receiver
from tests.support.raw import REQUEST, sender_to, serving

TIMEOUT_S = 0.4


@pytest.fixture
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "LATE_S", 0.2)
    monkeypatch.setattr(pool, "_READING_S", 0.5)


@contextmanager
def answering(said: bytes, asked: threading.Event) -> Iterator[str]:
    """Answer one request from another thread."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        over = threading.Event()

        def serve() -> None:
            connected, _ = listening.accept()
            with connected:
                connected.recv(65536)
                asked.set()
                connected.sendall(said)
                over.wait()

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
        over.set()
        thread.join()


async def until_sent_then_stand_still(asked: threading.Event) -> None:
    await asyncio.to_thread(asked.wait)
    time.sleep(3 * TIMEOUT_S)  # noqa: ASYNC251 - the standstill


@pytest.mark.usefixtures("_short")
async def test_an_answer_that_came_while_the_process_stood_still_counts() -> None:
    asked = threading.Event()
    with answering(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", asked) as url:
        async with sender_to(url, timeout=TIMEOUT_S) as sender:
            outcome, _ = await asyncio.gather(sender.send(REQUEST), until_sent_then_stand_still(asked))
    assert outcome == Answered(status=200)


@pytest.mark.usefixtures("_short")
async def test_a_receiver_that_has_not_answered_by_then_is_late() -> None:
    asked = threading.Event()
    with answering(b"", asked) as url:
        async with sender_to(url, timeout=TIMEOUT_S) as sender:
            outcome, _ = await asyncio.gather(sender.send(REQUEST), until_sent_then_stand_still(asked))
    assert isinstance(outcome, Unanswered)
    assert outcome.fault is Fault.TIMEOUT


async def test_a_dns_change_is_followed_while_traffic_flows(monkeypatch: pytest.MonkeyPatch) -> None:
    look_up, address = socket.getaddrinfo, "127.0.0.1"

    def answer(host: str, port: int, **options: Any) -> Any:  # noqa: ANN401 - as getaddrinfo's
        if host != "moving.example":
            return look_up(host, port, **options)
        if options["flags"] == socket.AI_NUMERICHOST:
            raise socket.gaierror(socket.EAI_NONAME, "not numeric")
        return look_up(address, port, **options)

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    transport = Transport(max_connection_age=timedelta(seconds=0.2))
    async with Receiver() as old, Receiver("127.0.0.2", urlsplit(old.url).port or 0) as new:
        async with sender_to(old.url.replace("127.0.0.1", "moving.example"), transport=transport) as sender:

            async def post_until(receiver: Receiver) -> None:
                while not receiver.received:
                    assert await asyncio.gather(*[sender.send(REQUEST) for _ in range(4)]) == [OK_ANSWER] * 4

            await post_until(old)
            address = "127.0.0.2"
            await post_until(new)
            before = 0
            while before != old.received:  # until no connection to the old address is young enough
                before = old.received
                for _ in range(100):
                    assert await sender.send(REQUEST) == OK_ANSWER


async def test_a_young_connection_is_used_again_and_an_old_one_is_not() -> None:
    async with Receiver() as receiver:
        pool = Pool(Dialer(read_url(receiver.url, "http"), Transport(), timeout_s=5, clock=lambda: datetime.now(UTC)))
        loop = asyncio.get_running_loop()
        connection = await pool.connect(loop.time() + 5)
        pool.give_back(connection)
        assert pool.take_idle(loop.time() + 5) is connection
        pool.give_back(connection)
        connection.expires_at = loop.time()
        assert pool.take_idle(loop.time() + 5) is None
        other = await pool.connect(loop.time() + 5)
        other.expires_at = loop.time()
        pool.give_back(other)
        assert not other.is_usable
        pool.close()


OK_ANSWER = Answered(status=200)
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


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


async def test_a_receiver_that_closes_after_each_answer_without_saying_so_costs_no_failure() -> None:
    async with Receiver() as receiver, sender_to(receiver.url) as sender:
        receiver.respond = lambda _received: Answer(action="close_after")
        outcomes = [await sender.send(REQUEST) for _ in range(300)]
    assert {outcome.status for outcome in outcomes if isinstance(outcome, Answered)} == {200}


async def idle_connections(receiver: Receiver, sender: HttpSender, count: int = 8) -> None:
    """Have the sender keep so many idle connections; the receiver has then received as many requests."""
    receiver.respond = lambda _received: Answer(delay_s=0.3)  # until all are under way
    assert await asyncio.gather(*(sender.send(REQUEST) for _ in range(count))) == [Answered(status=200)] * count


@pytest.mark.parametrize("action", ["close", "reset"])
async def test_a_request_that_ends_an_idle_connection_is_sent_once_more_and_over_a_fresh_one(action: str) -> None:
    """Not over another idle one: a receiver that closes because of the request would get it once for each."""
    async with Receiver() as receiver, sender_to(receiver.url) as sender:
        await idle_connections(receiver, sender)
        receiver.respond = lambda _received: Answer(action=action)
        outcome = await sender.send(REQUEST)
        assert receiver.received == 8 + 2
    assert isinstance(outcome, Unanswered)
    assert outcome.fault is Fault.NETWORK
    assert outcome.note == SENT_TWICE
    assert outcome.reason.endswith(" (sent twice: the receiver closed an idle connection without an answer)")


async def test_a_request_that_is_sent_twice_says_so_also_when_it_arrives() -> None:
    async with Receiver() as receiver, sender_to(receiver.url) as sender:
        await idle_connections(receiver, sender)
        receiver.respond = lambda _received: Answer(action="close" if receiver.received == 9 else None)
        outcomes = [await sender.send(REQUEST) for _ in range(3)]
        assert receiver.received == 8 + 4
        assert len(sender._pool._idle) == 1
    # The other idle connections are as old as the one that was closed, so they are not used any more.
    assert outcomes == [Answered(status=200, note=SENT_TWICE), Answered(status=200), Answered(status=200)]


@pytest.mark.parametrize("said", [b"HTTP/1.1 2", b"HTTP/1.1 100 Continue\r\n\r\n"], ids=["a line", "100"])
async def test_a_request_whose_response_began_is_not_sent_again(said: bytes) -> None:
    requests = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal requests
        for answer in (OK, said):
            await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(len(REQUEST.body))
            requests += 1
            writer.write(answer)

    async with serving(serve) as port, sender_to(f"http://127.0.0.1:{port}/") as sender:
        assert await sender.send(REQUEST) == Answered(status=200)
        outcome = await sender.send(REQUEST)
    assert isinstance(outcome, Unanswered)
    assert (requests, outcome.note) == (2, "")


async def test_a_knock_reports_whether_somebody_listens_and_the_next_attempt_uses_its_connection() -> None:
    async with Receiver() as receiver, sender_to(receiver.url) as sender:
        await receiver.stop_listening()
        assert not await sender.knock()
        await receiver.start_listening()
        assert await sender.knock()
        assert receiver.received == 0
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


@asynccontextmanager
async def pool_to(url: str) -> AsyncIterator[Pool]:
    """Give a pool of connections to a receiver."""
    pool = Pool(Dialer(read_url(url, "http"), Transport(), timeout_s=5, clock=lambda: datetime.now(UTC)))
    try:
        yield pool
    finally:
        pool.close()


def soon(seconds: float = 60) -> float:
    """Return a deadline by the loop's clock."""
    return asyncio.get_running_loop().time() + seconds


async def test_the_connection_that_was_used_last_is_used_again_first() -> None:
    async with Receiver() as receiver, pool_to(receiver.url) as pool:
        one, two = await pool.connect(soon()), await pool.connect(soon())
        assert pool.take_idle(soon()) is None  # both are in use
        pool.give_back(one)
        pool.give_back(two)
        assert pool.take_idle(soon()) is two
        assert pool.take_idle(soon()) is one
        assert pool.take_idle(soon()) is None


async def test_a_connection_that_cannot_be_used_again_is_not_kept() -> None:
    async with Receiver() as receiver, pool_to(receiver.url) as pool:
        one, two, three = [await pool.connect(soon()) for _ in range(3)]
        one.abort()
        pool.give_back(one)
        assert pool.take_idle(soon()) is None
        pool.give_back(two)
        pool.give_back(three)
        three.abort()  # it ends while nobody uses it
        assert pool.take_idle(soon()) is two


async def test_all_idle_connections_are_dropped_where_one_was_dead() -> None:
    async with Receiver() as receiver, pool_to(receiver.url) as pool:
        one, two, three = [await pool.connect(soon()) for _ in range(3)]
        pool.give_back(one)
        pool.give_back(two)
        pool.drop_idle()
        assert pool.take_idle(soon()) is None
        assert (one.is_usable, two.is_usable, three.is_usable) == (False, False, True)


async def test_a_connection_that_is_idle_for_long_is_closed() -> None:
    async with Receiver() as receiver, pool_to(receiver.url) as pool:
        old, young = await pool.connect(soon()), await pool.connect(soon())
        pool.give_back(old)
        pool.give_back(young)
        assert pool._sweeping is not None
        old.idle_since -= KEEP_ALIVE_S
        pool._sweep()
        assert (old.is_usable, young.is_usable) == (False, True)
        young.idle_since -= KEEP_ALIVE_S
        pool._sweep()
        assert not young.is_usable
        assert pool._sweeping is None  # until there is one again


async def test_an_exchange_ends_at_its_own_deadline_whatever_that_of_others() -> None:
    async with Receiver() as receiver, pool_to(receiver.url) as pool:
        receiver.respond = lambda _received: Answer(action="hang")
        head = b"POST /hook HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"
        late, early = await pool.connect(soon(600)), await pool.connect(soon(0.05))
        waiting = asyncio.ensure_future(late.exchange(head, b""))
        with pytest.raises(TimeoutError):
            await early.exchange(head, b"")
        assert not waiting.done()
        pool.give_back(early)
        waiting.cancel()
        await asyncio.wait([waiting])


HEAD = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"


@asynccontextmanager
async def pool_of_slow_bodies() -> AsyncIterator[tuple[Pool, asyncio.Event]]:
    """Give a pool of connections to a receiver that sends the bodies of its responses when the event is set."""
    may_end = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
            await may_end.wait()
            writer.write(b"ok")

    async with serving(serve) as port, pool_to(f"http://127.0.0.1:{port}/") as pool, asyncio.timeout(60):
        yield pool, may_end


async def exchange(pool: Pool, deadline: float) -> HttpConnection:
    """Make an exchange over a fresh connection, and give it back."""
    connection = await pool.connect(deadline)
    assert (await connection.exchange(HEAD, b"")).is_success
    pool.give_back(connection)
    return connection


async def until(holds: Callable[[], bool]) -> None:
    """Return once it holds, asked in each turn of the loop."""
    while not holds():  # noqa: ASYNC110 - a connection does not report when it has read its response
        await asyncio.sleep(0)


async def test_a_connection_that_still_reads_a_response_is_handed_out_when_it_has_read_it() -> None:
    async with pool_of_slow_bodies() as (pool, may_end):
        connection = await exchange(pool, soon())
        assert pool.take_idle(soon()) is None
        may_end.set()
        await until(lambda: connection.is_usable)
        assert pool.take_idle(soon()) is connection
        assert pool.take_idle(soon()) is None
        assert (await connection.exchange(HEAD, b"")).is_success


async def test_the_rest_of_a_response_is_read_until_the_deadline_of_its_exchange() -> None:
    async with pool_of_slow_bodies() as (pool, may_end):
        early, late = await exchange(pool, soon(0.05)), await exchange(pool, soon())
        await until(lambda: not early.has_rest)
        assert not early.is_usable
        assert late.has_rest
        may_end.set()
        await until(lambda: late.is_usable)
        assert pool.take_idle(soon()) is late
        assert pool.take_idle(soon()) is None


async def test_a_connection_that_has_read_its_response_outlives_the_deadline_of_its_exchange() -> None:
    async with pool_of_slow_bodies() as (pool, may_end):
        connection = await exchange(pool, soon(0.2))
        may_end.set()
        await until(lambda: connection.is_usable)
        await until(lambda: pool._timing is None)
        assert pool.take_idle(soon()) is connection


async def test_only_so_many_connections_still_read_a_response_and_the_oldest_goes_first() -> None:
    async with pool_of_slow_bodies() as (pool, _):
        connections = [await exchange(pool, soon()) for _ in range(MAX_FINISHING + 2)]
        assert [connection.has_rest for connection in connections] == [False] * 2 + [True] * MAX_FINISHING


async def test_at_the_end_a_connection_that_still_reads_a_response_is_closed() -> None:
    async with pool_of_slow_bodies() as (pool, _):
        connection = await exchange(pool, soon())
        pool.close()
        assert not connection.has_rest
        assert pool.take_idle(soon()) is None


async def test_at_the_end_every_connection_is_closed() -> None:
    async with Receiver() as receiver:
        async with pool_to(receiver.url) as pool:
            idle, in_use = await pool.connect(soon()), await pool.connect(soon())
            pool.give_back(idle)
        assert (idle.is_usable, in_use.is_usable) == (False, False)
        assert pool.take_idle(soon()) is None
