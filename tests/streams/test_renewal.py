"""When an open connection is renewed."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from forwarder.streams import connection, renewal
from forwarder.streams.connection import StreamConnection
from forwarder.streams.renewal import RenewalReason, next_look_s, reason_to_renew
from forwarder.streams.websocket import WebSocketStream

DAY = timedelta(days=1)
OPENED_S = 1_000.0


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Set the time, in seconds after the opening."""

    def set_time(seconds: float) -> None:
        for module in (connection, renewal):
            monkeypatch.setattr(module, "boot_time", lambda: OPENED_S + seconds)

    set_time(0)
    return set_time


def opened(*, ends_in: timedelta | None = None) -> StreamConnection:
    async def take(_frame: bytes) -> None:
        pass

    made = StreamConnection(
        WebSocketStream(name="main", url="ws://localhost/ws", api_key="key"),
        take=take,
        on_odd_frame=lambda _kind: None,
        connect_within=timedelta(seconds=1),
    )
    made.opened(ends_in=ends_in)
    return made


def test_a_connection_on_which_something_comes_is_renewed_at_its_maximum_age_alone(at: Callable[[float], None]) -> None:
    held = opened()
    at(DAY.total_seconds() - 1)
    held.heard()
    assert reason_to_renew(held, DAY) is None
    assert next_look_s(held, DAY) == pytest.approx(1, abs=0.1)
    at(DAY.total_seconds())
    assert reason_to_renew(held, DAY) == RenewalReason("it has reached its maximum age")
    assert reason_to_renew(held, None) is None


def test_a_connection_is_renewed_when_its_token_expires_but_not_before_ten_seconds(at: Callable[[float], None]) -> None:
    long, short = opened(ends_in=timedelta(seconds=20)), opened(ends_in=timedelta(seconds=1))
    at(9.9)
    assert reason_to_renew(short, DAY) is None
    at(10)
    assert reason_to_renew(short, DAY) is not None
    assert reason_to_renew(long, DAY) is None
    at(20)
    assert reason_to_renew(long, DAY) is not None


def test_a_quiet_connection_may_be_dead_unless_a_frame_waits_for_the_disk(at: Callable[[float], None]) -> None:
    held = opened()
    at(29)
    assert reason_to_renew(held, None) is None
    assert next_look_s(held, None) == pytest.approx(1, abs=0.1)
    at(30)
    assert reason_to_renew(held, None) == RenewalReason("nothing was received for 30 s", is_suspect=True)
    held.take(b"frame").close()  # type: ignore[attr-defined] # the coroutine of `take` above
    at(100)
    assert reason_to_renew(held, None) is None
    assert next_look_s(held, None) == pytest.approx(1, abs=0.1)
