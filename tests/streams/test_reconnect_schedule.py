"""When the next try of a stream is due."""

from datetime import timedelta

from forwarder.streams.connection import StreamConnection
from forwarder.streams.faults import FaultKind, StreamFaultError, from_close
from forwarder.streams.reconnect_schedule import ReconnectSchedule
from forwarder.streams.websocket import WebSocketStream

BUSY = StreamFaultError(FaultKind.BUSY, "busy", timedelta(seconds=30))


def connection(*, is_open: bool = True) -> StreamConnection:
    async def take(_frame: bytes) -> None:
        pass

    made = StreamConnection(
        WebSocketStream(name="main", url="ws://localhost/ws", api_key="key"),
        take=take,
        on_odd_frame=lambda _kind: None,
        connect_within=timedelta(seconds=1),
    )
    if is_open:
        made.opened()
    return made


def closed_at_once() -> StreamFaultError:
    return from_close(None, opened_for=timedelta(), heard_anything=False)


def test_a_failure_gives_one_retry_which_waits_at_least_as_long_as_the_server_asks_for() -> None:
    schedule = ReconnectSchedule(lambda: 0.0)
    assert schedule.take() is None
    schedule.note_failure(BUSY, connection(is_open=False))
    next_try = schedule.take()
    assert next_try is not None
    assert (next_try.fault, next_try.wait_s, next_try.gives_way) == (BUSY, 30, False)
    assert schedule.take() is None
    schedule.note_failure(BUSY, connection(is_open=False))
    schedule.clear()
    assert schedule.take() is None


def test_the_third_connection_in_a_row_that_is_closed_at_once_means_the_key() -> None:
    schedule = ReconnectSchedule(lambda: 0.0)
    kinds = []
    for fault in (*[closed_at_once()] * 2, BUSY, *[closed_at_once()] * 3):
        schedule.note_failure(fault, connection())
        next_try = schedule.take()
        assert next_try is not None
        kinds.append(next_try.fault.kind)
    assert kinds == [
        *[FaultKind.CLOSED] * 2,
        FaultKind.BUSY,
        *[FaultKind.CLOSED] * 2,
        FaultKind.KEY_REFUSED,
    ]


def test_a_try_that_did_not_open_says_nothing_of_the_key() -> None:
    schedule = ReconnectSchedule(lambda: 0.0)
    for _ in range(4):
        schedule.note_failure(closed_at_once(), connection(is_open=False))
        next_try = schedule.take()
        assert next_try is not None
        assert next_try.fault.kind is FaultKind.CLOSED


def test_a_stream_that_is_replaced_again_and_again_gives_way_until_a_person_asks_for_it() -> None:
    schedule = ReconnectSchedule(lambda: 0.0)
    replaced = StreamFaultError(FaultKind.REPLACED, "replaced")

    def gives_way() -> bool:
        schedule.note_failure(replaced, connection())
        next_try = schedule.take()
        assert next_try is not None
        return next_try.gives_way

    assert [gives_way() for _ in range(6)] == [False] * 4 + [True] * 2
    schedule.forgive()
    assert not gives_way()
