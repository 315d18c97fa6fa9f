"""The gate: what comes while it is closed goes on in order, nothing overtakes, memory is bounded."""

import asyncio
from datetime import UTC, datetime

from forwarder.core.event import NotAnEvent
from forwarder.ingest.startup_buffer import Dropped, StartupBuffer


def now() -> datetime:
    return datetime.now(UTC)


class Behind:
    """Takes what comes, each frame in a turn of its own."""

    def __init__(self) -> None:
        self.got: list[tuple[str, bytes] | NotAnEvent] = []
        self.public: list[bytes] = []
        """Those that are of the public stream."""

    async def take(self, frame: bytes, *, stream: str, is_public: bool = False) -> None:
        await asyncio.sleep(0)
        self.got.append((stream, frame))
        if is_public:
            self.public.append(frame)

    def note_odd_frame(self, kind: NotAnEvent, detail: str = "") -> None:  # noqa: ARG002 - as `Intake` has it
        self.got.append(kind)


def numbered(count: int) -> list[bytes]:
    return [b"%d" % number for number in range(count)]


async def test_what_was_kept_goes_on_in_order_with_the_odd_ones_in_their_places() -> None:
    gate, behind = StartupBuffer(now), Behind()
    await gate.take(b"1", stream="a")
    gate.note_odd_frame(NotAnEvent.BINARY)
    await gate.take(b"2", stream="b")
    assert await gate.open(behind) == 3
    await gate.take(b"3", stream="a")
    gate.note_odd_frame(NotAnEvent.BINARY)
    assert behind.got == [("a", b"1"), NotAnEvent.BINARY, ("b", b"2"), ("a", b"3"), NotAnEvent.BINARY]


async def test_a_frame_of_the_public_stream_is_handed_on_as_one() -> None:
    gate, behind = StartupBuffer(now, max_bytes=1), Behind()
    await gate.take(b"1", stream="tryout", is_public=True)
    waiting = asyncio.ensure_future(gate.take(b"2", stream="tryout", is_public=True))
    await asyncio.sleep(0)
    assert await gate.open(behind) > 0
    await gate.take(b"3", stream="main")
    await waiting
    await gate.take(b"4", stream="tryout", is_public=True)
    assert behind.public == [b"1", b"2", b"4"]


async def test_what_comes_while_it_opens_does_not_overtake() -> None:
    gate, behind = StartupBuffer(now), Behind()
    frames = numbered(500)
    for frame in frames[:200]:
        await gate.take(frame, stream="a")

    async def read() -> None:
        for frame in frames[200:]:
            await gate.take(frame, stream="a")

    async with asyncio.TaskGroup() as group:
        group.create_task(gate.open(behind))
        group.create_task(read())
    assert behind.got == [("a", frame) for frame in frames]


async def test_a_full_one_is_waited_for_and_each_stream_keeps_its_order() -> None:
    gate, behind = StartupBuffer(now, max_bytes=2_000), Behind()
    frames = numbered(100)
    read = 0

    async def bring(stream: str) -> None:
        nonlocal read
        for frame in frames:
            await gate.take(frame, stream=stream)
            read += 1

    async with asyncio.TaskGroup() as group:
        for stream in ("a", "b"):
            group.create_task(bring(stream))
        for _ in range(10):
            await asyncio.sleep(0)
        assert 0 < read < 20
        group.create_task(gate.open(behind))
    for stream in ("a", "b"):
        assert [each[1] for each in behind.got if isinstance(each, tuple) and each[0] == stream] == frames


async def test_one_that_waits_can_be_cancelled() -> None:
    gate, behind = StartupBuffer(now, max_bytes=1), Behind()
    await gate.take(b"1", stream="a")
    waiting = asyncio.ensure_future(gate.take(b"2", stream="a"))
    await asyncio.sleep(0)
    waiting.cancel()
    await gate.open(behind)
    assert behind.got == [("a", b"1")]


async def test_what_was_not_handed_on_is_counted_by_stream_with_when_the_first_of_it_came() -> None:
    clock = iter(datetime(2026, 1, 1, 0, 0, second, tzinfo=UTC) for second in range(10))
    gate = StartupBuffer(lambda: next(clock))
    for frame, stream in ((b"1", "a"), (b"2", "b"), (b"3", "a"), (b"4", "a")):
        await gate.take(frame, stream=stream)
    gate.note_odd_frame(NotAnEvent.BINARY)
    taken = asyncio.Event()

    class Full(Behind):
        async def take(self, frame: bytes, *, stream: str, is_public: bool = False) -> None:
            if len(self.got) == 1:  # the disk is full: it waits, and comes to nothing when the daemon stops
                taken.set()
                await asyncio.Event().wait()
            await super().take(frame, stream=stream, is_public=is_public)

    opening = asyncio.ensure_future(gate.open(Full()))
    await taken.wait()
    opening.cancel()
    await asyncio.wait([opening])
    assert gate.drop() == {
        "b": Dropped(1, datetime(2026, 1, 1, 0, 0, 1, tzinfo=UTC)),
        "a": Dropped(2, datetime(2026, 1, 1, 0, 0, 2, tzinfo=UTC)),
    }
    assert gate.drop() == {}
