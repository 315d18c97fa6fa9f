"""The rows of the overview, what is wrong first."""

from forwarder.core.monitoring.status import Backlog, DestinationReport, StatusReport, StreamReport
from forwarder.web.page.overview import destination_rows, stream_rows

STATUS = StatusReport(
    streams={"main": StreamReport(condition="open"), "second": StreamReport(condition="waiting", reason="refused")},
    gap_repair_off={"second": "the key may not"},
    destinations={"good": DestinationReport(), "down": DestinationReport(breaker="open")},
)


def test_streams_that_are_away_come_first() -> None:
    rows = stream_rows(STATUS)
    assert [(row.name, row.health.word, row.repair_off) for row in rows] == [
        ("second", "away", "the key may not"),
        ("main", "open", ""),
    ]


def test_destinations_that_are_down_come_first_and_those_that_are_gone_are_shown() -> None:
    rows = destination_rows(STATUS, Backlog(waiting={"down": 3}, dead={"old": 2}))
    assert [(row.name, row.waiting, row.dead, row.is_active) for row in rows] == [
        ("down", 3, 0, True),
        ("old", 0, 2, False),
        ("good", 0, 0, True),
    ]


def test_what_cannot_be_counted_is_not_zero() -> None:
    assert {(row.waiting, row.dead) for row in destination_rows(STATUS, None)} == {(None, None)}
