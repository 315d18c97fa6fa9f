"""No server makes the client grow: measured in a process of its own, at the default `max_frame`."""

import asyncio
import sys
from contextlib import AsyncExitStack

from forwarder.streams.faults import FaultKind
from tests.support.crash import say
from tests.support.frames import Behave, Opcode, Peer, bomb, close, frame, peers

MOST_BYTES = 64 << 20
_MIB = b"x" * (1 << 20)


def opens_and_says(once: bytes, again_and_again: bytes = b"", *, extra: bytes = b"") -> Behave:
    async def behave(peer: Peer) -> None:
        await peer.open(extra=extra)
        await peer.say(once)
        while again_and_again:
            await peer.say(again_and_again)
            await asyncio.sleep(0)
        await peer.until_gone()

    return behave


def floods(piece: bytes) -> Behave:
    """Send as much as the path takes for a while, and read what is answered."""

    async def behave(peer: Peer) -> None:
        await peer.open()
        reading = asyncio.ensure_future(peer.until_gone())
        try:
            async with asyncio.timeout(2):
                while True:
                    await peer.say(piece)
                    await asyncio.sleep(0)
        except TimeoutError:
            peer.writer.transport.abort()
        finally:
            reading.cancel()
            await asyncio.wait([reading])

    return behave


async def answers_without_end(peer: Peer) -> None:
    await peer.say(b"HTTP/1.1 401 Any\r\n\r\n")
    while True:
        await peer.say(_MIB)


def test_no_server_makes_the_client_grow() -> None:
    asyncio.run(_weigh_all())


async def _weigh_all() -> None:
    deflated = b"Sec-WebSocket-Extensions: permessage-deflate\r\n"
    cases: list[tuple[Behave, FaultKind]] = [
        (opens_and_says(frame(b"", declared=1 << 40), _MIB), FaultKind.TOO_LONG),
        (opens_and_says(frame(_MIB * 17)), FaultKind.TOO_LONG),
        (
            opens_and_says(frame(b"x", is_last=False), frame(_MIB, Opcode.CONTINUATION, is_last=False)),
            FaultKind.TOO_LONG,
        ),
        (
            opens_and_says(frame(b"x", is_last=False), frame(b"", Opcode.CONTINUATION, is_last=False) * 1000),
            FaultKind.SILENT,
        ),
        (opens_and_says(frame(bomb(), reserved=4), extra=deflated), FaultKind.INVALID),
        (floods(frame(b"p" * 125, Opcode.PING) * 1000), FaultKind.CLOSED),
        (floods(frame(_MIB)), FaultKind.CLOSED),  # each is taken slowly
        (answers_without_end, FaultKind.KEY_REFUSED),
    ]
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(peers(opens_and_says(close(1000))))
        urls = [await stack.enter_async_context(peers(behave)) for behave, _ in cases]
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.support.hold_and_weigh", first, *urls), stdout=asyncio.subprocess.PIPE
        )
        said, _ = await process.communicate()
    say(said.decode())
    grown = [line.split() for line in said.decode().splitlines()]
    assert [kind for _, kind in grown] == [kind for _, kind in cases], said
    assert max(int(grown_bytes) for grown_bytes, _ in grown) <= MOST_BYTES, said
