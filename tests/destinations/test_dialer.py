"""How a receiver is dialled: address by address, and never one that is denied, whatever the URL or a name server says."""

import asyncio
import errno
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import trustme

from forwarder.core.delivery import Answered, Fault, Unanswered
from forwarder.core.destinations.networks import Networks, read_networks
from forwarder.core.destinations.transport import STRAIGHT, Proxy, Tls, Transport
from forwarder.core.url import read_url
from forwarder.destinations.dialer import Dialer, authorization
from forwarder.destinations.failures import NotConnectedError
from forwarder.emulator.receiver import Receiver
from tests.support.raw import REQUEST, raw_server, says, sender_to, serving

PRIVATE = Transport(networks=Networks(deny=(read_networks("private"),)))
BUT_ONE = Transport(networks=Networks(deny=(read_networks("private"),), allow=(read_networks("127.0.0.1"),)))


@asynccontextmanager
async def listener() -> AsyncIterator[tuple[int, list[object]]]:
    """Count who connects, over IPv4 and IPv6, to any address of this machine."""
    came: list[object] = []

    def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.append(writer.get_extra_info("peername"))
        writer.close()

    server = await asyncio.start_server(serve, "0.0.0.0", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], came


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "localhost", "127.1", "0x7f.1", "0x7f000001", "2130706433", "0177.0.0.1", "017700000001", "0"),
        *("127.0.0.1.", "①②⑦.0.0.1", "127。0。0。1", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]"),
        *(
            "[0:0:0:0:0:ffff:127.0.0.1]",
            "[::127.0.0.1]",
            "[64:ff9b::7f00:1]",
            "[2002:7f00:1::]",
            "LOCALHOST",
            "0.0.0.0",
        ),
    ],
)
async def test_no_spelling_of_a_denied_address_leads_there(host: str) -> None:
    async with listener() as (port, came):
        async with sender_to(f"http://user:canary@{host}:{port}/canary", transport=PRIVATE) as sender:
            outcome = await sender.send(REQUEST)
    assert isinstance(outcome, Unanswered)
    assert outcome.fault in {Fault.BLOCKED, Fault.DNS}  # some are names that no system knows
    assert "canary" not in outcome.detail
    assert came == []


async def test_they_do_lead_there_where_nothing_is_denied() -> None:
    """Else the test above would show nothing."""
    for host in ("127.0.0.1", "localhost", "0x7f.1", "2130706433", "0177.0.0.1", "[::ffff:127.0.0.1]", "0.0.0.0"):
        async with listener() as (port, came):
            async with sender_to(f"http://{host}:{port}/") as sender:
                await sender.send(REQUEST)
            assert came, host


@pytest.mark.parametrize(
    "host",
    [
        *("169.254.169.254", "0xa9.254.169.254", "2852039166", "0251.0376.0251.0376", "[::ffff:169.254.169.254]"),
        *("[64:ff9b::a9fe:a9fe]", "[2002:a9fe:a9fe::]", "[fd00:ec2::254]", "100.100.100.200", "192.0.0.192"),
        *("168.63.129.16", "[fe80::1]", "169.254.170.2"),
    ],
)
async def test_nothing_connects_to_a_metadata_address(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    dialled = []

    async def dial(_sock: socket.socket, address: object) -> None:
        dialled.append(address)

    monkeypatch.setattr(asyncio.get_running_loop(), "sock_connect", dial, raising=False)
    allowing = Transport(networks=Networks(allow=(read_networks("0.0.0.0/0"), read_networks("::/0"))))
    async with sender_to(f"http://{host}/latest/meta-data/", transport=allowing) as sender:
        outcome = await sender.send(REQUEST)
    assert isinstance(outcome, Unanswered)
    assert outcome.fault is Fault.BLOCKED
    assert outcome.detail.endswith("forwarder never connects there")
    assert dialled == []


async def test_a_name_server_that_lies_by_turns_leads_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """DNS rebinding: the name is a public address whenever it is looked up before, and a denied one when it is dialled."""
    look_up, asked = socket.getaddrinfo, []

    def lie(host: str, port: int, **options: Any) -> Any:  # noqa: ANN401 - as getaddrinfo's
        if host != "rebind.example":
            return look_up(host, port, **options)
        if options["flags"] == socket.AI_NUMERICHOST:
            raise socket.gaierror(socket.EAI_NONAME, "not numeric")
        asked.append(host)
        return look_up("127.0.0.2" if len(asked) % 2 else "127.0.0.1", port, **options)

    monkeypatch.setattr(socket, "getaddrinfo", lie)
    networks = Networks(deny=(read_networks("127.0.0.1"),))
    async with listener() as (port, came):
        seen = []
        for _ in range(10):
            async with sender_to(f"http://rebind.example:{port}/", transport=Transport(networks=networks)) as sender:
                outcome = await sender.send(REQUEST)
                assert isinstance(outcome, Unanswered)
                seen.append(outcome)
        # each look-up was judged and dialled as it was: no second one came between
        assert len(asked) == 10
        assert seen.count(Unanswered(fault=Fault.BLOCKED, detail="127.0.0.1 is in networks.deny")) == 5
        assert len(came) == 5


async def test_of_several_addresses_the_denied_ones_are_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    look_up = socket.getaddrinfo

    def several(host: str, port: int, **options: Any) -> Any:  # noqa: ANN401 - as getaddrinfo's
        if host != "several.example":
            return look_up(host, port, **options)
        if options["flags"] == socket.AI_NUMERICHOST:
            raise socket.gaierror(socket.EAI_NONAME, "not numeric")
        return [
            entry for address in ("127.0.0.2", "127.0.0.3", "127.0.0.1") for entry in look_up(address, port, **options)
        ]

    monkeypatch.setattr(socket, "getaddrinfo", several)
    async with Receiver() as receiver:
        url = receiver.url.replace("127.0.0.1", "several.example")
        async with sender_to(url, transport=BUT_ONE) as sender:
            assert await sender.send(REQUEST) == Answered(status=200)
        async with sender_to(url, transport=PRIVATE) as sender:
            assert await sender.send(REQUEST) == Unanswered(
                fault=Fault.BLOCKED, detail="127.0.0.2 is in networks.deny (private)"
            )


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


def resolve(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """Have `several.example` resolve to these addresses, in this order."""
    look_up = socket.getaddrinfo

    def answer(host: str, port: int, **options: Any) -> Any:  # noqa: ANN401 - as getaddrinfo's
        if host != "several.example":
            return look_up(host, port, **options)
        if options["flags"] == socket.AI_NUMERICHOST:
            raise socket.gaierror(socket.EAI_NONAME, "not numeric")
        return [entry for address in addresses for entry in look_up(address, port, **options)]

    monkeypatch.setattr(socket, "getaddrinfo", answer)


@asynccontextmanager
async def silent(address: str, port: int, *, closes: bool = False) -> AsyncIterator[list[bytes]]:
    """Accept connections at an address and carry nothing; give what came over each."""
    came: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        came.append(await reader.read(1))
        if not closes:
            await reader.read()

    try:
        async with serving(serve, address=address, port=port):
            yield came
    except OSError as error:
        if error.errno == errno.EADDRNOTAVAIL:
            pytest.skip("this machine has no such address")
        raise


@pytest.mark.parametrize("closes", [False, True])
@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("first", ["127.0.0.9", "::1"])
async def test_after_an_address_that_connects_and_carries_nothing_the_others_come_first(
    monkeypatch: pytest.MonkeyPatch, scheme: str, first: str, closes: bool
) -> None:
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("several.example").configure_cert(context)
    transport = Transport(tls=Tls(ca=authority.cert_pem.bytes().decode()))
    resolve(monkeypatch, first, "127.0.0.1")
    answering = says(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    async with (
        raw_server(answering, tls=context if scheme == "https" else None) as url,
        silent(first, port := int(url.rpartition(":")[2].strip("/")), closes=closes) as came,
        sender_to(f"{scheme}://several.example:{port}/", timeout=1, transport=transport) as sender,
    ):
        assert isinstance(await sender.send(REQUEST), Unanswered)
        assert [await sender.send(REQUEST) for _ in range(12)] == [Answered(status=200)] * 12
        assert len([each for each in came if each]) == 1  # a connection that comes second and carries nothing is none


async def test_addresses_that_all_carry_nothing_are_tried_by_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    resolve(monkeypatch, "127.0.0.8", "127.0.0.9")
    async with Receiver() as free:
        port = int(free.url.rpartition(":")[2].partition("/")[0])
    async with (
        silent("127.0.0.8", port) as one,
        silent("127.0.0.9", port) as two,
        sender_to(f"http://several.example:{port}/", timeout=0.2) as sender,
    ):
        for count in (1, 2, 3):
            assert isinstance(await sender.send(REQUEST), Unanswered)
            assert isinstance(await sender.send(REQUEST), Unanswered)
            assert (len(one), len(two)) == (count, count)


async def test_an_address_that_connected_later_than_another_one_comes_last(monkeypatch: pytest.MonkeyPatch) -> None:
    connect, dialled = asyncio.get_running_loop().sock_connect, []

    async def swallow(sock: socket.socket, address: tuple[str, int]) -> None:
        dialled.append(address[0])
        if address[0] == "127.0.0.9":
            await asyncio.get_running_loop().create_future()
        await connect(sock, address)

    resolve(monkeypatch, "127.0.0.9", "127.0.0.1")
    monkeypatch.setattr(asyncio.get_running_loop(), "sock_connect", swallow, raising=False)
    async with Receiver() as receiver:
        url = receiver.url.replace("127.0.0.1", "several.example")
        async with sender_to(url) as sender:
            assert await sender.send(REQUEST) == Answered(status=200)
            await sender.knock()
    assert dialled == ["127.0.0.9", "127.0.0.1", "127.0.0.1"]


async def test_an_address_that_did_not_connect_in_time_is_not_waited_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async def swallow(_sock: socket.socket, address: tuple[str, int]) -> None:
        dialled.append(address[0])
        await asyncio.get_running_loop().create_future()

    dialled: list[str] = []
    resolve(monkeypatch, "127.0.0.9", "127.0.0.1")
    monkeypatch.setattr(asyncio.get_running_loop(), "sock_connect", swallow, raising=False)
    monkeypatch.setattr("forwarder.destinations.dialer._NEXT_ADDRESS_S", 60.0)
    dialer = dialer_to("http://several.example:9/")
    for _ in range(2):
        with pytest.raises(NotConnectedError):
            await dialer.connect(soon(0.1))
    assert dialled == ["127.0.0.9", "127.0.0.1"]


async def test_connections_that_are_made_together_do_not_end_together() -> None:
    async with Receiver() as receiver:
        began_at = soon(0)
        dialer = dialer_to(receiver.url, Transport(max_connection_age=timedelta(seconds=100)))
        connections = [await dialer.connect(soon()) for _ in range(8)]
        ends = {connection.expires_at for connection in connections}
        for connection in connections:
            connection.abort()
    assert len(ends) == 8
    assert began_at + 75 <= min(ends)
    assert max(ends) <= soon(100)


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


def dialer_to(url: str, transport: Transport = STRAIGHT) -> Dialer:
    return Dialer(read_url(url, "http", "https"), transport, timeout_s=5, clock=lambda: datetime.now(UTC))


def soon(seconds: float = 5) -> float:
    """Return a deadline by the loop's clock."""
    return asyncio.get_running_loop().time() + seconds


async def test_a_connection_is_open_when_it_is_returned() -> None:
    async with Receiver() as receiver:
        connection = await dialer_to(receiver.url).connect(soon())
        was_usable = connection.is_usable
        connection.abort()
        assert (was_usable, connection.is_usable) == (True, False)
        assert receiver.received == 0


async def test_where_nobody_listens_the_outcome_says_so() -> None:
    async with listener() as (port, _):
        pass
    with pytest.raises(NotConnectedError) as failed:
        await dialer_to(f"http://127.0.0.1:{port}/").connect(soon())
    assert failed.value.outcome == Unanswered(fault=Fault.REFUSED, detail="connection refused: nothing listens there")


async def test_a_test_whether_somebody_listens_does_not_have_the_name_looked_up_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with listener() as (port, _):
        pass
    dialer = dialer_to(f"http://localhost:{port}/")
    forgotten: list[bool] = []
    monkeypatch.setattr(dialer._resolver, "forget", lambda: forgotten.append(True))
    with pytest.raises(NotConnectedError):
        await dialer.connect(soon(), is_knock=True)
    assert forgotten == []
    with pytest.raises(NotConnectedError):
        await dialer.connect(soon())
    assert forgotten == [True]


async def test_a_deadline_that_passes_while_connecting_is_a_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    async def hang(_sock: socket.socket, _address: object) -> None:
        await asyncio.get_running_loop().create_future()

    monkeypatch.setattr(asyncio.get_running_loop(), "sock_connect", hang, raising=False)
    with pytest.raises(NotConnectedError) as failed:
        await dialer_to("http://127.0.0.1:9/").connect(soon(0.05))
    assert failed.value.outcome == Unanswered(fault=Fault.TIMEOUT, detail="no connection within 5 s")


async def test_a_connection_through_a_tunnel_begins_behind_the_proxys_answer() -> None:
    heads: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 403 No\r\n\r\n")
        await writer.drain()

    async with serving(serve) as port:
        proxy = Proxy(host="127.0.0.1", port=port, authorization="Basic eDp5")
        with pytest.raises(NotConnectedError) as failed:
            await dialer_to("https://[2001:db8::1]:444/", Transport(proxy=proxy)).connect(soon())
    assert heads == [
        b"CONNECT [2001:db8::1]:444 HTTP/1.1\r\nHost: [2001:db8::1]:444\r\nProxy-Authorization: Basic eDp5\r\n\r\n"
    ]
    assert failed.value.outcome == Unanswered(
        fault=Fault.PROXY, detail="the proxy refuses the connection: HTTP 403", is_local_fault=True
    )


def test_a_proxy_gets_credentials_only_where_it_has_some() -> None:
    assert authorization(Proxy(host="a", port=1)) == ""
    assert authorization(Proxy(host="a", port=1, authorization="Basic eDp5")) == "Proxy-Authorization: Basic eDp5\r\n"
