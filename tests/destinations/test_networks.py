"""Where it may not go: not one connection is made, whatever the spelling of the address and whatever a name server says."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from forwarder.core.delivery import Answered, Fault, Unanswered
from forwarder.core.networks import Networks, read_networks
from forwarder.core.transport import Transport
from forwarder.emulator.receiver import Receiver
from tests.support.raw import REQUEST, sender_to

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
