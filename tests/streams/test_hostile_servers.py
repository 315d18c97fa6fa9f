"""One connection to servers that open it and then send what no honest server sends."""

import asyncio
import base64
from dataclasses import replace
from datetime import timedelta
from time import monotonic

import pytest

from forwarder.core.streams.reconnect_policy import WaitKind
from forwarder.streams.faults import FaultKind
from forwarder.streams.websocket import WebSocketStream
from tests.support.frames import Behave, Opcode, Peer, bomb, close, frame, peers
from tests.support.streams import FakeListener, hold_once

SHORT = timedelta(milliseconds=500)
KEY = "key-7f3a"


def stream_to(url: str) -> WebSocketStream:
    return WebSocketStream(name="main", url=url, api_key=KEY, dead_after=timedelta(seconds=5))


def says(*pieces: bytes, extra: bytes = b"") -> Behave:
    """Open the connection, say these bytes, and leave the rest to the client."""

    async def behave(peer: Peer) -> None:
        await peer.open(extra=extra)
        for piece in pieces:
            await peer.say(piece)
        await peer.until_gone()

    return behave


async def keeps_on(peer: Peer, piece: bytes) -> None:
    while True:
        await peer.say(piece)
        await asyncio.sleep(0)


async def test_one_that_opens_and_is_silent_is_given_up() -> None:
    async with peers(says()) as url:
        began = monotonic()
        fault = await hold_once(replace(stream_to(url), dead_after=SHORT))
    assert fault.kind is FaultKind.SILENT
    assert 0.4 < monotonic() - began < 5


async def test_one_that_answers_no_ping_is_kept_while_data_flows() -> None:
    async def behave(peer: Peer) -> None:
        await peer.open()
        for number in range(20):  # three times as long as a silence may last, with a ping after each
            await peer.say(frame(b"%d" % number))
            await asyncio.sleep(0.05)
        await peer.say(close(1000))
        await peer.until_gone()

    hearer = FakeListener()
    async with peers(behave) as url:
        stream = replace(stream_to(url), dead_after=timedelta(seconds=0.35), ping_every=timedelta(seconds=0.05))
        fault = await hold_once(stream, hearer)
    assert (fault.kind, hearer.heard_times) == (FaultKind.CLOSED, 20)


@pytest.mark.parametrize(
    "piece",
    [
        pytest.param(frame(b"", declared=1 << 40), id="declared 2^40"),
        pytest.param(frame(b"", declared=(1 << 64) - 1), id="declared 2^64 - 1"),
        pytest.param(frame(b"x" * 100_001), id="sent"),
        pytest.param(frame(b"x" * 60_000, is_last=False) + frame(b"x" * 60_000, Opcode.CONTINUATION), id="in two"),
    ],
)
async def test_a_message_over_max_frame_ends_the_connection_and_the_next_is_made_at_once(piece: bytes) -> None:
    async with peers(says(piece)) as url:
        fault = await hold_once(replace(stream_to(url), max_frame=100_000))
    assert (fault.kind, fault.wait_kind) == (FaultKind.TOO_LONG, WaitKind.AT_ONCE)
    assert "max_frame (100,000 bytes)" in fault.sentence


async def test_fragments_without_end_are_as_long_as_a_frame_may_be() -> None:
    async def behave(peer: Peer) -> None:
        await peer.open()
        await peer.say(frame(b"x", is_last=False))
        await keeps_on(peer, frame(b"x" * 1000, Opcode.CONTINUATION, is_last=False))

    async with peers(behave) as url:
        fault = await hold_once(replace(stream_to(url), max_frame=100_000))
    assert fault.kind is FaultKind.TOO_LONG


async def test_empty_fragments_without_end_are_silence() -> None:
    async def behave(peer: Peer) -> None:
        await peer.open()
        await peer.say(frame(b"x", is_last=False))
        await keeps_on(peer, frame(b"", Opcode.CONTINUATION, is_last=False) * 20)

    async with peers(behave) as url:
        fault = await hold_once(replace(stream_to(url), dead_after=SHORT))
    assert fault.kind is FaultKind.SILENT


@pytest.mark.parametrize(
    "behave",
    [
        pytest.param(
            says(frame(bomb(), reserved=4), extra=b"Sec-WebSocket-Extensions: permessage-deflate\r\n"), id="bomb"
        ),
        pytest.param(says(frame(b"x", reserved=4)), id="RSV1"),
        pytest.param(says(frame(b"x", reserved=2)), id="RSV2"),
        pytest.param(says(frame(b"x", reserved=1)), id="RSV3"),
        pytest.param(says(b"\x83\x00"), id="unknown opcode"),
        pytest.param(says(b"\x09\x00"), id="ping in fragments"),
        pytest.param(says(b"\x89\x7e\x00\x7e" + b"x" * 126), id="ping too long"),
        pytest.param(says(frame(b"x", Opcode.CONTINUATION)), id="continues nothing"),
        pytest.param(says(frame(b"x", is_last=False), frame(b"y")), id="begins in the middle"),
        pytest.param(says(frame(b"x", Opcode.CLOSE)), id="close of one byte"),
        pytest.param(says(close(1001, b"a" * 124)), id="close too long"),
        pytest.param(says(close(1001, b"\xff")), id="close that is not UTF-8"),
        pytest.param(says(b"HTTP/1.1 400 Bad Request\r\n\r\n"), id="another protocol"),
    ],
)
async def test_what_breaks_the_rules_ends_the_connection_without_harm(behave: Behave) -> None:
    async with peers(behave) as url:
        fault = await hold_once(stream_to(url))
    assert (fault.kind, fault.wait_kind) == (FaultKind.INVALID, WaitKind.SERVER)


async def test_text_that_is_not_utf_8_costs_no_connection() -> None:
    frames: list[bytes] = []

    async def take(taken: bytes) -> None:
        frames.append(taken)

    async with peers(says(frame(b"\xff\xfe"), frame(b"\xc3\xa9"), close(1000))) as url:
        fault = await hold_once(stream_to(url), FakeListener(take=take))
    assert frames == [b"\xff\xfe", b"\xc3\xa9"]  # whether it is an event is seen further on
    assert fault.kind is FaultKind.CLOSED


@pytest.mark.parametrize(
    "code", [1000, 1001, 1002, 1003, 1007, 1009, *range(1010, 1015), 3000, 3999, 4000, 4008, 4999, 5000]
)
async def test_a_close_code_that_says_nothing_of_the_key_is_reported_with_its_reason(code: int) -> None:
    async with peers(says(frame(b"x"), close(code, b"going"))) as url:
        fault = await hold_once(stream_to(url))
    assert (fault.kind, fault.wait_kind, fault.minimum_wait) == (FaultKind.CLOSED, WaitKind.SERVER, timedelta())
    assert fault.sentence == f"the connection ended with close code {code} (going)"


@pytest.mark.parametrize("code", [0, 1, 999, 1004, 1005, 1015, 1016, 2999])
async def test_a_close_code_that_nobody_may_send_is_a_broken_rule(code: int) -> None:
    async with peers(says(frame(b"x"), close(code))) as url:
        fault = await hold_once(stream_to(url))
    assert fault.kind is FaultKind.INVALID


@pytest.mark.parametrize("pieces", [(close(None),), (close(1006),), ()], ids=["no code", "1006", "no close frame"])
async def test_an_end_without_a_code_is_reported_as_such(pieces: tuple[bytes, ...]) -> None:
    async def behave(peer: Peer) -> None:
        await peer.open()
        await peer.say(b"".join((frame(b"x"), *pieces)))

    async with peers(behave) as url:
        fault = await hold_once(stream_to(url))
    assert (fault.kind, fault.sentence) == (FaultKind.CLOSED, "the connection ended without a close code")


@pytest.mark.parametrize(
    ("code", "reason", "kind"),
    [
        (1008, b"", FaultKind.CLOSED),
        (4001, b"", FaultKind.CLOSED),
        (4401, b"", FaultKind.CLOSED),
        (4403, b"", FaultKind.CLOSED),
        (4409, b"", FaultKind.REPLACED),
        (1000, b"Replaced by a new connection", FaultKind.REPLACED),
        (1001, b"too many connections for this key", FaultKind.REPLACED),
        (1001, b"too many connections", FaultKind.RATE_LIMITED),
        (1013, b"too many connections on this node, please reconnect", FaultKind.CLOSED),
        (1012, b"stream replaced by new deployment", FaultKind.CLOSED),
        (1012, b"service restart", FaultKind.CLOSED),
        (1001, b"connection time limit reached", FaultKind.CLOSED),
        (1008, b"Rate limited.", FaultKind.RATE_LIMITED),
    ],
)
async def test_only_words_of_another_connection_or_4409_mean_that_one_that_worked_was_replaced(
    code: int, reason: bytes, kind: FaultKind
) -> None:
    async with peers(says(frame(b"x"), close(code, reason))) as url:
        fault = await hold_once(stream_to(url))
    assert fault.kind is kind


@pytest.mark.parametrize(
    "written", [KEY.upper(), base64.b64encode(KEY.encode()).decode(), "".join(f"%{ord(mark):x}" for mark in KEY)]
)
async def test_the_key_in_the_reason_of_a_close_is_hidden_in_whatever_way_it_is_written(written: str) -> None:
    async with peers(says(frame(b"x"), close(1001, f"no {written}".encode()))) as url:
        fault = await hold_once(stream_to(url))
    assert fault.sentence == "the connection ended with close code 1001 (no ***)"


async def test_the_reason_of_a_close_is_one_short_line_without_the_key() -> None:
    reason = f"no {KEY}\n\x1b[31m\u202ered".encode()
    async with peers(says(frame(b"x"), close(1001, reason))) as url:
        fault = await hold_once(stream_to(url))
    assert KEY not in str(fault)
    assert fault.sentence.isprintable()
    async with peers(says(frame(b"x"), close(1001, b"a" * 123))) as url:
        fault = await hold_once(stream_to(url))
    assert len(fault.sentence) < 160
