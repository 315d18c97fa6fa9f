"""What the state, the gap record and the log show of a stream."""

from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from forwarder.core.streams.state import StreamCondition
from forwarder.streams import reporter as reporter_module
from forwarder.streams.connection import StreamConnection
from forwarder.streams.faults import FaultKind, StreamFaultError
from forwarder.streams.reconnect_schedule import NextTry
from forwarder.streams.reporter import StreamReporter
from forwarder.streams.websocket import WebSocketStream
from tests.support.streams import Notes

CUT = StreamFaultError(FaultKind.CLOSED, "cut")
KEY = StreamFaultError(FaultKind.KEY_REFUSED, "bad key")
REPLACED = StreamFaultError(FaultKind.REPLACED, "replaced")


def held_by(notes: Notes) -> StreamConnection:
    """Return a connection that is open."""
    held = StreamConnection(
        WebSocketStream(name="main", url="ws://localhost/ws", api_key="key"),
        take=notes.take,
        on_odd_frame=notes.odd.append,
        connect_within=timedelta(seconds=1),
    )
    held.opened()
    return held


def test_a_connection_that_ends_begins_a_gap_and_one_that_opens_ends_it() -> None:
    notes = Notes()
    reporter = StreamReporter(notes.context())
    held = held_by(notes)
    with capture_logs() as lines:
        reporter.connected()
        assert (notes.state.condition, notes.state.connections, len(notes.opened)) == (StreamCondition.OPEN, 1, 1)
        reporter.disconnected(held, CUT)
    ((began, noticed, reason),) = notes.away
    assert began <= noticed
    assert reason == "cut"
    assert (notes.state.condition, notes.state.reason, notes.state.fault) == (
        StreamCondition.CONNECTING,
        "cut",
        "closed",
    )
    assert [(line["event"], line["log_level"]) for line in lines] == [
        ("stream.connected", "info"),
        ("stream.disconnected", "warning"),
    ]
    reporter.failed(CUT)
    assert notes.state.ends == {"closed": 1}


def test_a_stream_that_waits_shows_its_next_try_and_a_fault_for_a_person_is_an_error() -> None:
    notes = Notes()
    reporter = StreamReporter(notes.context())
    with capture_logs() as lines:
        reporter.waiting(NextTry(CUT, 0.0, gives_way=False), is_active=False)
        conditions = [notes.state.condition]
        reporter.waiting(NextTry(KEY, 60.0, gives_way=False), is_active=False)
        conditions.append(notes.state.condition)
    assert conditions == [StreamCondition.CONNECTING, StreamCondition.WAITING]
    assert notes.state.next_try_at is not None
    assert [(line["event"], line["log_level"], line["next_try_in_s"]) for line in lines] == [
        ("stream.unavailable", "warning", 0.0),
        ("stream.unavailable", "error", 60.0),
    ]


def test_while_events_come_by_an_older_connection_only_the_reason_changes() -> None:
    notes = Notes()
    reporter = StreamReporter(notes.context())
    reporter.connected()
    reporter.waiting(NextTry(CUT, 5.0, gives_way=False), is_active=True)
    assert (notes.state.condition, notes.state.next_try_at) == (StreamCondition.OPEN, None)
    assert notes.state.reason == "it cannot be renewed: cut"


def test_a_stream_that_gives_way_is_an_error_that_names_the_command_to_try_now() -> None:
    notes = Notes()
    with capture_logs() as lines:
        StreamReporter(notes.context()).waiting(NextTry(REPLACED, 900.0, gives_way=True), is_active=False)
    assert notes.state.condition is StreamCondition.YIELDED
    (line,) = lines
    assert (line["event"], line["log_level"]) == ("stream.yielded", "error")
    assert line["note"].endswith("forwarder reconnect main")


def test_a_fault_that_goes_on_is_reported_once_and_then_at_growing_intervals_with_a_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now_s = 0.0
    monkeypatch.setattr(reporter_module, "boot_time", lambda: now_s)
    notes = Notes()
    reporter = StreamReporter(notes.context())
    with capture_logs() as lines:
        for number in range(4 * 600):
            now_s = number / 2  # two tries a second, for 20 minutes
            reporter.waiting(NextTry(CUT, 0.5, gives_way=False), is_active=False)
    assert [line.get("repeated") for line in lines] == [None, 120, 360, 840, 1800]
    assert all("since" in line for line in lines[1:])
    with capture_logs() as lines:
        reporter.waiting(NextTry(KEY, 60.0, gives_way=False), is_active=False)  # another one is news
        reporter.connected()
        reporter.waiting(NextTry(CUT, 0.5, gives_way=False), is_active=False)
    assert [line["event"] for line in lines] == ["stream.unavailable", "stream.connected", "stream.unavailable"]
    assert not any("repeated" in line for line in lines)


def test_a_reason_that_differs_each_time_is_no_news_forever() -> None:
    reporter = StreamReporter(Notes().context())
    with capture_logs() as lines:
        for number in range(100):
            fault = StreamFaultError(FaultKind.CLOSED, f"request {number} failed")
            reporter.waiting(NextTry(fault, 0.5, gives_way=False), is_active=False)
    assert len(lines) == 9


@pytest.mark.parametrize(
    ("fault", "wait_s", "is_said"), [(CUT, 0.0, False), (CUT, 0.3, False), (CUT, 5.0, True), (REPLACED, 0.0, True)]
)
def test_an_end_with_a_try_at_once_is_one_line(fault: StreamFaultError, wait_s: float, is_said: bool) -> None:
    notes = Notes()
    reporter = StreamReporter(notes.context())
    held = held_by(notes)
    with capture_logs() as lines:
        reporter.connected()
        reporter.disconnected(held, fault)
        reporter.waiting(NextTry(fault, wait_s, gives_way=False), is_active=False)
        reporter.waiting(NextTry(StreamFaultError(FaultKind.CLOSED, "refused"), 0.0, gives_way=False), is_active=False)
    assert [line["event"] for line in lines] == [
        "stream.connected",
        "stream.disconnected",
        *["stream.unavailable"] * (1 + is_said),
    ]
