"""What is known of one connection from what was received on it."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import NoReturn

import pytest

from forwarder.streams import connection
from forwarder.streams.pulse import Pulse
from forwarder.streams.stream import Listener
from forwarder.streams.websocket import WebSocketStream


async def _take(_frame: bytes) -> None:
    pass


@dataclass(frozen=True)
class _Held(WebSocketStream):
    """Is held until the connection is closed."""

    async def hold(self, listener: Listener) -> NoReturn:  # noqa: ARG002 - as the protocol has it
        await asyncio.Event().wait()
        raise AssertionError


def connection_with(pulse: Pulse) -> connection.StreamConnection:
    return connection.StreamConnection(
        _Held(name="main", url="ws://localhost/ws", api_key="key"),
        take=_take,
        on_odd_frame=lambda _kind: None,
        connect_within=timedelta(seconds=1),
        pulse=pulse,
    )


def test_what_is_read_right_after_a_standstill_is_no_sign_of_life_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(connection, "boot_time", lambda: now)
    pulse = Pulse()
    held = connection_with(pulse)
    held.opened()
    pulse.beat(110)
    now = 108.0
    held.heard()
    assert held.certain_until == 108
    now = 185.0
    held.heard()  # came some time between 110 and 185
    assert held.certain_until == 110
    pulse.beat(185.5)
    held.heard()
    assert held.certain_until == 110
    pulse.beat(189.5)
    now = 190.0
    held.heard()
    assert held.certain_until == 190


async def test_what_may_be_unread_when_we_close_it(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(connection, "boot_time", lambda: now)
    pulse = Pulse()
    held = connection_with(pulse)
    held.opened()
    for second in range(100, 111):
        pulse.beat(second)
    now = 110.9
    assert held.read_until == 110  # nothing has come since it was opened, and at 110 the loop looked
    await held.take(b"{}")
    assert held.read_until == 110.9  # that came after a pause; what was sent before it is read
    held.heard()
    for tenth in range(111, 1000):
        now = tenth / 10 + 100
        pulse.beat(now)
        held.heard()
    assert held.read_until == pytest.approx(now - 5)  # without a pause others may wait behind it
    now += 0.3
    await held.take(b"{}")
    pulse.beat(now)
    assert held.read_until == pytest.approx(now)
    now += 2.9
    pulse.beat(now)
    assert held.read_until == pytest.approx(
        now - 2.9
    )  # that one still waits for the disk, and others may wait behind it
    held.heard()
    stopped = now
    now += 60
    assert held.read_until == pytest.approx(stopped)
    pulse.beat(now)
    held.heard()
    assert held.read_until == pytest.approx(stopped)  # it came some time in this minute


async def test_what_comes_no_more_in_a_few_turns_of_the_loop_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(connection, "boot_time", lambda: now)
    async with asyncio.TaskGroup() as group:
        held = connection_with(Pulse())
        held.start(group)
        held.opened()
        for tenth in range(1_001, 1_100):
            now = tenth / 10
            held.heard()
        held.note_looked(now - 0.01)  # something came since then
        assert held.read_until == pytest.approx(now - 5)
        now += 0.01
        held.note_looked(now)
        assert held.read_until == now
        await held.take(b"{}")
        now += 0.01
        held.note_looked(now)  # but one is being taken
        assert held.read_until == pytest.approx(now - 0.01)
        await held.close()
