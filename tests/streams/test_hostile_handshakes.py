"""Servers that do not answer the upgrade with 101, or never to its end."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from time import monotonic

import pytest

from forwarder.core.streams.reconnect_policy import WaitKind
from forwarder.streams.faults import FaultKind
from forwarder.streams.websocket import WebSocketStream
from tests.support.frames import Behave, Peer, peers
from tests.support.streams import hold_once

NOTHING, HALF_A_MINUTE = timedelta(), timedelta(seconds=30)


def stream_to(url: str) -> WebSocketStream:
    return WebSocketStream(name="main", url=url, api_key="key")


def answers(status: int, *headers: str, body: bytes = b"") -> Behave:
    """Answer, and leave the end to the client."""
    lines = "".join(f"{line}\r\n" for line in (f"HTTP/1.1 {status} Any", *headers, f"Content-Length: {len(body)}"))

    async def behave(peer: Peer) -> None:
        await peer.say(lines.encode() + b"\r\n" + body)
        await peer.until_gone()

    return behave


@pytest.mark.parametrize(
    ("status", "headers", "kind", "pace", "at_least"),
    [
        (401, [], FaultKind.KEY_REFUSED, WaitKind.REFUSED, NOTHING),
        (403, [], FaultKind.KEY_REFUSED, WaitKind.REFUSED, NOTHING),
        (403, ["Retry-After: 5"], FaultKind.KEY_REFUSED, WaitKind.REFUSED, NOTHING),
        (429, [], FaultKind.BUSY, WaitKind.SERVER, HALF_A_MINUTE),
        (429, ["Retry-After: 90"], FaultKind.BUSY, WaitKind.SERVER, timedelta(seconds=90)),
        (429, ["Retry-After: soon"], FaultKind.BUSY, WaitKind.SERVER, HALF_A_MINUTE),
        (429, ["Retry-After: -5"], FaultKind.BUSY, WaitKind.SERVER, HALF_A_MINUTE),
        (500, [], FaultKind.BUSY, WaitKind.SERVER, HALF_A_MINUTE),
        (502, [], FaultKind.BUSY, WaitKind.SERVER, HALF_A_MINUTE),
        (503, ["Retry-After: 1"], FaultKind.BUSY, WaitKind.SERVER, HALF_A_MINUTE),
        (504, [], FaultKind.BUSY, WaitKind.SERVER, HALF_A_MINUTE),
        (999, [], FaultKind.BUSY, WaitKind.SERVER, HALF_A_MINUTE),
        (101, [], FaultKind.NO_UPGRADE, WaitKind.SERVER, HALF_A_MINUTE),
        (101, ["Upgrade: websocket", "Connection: Upgrade"], FaultKind.NO_UPGRADE, WaitKind.SERVER, HALF_A_MINUTE),
        (200, [], FaultKind.NO_UPGRADE, WaitKind.SERVER, HALF_A_MINUTE),
        (204, [], FaultKind.NO_UPGRADE, WaitKind.SERVER, HALF_A_MINUTE),
        (304, [], FaultKind.NO_UPGRADE, WaitKind.SERVER, HALF_A_MINUTE),
        (400, [], FaultKind.NO_UPGRADE, WaitKind.SERVER, HALF_A_MINUTE),
        (410, [], FaultKind.NO_UPGRADE, WaitKind.SERVER, HALF_A_MINUTE),
        (426, [], FaultKind.NO_UPGRADE, WaitKind.SERVER, HALF_A_MINUTE),
    ],
)
async def test_each_answer_has_its_kind_and_its_pace(
    status: int, headers: list[str], kind: FaultKind, pace: WaitKind, at_least: timedelta
) -> None:
    async with peers(answers(status, *headers)) as url:
        fault = await hold_once(stream_to(url))
    assert (fault.kind, fault.wait_kind, fault.minimum_wait) == (kind, pace, at_least)
    assert fault.is_reached


@pytest.mark.parametrize("status", [429, 500, 503])
@pytest.mark.parametrize("retry_after", ["86400", "99999999999", "Fri, 31 Dec 2099 23:59:59 GMT"])
async def test_a_retry_after_of_hours_is_followed_for_five_minutes(status: int, retry_after: str) -> None:
    async with peers(answers(status, f"Retry-After: {retry_after}")) as url:
        fault = await hold_once(stream_to(url))
    assert (fault.kind, fault.minimum_wait) == (FaultKind.BUSY, timedelta(minutes=5))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("is_elsewhere", [True, False])
async def test_a_redirect_is_not_followed_wherever_it_points(status: int, is_elsewhere: bool) -> None:
    asked: list[bytes] = []

    def noting(then: Callable[[], Behave]) -> Behave:
        async def behave(peer: Peer) -> None:
            asked.append(peer.request)
            await then()(peer)

        return behave

    async with peers(noting(lambda: answers(101))) as other:
        target = other.replace("ws://", "http://") if is_elsewhere else "/elsewhere"
        async with peers(noting(lambda: answers(status, f"Location: {target}"))) as url:
            fault = await hold_once(stream_to(url))
    assert (fault.kind, fault.minimum_wait) == (FaultKind.REDIRECTED, HALF_A_MINUTE)
    assert len(asked) == 1


async def drip(peer: Peer) -> None:
    await peer.say(b"HTTP/1.1 101 Any\r\nx-a: ")
    while True:
        await peer.say(b"a")
        await asyncio.sleep(0.02)


async def informs(peer: Peer) -> None:
    while True:
        await peer.say(b"HTTP/1.1 103 Early Hints\r\n\r\n")
        await asyncio.sleep(0.02)


def begins(start: bytes) -> Behave:
    async def behave(peer: Peer) -> None:
        await peer.say(start)
        await peer.until_gone()

    return behave


@pytest.mark.parametrize(
    "behave", [begins(b""), begins(b"HTTP/1.1 101 Swi"), drip, informs], ids=["nothing", "half", "drip", "103 forever"]
)
async def test_a_handshake_that_hangs_is_given_up(behave: Behave) -> None:
    async with peers(behave) as url:
        began = monotonic()
        fault = await hold_once(replace(stream_to(url), handshake_within=timedelta(milliseconds=400)))
    assert (fault.kind, fault.wait_kind) == (FaultKind.TIMEOUT, WaitKind.SERVER)
    assert 0.3 < monotonic() - began < 5


def test_it_is_given_up_after_15_seconds_at_most() -> None:
    assert stream_to("ws://localhost/ws").handshake_within <= timedelta(seconds=15)


def without_end(start: bytes, more: bytes) -> Behave:
    async def behave(peer: Peer) -> None:
        await peer.say(start)
        while True:
            await peer.say(more)

    return behave


@pytest.mark.parametrize(
    "behave",
    [
        pytest.param(begins(b"SSH-2.0-OpenSSH_9.2\r\n"), id="another protocol"),
        pytest.param(without_end(b"HTTP/1.1 101 Any\r\n", b"x-a: " + b"b" * 1000 + b"\r\n"), id="headers without end"),
        pytest.param(without_end(b"HTTP/1.1 101 Any\r\nx-a: ", b"b" * 1000), id="a header without end"),
    ],
)
async def test_what_is_no_answer_ends_the_try(behave: Behave) -> None:
    async with peers(behave) as url:
        fault = await hold_once(stream_to(url))
    assert (fault.kind, fault.wait_kind) == (FaultKind.NETWORK, WaitKind.SERVER)


@pytest.mark.parametrize(
    ("status", "kind"),
    [(200, FaultKind.NO_UPGRADE), (302, FaultKind.REDIRECTED), (401, FaultKind.KEY_REFUSED), (503, FaultKind.BUSY)],
)
async def test_a_body_without_end_is_not_read_to_its_end(status: int, kind: FaultKind) -> None:
    async with peers(without_end(b"HTTP/1.1 %d Any\r\nLocation: /x\r\n\r\n" % status, b"b" * 10_000)) as url:
        fault = await hold_once(stream_to(url))
    assert fault.kind is kind


async def test_a_name_without_an_address_was_not_reached() -> None:
    fault = await hold_once(stream_to("ws://no-such-host.invalid/ws"))
    assert (fault.kind, fault.wait_kind, fault.is_reached) == (FaultKind.DNS, WaitKind.PATH, False)


async def test_a_port_where_nobody_listens_was_not_reached() -> None:
    async with peers(begins(b"")) as url:
        pass
    fault = await hold_once(stream_to(url))
    assert (fault.kind, fault.wait_kind, fault.is_reached) == (FaultKind.REFUSED, WaitKind.PATH, False)
