"""A stream that is held over cuts, renewals and refusals, against the emulator."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from forwarder.core.streams.state import StreamCondition
from forwarder.emulator.faults import DropHow
from forwarder.emulator.server import Emulator
from forwarder.emulator.settings import EmulatorSettings
from forwarder.streams import overlap, renewal
from forwarder.streams.websocket import WebSocketStream
from tests.support.streams import Notes, numbered, supervised


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overlap, "OVERLAP", timedelta(milliseconds=300))


def stream_to(emulator: Emulator, **changes: object) -> WebSocketStream:
    stream = WebSocketStream(name="main", url=emulator.ws_url, api_key="test-key")
    return replace(stream, **changes)  # type: ignore[arg-type] # the fields' own types


async def test_after_a_cut_it_is_back_at_once_and_the_gap_is_from_the_last_sign_of_life() -> None:
    notes = Notes()
    async with Emulator() as emulator, supervised(stream_to(emulator), notes) as held:
        await emulator.wait_connected()
        before = datetime.now(UTC)
        await emulator.send("x")
        await notes.until(lambda notes: notes.frames == [b"x"])
        await emulator.drop()
        await emulator.wait_until(lambda emulator: len(emulator.handshakes) == 2)
        await notes.until(lambda notes: len(notes.opened) == 2)
        assert held.tried.is_set()
    ((began, noticed, reason),) = notes.away
    assert before <= began <= noticed <= notes.opened[1]
    assert reason == "the connection ended without a close code"
    assert notes.state.connections == 2
    assert notes.state.ends == {"closed": 1}


async def test_a_renewal_opens_the_new_connection_before_it_closes_the_old_one() -> None:
    notes = Notes()
    async with Emulator() as emulator, supervised(stream_to(emulator), notes) as held:
        await emulator.wait_connected()
        await notes.until(lambda notes: notes.state.is_open)
        held.renew("for this test")
        await emulator.wait_connected(2)
        (frame,) = numbered(1)
        assert await emulator.send(frame) == 2
        await emulator.wait_until(lambda emulator: len(emulator.connections) == 1)
        (last,) = numbered(1, first=2)
        assert await emulator.send(last) == 1
        await notes.until(lambda notes: notes.frames[-1] == last.encode())
    assert notes.frames == [frame.encode()] * 2 + [last.encode()]
    assert notes.away == []
    assert notes.state.ends == {"renewed": 1}


async def test_a_connection_is_renewed_at_its_age() -> None:
    notes = Notes()
    async with Emulator() as emulator:
        async with supervised(stream_to(emulator, max_age=timedelta(milliseconds=400)), notes):
            await emulator.wait_until(lambda emulator: len(emulator.handshakes) >= 3)
    assert notes.away == []


async def test_while_no_new_connection_is_to_be_had_the_old_one_goes_on() -> None:
    notes = Notes()
    async with Emulator() as emulator, supervised(stream_to(emulator), notes) as held:
        await emulator.wait_connected()
        await notes.until(lambda notes: notes.state.is_open)
        emulator.refuse(503)
        held.renew("for this test")
        await emulator.wait_until(lambda emulator: emulator.stats.refused >= 1)
        await notes.until(lambda notes: "cannot be renewed" in notes.state.reason)
        (frame,) = numbered(1)
        await emulator.send(frame)
        await notes.until(lambda notes: notes.frames == [frame.encode()])
        assert notes.state.condition is StreamCondition.OPEN
        emulator.clear()
        held.reconnect("for this test")
        await emulator.wait_connected(2)
        await emulator.wait_until(lambda emulator: len(emulator.connections) == 1)
        await notes.until(lambda notes: not notes.state.reason)
    assert notes.away == []


async def test_a_connection_that_ends_as_replaced_by_one_that_then_fails_leaves_a_gap() -> None:
    notes = Notes()
    async with Emulator() as emulator:
        stream = stream_to(emulator, handshake_within=timedelta(milliseconds=500))
        async with supervised(stream, notes) as held:
            await emulator.wait_connected()
            await notes.until(lambda notes: notes.state.is_open)
            emulator.hang(60, handshakes=True)
            held.renew("for this test")
            await emulator.drop("close", 4409)
            await notes.until(lambda notes: len(notes.away) == 1)
            assert notes.state.condition is not StreamCondition.OPEN
            assert dict(notes.state.ends) == {"replaced": 1, "timeout": 1}
            emulator.clear()
            await emulator.wait_connected()
            await notes.until(lambda notes: len(notes.opened) == 2)


async def test_a_quiet_connection_is_followed_by_another_and_is_a_gap_only_if_it_stays_quiet(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(renewal, "QUIET_AFTER", timedelta(milliseconds=400))
    notes = Notes()
    async with Emulator() as emulator, supervised(stream_to(emulator), notes):
        await emulator.wait_connected()
        await emulator.send("one")
        await notes.until(lambda notes: notes.frames == [b"one"])
        emulator.hang(60)  # the connection that is there; a new one is served
        await emulator.wait_until(lambda emulator: len(emulator.handshakes) == 2)
        await notes.until(lambda notes: len(notes.away) == 1 and len(notes.opened) == 3)
        ((began, noticed, reason),) = notes.away
        assert began < noticed <= notes.opened[-1]
        assert "nothing more was received" in reason
        assert notes.state.ends == {"silent": 1}


class Disk(Notes):
    """Takes nothing until it has room."""

    def __init__(self) -> None:
        super().__init__()
        self.has_room = asyncio.Event()

    async def take(self, frame: bytes) -> None:
        await self.has_room.wait()
        await super().take(frame)


@pytest.mark.parametrize("is_renewed", [True, False])
async def test_while_the_disk_takes_nothing_no_connection_is_given_up_and_no_frame_behind_it(
    monkeypatch: pytest.MonkeyPatch, is_renewed: bool
) -> None:
    if not is_renewed:
        monkeypatch.setattr(renewal, "QUIET_AFTER", timedelta(milliseconds=200))
    notes = Disk()
    async with Emulator() as emulator, supervised(stream_to(emulator), notes) as held:
        await emulator.wait_connected()
        await notes.until(lambda notes: notes.state.is_open)
        frames = [frame.encode() for frame in numbered(50)]
        for frame in frames:
            await emulator.send(frame)
        if is_renewed:
            held.renew("for this test")
            await emulator.wait_connected(2)
        await asyncio.sleep(1)  # more than the overlap, and than a silence may last
        assert len(emulator.connections) == 1 + is_renewed
        notes.has_room.set()
        await notes.until(lambda notes: len(notes.frames) >= 50)
        assert notes.frames == frames
    assert notes.away == []


async def test_one_that_answers_the_probe_was_no_gap() -> None:
    notes = Notes()
    async with Emulator() as emulator, supervised(stream_to(emulator), notes) as held:
        await emulator.wait_connected()
        await notes.until(lambda notes: notes.state.is_open)
        held.wake("the machine slept for 60 s")
        await emulator.wait_until(lambda emulator: len(emulator.handshakes) == 2)
        await emulator.wait_until(lambda emulator: len(emulator.connections) == 1)
        await notes.until(lambda notes: notes.state.ends == {"renewed": 1})
    assert notes.away == []


async def test_a_changed_stream_takes_the_place_of_the_old_one_once_it_is_connected() -> None:
    notes = Notes()
    async with Emulator() as emulator:
        async with supervised(stream_to(emulator), notes) as old:
            await emulator.wait_connected()
            await notes.until(lambda notes: notes.state.is_open)
            emulator.refuse(401)
            changed = stream_to(emulator, use_fast_x=True)
            async with supervised(changed, notes, predecessor=old) as new:
                await emulator.wait_until(lambda emulator: emulator.stats.refused == 1)
                await new.tried.wait()
                (first,) = numbered(1)
                assert await emulator.send(first) == 1  # as it was
                emulator.clear()
                new.reconnect("for this test")
                await emulator.wait_connected(2)
                await emulator.wait_until(lambda emulator: len(emulator.connections) == 1)
                (second,) = numbered(1, source="fast-x")
                assert await emulator.send(second) == 1
                await notes.until(lambda notes: notes.frames == [first.encode(), second.encode()])
    assert notes.away == []


async def test_a_replaced_stream_gives_way_after_the_fifth_time_and_comes_back_in_15_minutes_or_when_somebody_wants_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("forwarder.core.streams.reconnect_policy._FIRST_REFUSAL_S", 0.01)
    notes = Notes()
    async with Emulator() as emulator, supervised(stream_to(emulator), notes) as held:
        for time in range(1, 6):
            await emulator.wait_connected()
            await notes.until(lambda notes, time=time: notes.state.connections == time)  # type: ignore[misc] # bound now
            await emulator.send("x")
            await notes.until(lambda notes, time=time: len(notes.frames) == time)  # type: ignore[misc] # bound now
            await emulator.drop("close", 4409)
            await notes.until(lambda notes, time=time: notes.state.ends["replaced"] == time)  # type: ignore[misc] # bound now
        await notes.until(lambda notes: notes.state.condition is StreamCondition.YIELDED)
        assert notes.state.fault == "replaced"
        assert notes.state.next_try_at is not None
        assert timedelta(minutes=14) < notes.state.next_try_at - datetime.now(UTC) <= timedelta(minutes=15)
        held.renew("the watch for silence has no say in this")
        await asyncio.sleep(0.1)
        assert len(emulator.handshakes) == 5
        held.reconnect("a person has")
        await emulator.wait_connected()
        await notes.until(lambda notes: notes.state.is_open)
        assert notes.state.fault is None


async def test_one_that_gave_way_tries_again_without_anybody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("forwarder.core.streams.reconnect_policy._FIRST_REFUSAL_S", 0.01)
    monkeypatch.setattr("forwarder.core.streams.reconnect_policy._LONGEST_REFUSAL_S", 0.5)
    notes = Notes()
    async with Emulator() as emulator, supervised(stream_to(emulator), notes):
        for time in range(1, 8):
            await notes.until(lambda notes, time=time: notes.state.connections == time)  # type: ignore[misc] # bound now
            await emulator.wait_connected()
            await emulator.drop("close", 4409)
            await notes.until(lambda notes, time=time: notes.state.ends["replaced"] == time)  # type: ignore[misc] # bound now
        await notes.until(has_yielded)
        await notes.until(lambda notes: notes.state.is_open)


@pytest.mark.parametrize("code", [1008, 4001, 4401, 4403, 1001, 1011])
async def test_a_connection_that_worked_and_was_ended_for_whatever_else_is_made_again_at_once(code: int) -> None:
    notes = Notes()
    async with Emulator() as emulator, supervised(stream_to(emulator), notes):
        for time in range(1, 7):
            await notes.until(lambda notes, time=time: notes.state.connections == time)  # type: ignore[misc] # bound now
            await emulator.wait_connected()
            await emulator.send("x")
            await notes.until(lambda notes, time=time: len(notes.frames) == time)  # type: ignore[misc] # bound now
            await emulator.drop("close", code)
        await notes.until(lambda notes: notes.state.is_open and notes.state.connections == 7)
        assert notes.state.ends == {"closed": 6}


async def test_a_server_that_lets_only_the_newest_connection_live_is_no_gap_at_a_renewal() -> None:
    notes = Notes()
    async with Emulator() as emulator, supervised(stream_to(emulator), notes) as held:
        await emulator.wait_connected()
        await notes.until(lambda notes: notes.state.is_open)
        held.renew("for this test")
        await emulator.wait_connected(2)
        await emulator.connections[0].end(DropHow.CLOSE, 4409)
        await emulator.wait_until(lambda emulator: len(emulator.connections) == 1)
        await notes.until(lambda notes: notes.state.ends == {"renewed": 1})
    assert notes.away == []
    assert notes.state.connections == 2


def has_yielded(notes: Notes) -> bool:
    return notes.state.condition is StreamCondition.YIELDED


async def test_two_processes_on_a_server_that_lets_one_connection_live_come_to_rest_with_one_of_them_connected(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("forwarder.core.streams.reconnect_policy._FIRST_REFUSAL_S", 0.01)
    monkeypatch.setattr("forwarder.core.streams.reconnect_policy.MOST_IN_A_MINUTE", 100)
    one, two = Notes(), Notes()
    async with Emulator(EmulatorSettings(max_connections=1)) as emulator:
        async with supervised(stream_to(emulator), one):
            await one.until(lambda notes: notes.state.is_open)
            async with supervised(stream_to(emulator), two):
                await one.until(lambda _: has_yielded(one) or has_yielded(two))
                stays, goes = (two, one) if has_yielded(one) else (one, two)
                await stays.until(lambda notes: notes.state.is_open)
                before = len(emulator.handshakes)
                await asyncio.sleep(0.3)  # thirty times the first wait
                assert len(emulator.handshakes) == before <= 11
                assert stays.state.is_open
                (frame,) = numbered(1)
                assert await emulator.send(frame) == 1
                await stays.until(lambda notes: notes.frames == [frame.encode()])
                assert goes.frames == []


async def test_a_connection_closed_as_soon_as_it_is_open_three_times_means_the_key() -> None:
    notes = Notes()
    async with Emulator(EmulatorSettings(bad_key="upgrade")) as emulator:
        async with supervised(stream_to(emulator, api_key="another"), notes, chance=lambda: 0.01):
            await notes.until(lambda notes: "the API key was refused" in notes.state.reason)
            assert notes.state.next_try_at is not None
            assert notes.state.next_try_at - datetime.now(UTC) > timedelta(seconds=55)
            assert emulator.stats.handshakes == 3
