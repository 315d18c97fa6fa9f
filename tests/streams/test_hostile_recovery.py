"""After whatever a server does, the next good connection is made and what comes by it is taken."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest

from forwarder.core.streams import reconnect_policy
from forwarder.streams import faults
from forwarder.streams.websocket import WebSocketStream
from tests.support.frames import Behave, Opcode, Peer, bomb, close, frame, peers
from tests.support.streams import Notes, supervised

GOOD, LAST = b"good", b"last"


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is waited is not the matter here, only that it comes back."""
    monkeypatch.setattr(reconnect_policy, "MOST_IN_A_MINUTE", 1000)
    monkeypatch.setattr(reconnect_policy, "_FIRST_REFUSAL_S", 0.01)
    monkeypatch.setattr(reconnect_policy, "_LONGEST_REFUSAL_S", 0.02)
    monkeypatch.setattr(reconnect_policy, "MOST_REPLACED", 1000)
    monkeypatch.setattr(faults, "_BUSY_WAIT", timedelta(milliseconds=10))


def opens(*pieces: bytes, is_good: bool = False) -> Behave:
    """Open, send a good event first where that is asked for, then these bytes, and end."""

    async def behave(peer: Peer) -> None:
        await peer.open()
        await peer.say(b"".join([frame(GOOD)] * is_good + list(pieces)))

    return behave


def answers(said: bytes) -> Behave:
    async def behave(peer: Peer) -> None:
        await peer.say(said)

    return behave


CODES = [None, *range(1000, 1016), 3000, 4000, 4001, 4008, 4401, 4403, 4409, 4999]
HANDSHAKES = [
    b"",
    b"HTTP/1.1 101 Swi",
    b"SSH-2.0-OpenSSH_9.2\r\n",
    *(b"HTTP/1.1 %d Any\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n" % status for status in (200, 204, 302, 401, 403)),
    *(b"HTTP/1.1 %d Any\r\nContent-Length: 0\r\n\r\n" % status for status in (101, 404, 429, 500, 503)),
]
FRAMES = [
    frame(b"", declared=1 << 40),
    frame(b"x" * 100_001),
    frame(bomb(), reserved=4),
    frame(b"x", reserved=3),
    frame(b"x", is_last=False) + frame(b"x" * 100_001, Opcode.CONTINUATION, is_last=False),
    frame(b"x", Opcode.CONTINUATION),
    frame(b"p" * 126, Opcode.PING),
    b"\x83\x00",
    b"",
]


@pytest.mark.parametrize(
    ("behaviours", "events"),
    [
        pytest.param([answers(said) for said in HANDSHAKES], 0, id="handshakes"),
        pytest.param([opens(said) for said in FRAMES], 0, id="frames"),
        pytest.param([opens(said, is_good=True) for said in FRAMES], len(FRAMES), id="frames after an event"),
        pytest.param([opens(close(code)) for code in CODES], 0, id="codes"),
        pytest.param([opens(close(code), is_good=True) for code in CODES], len(CODES), id="codes after an event"),
    ],
)
async def test_the_next_good_connection_brings_its_events(behaviours: Sequence[Behave], events: int) -> None:
    left = list(behaviours)
    notes = Notes()

    async def behave(peer: Peer) -> None:
        if left:
            await left.pop(0)(peer)
            return
        await peer.open()
        await peer.say(frame(LAST))
        await peer.until_gone()

    async with peers(behave) as url:
        stream = WebSocketStream(name="main", url=url, api_key="key", max_frame=100_000)
        async with supervised(stream, notes, chance=lambda: 0.0):
            await notes.until(lambda notes: LAST in notes.frames)
            await asyncio.sleep(0)
    assert [taken for taken in notes.frames if taken == GOOD] == [GOOD] * events
    assert notes.frames[-1] == LAST
    assert notes.state.ends.total() == len(behaviours)
