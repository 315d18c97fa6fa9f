"""The figures of `top`: rates between two statuses, latencies, and what is shown first."""

from datetime import UTC, datetime

import msgspec
import pytest

from forwarder.cli.top_figures import RowKind, TopFigures, TopRow, sparkline
from forwarder.core.monitoring.live import AttemptOutcome
from forwarder.core.monitoring.status import (
    Backlog,
    CountersReport,
    DelaySummary,
    DestinationReport,
    PauseReport,
    RecentReport,
    StatusReport,
    StreamReport,
)
from tests.cli.test_live_lines import ATTEMPT, EVENT

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def status(**fields: object) -> StatusReport:
    usual: dict[str, object] = {"pid": 1, "started_at": "2026-01-01T11:58:00+00:00"}
    return StatusReport(**(usual | fields))  # type: ignore[arg-type] # each test names what it needs


def by_name(figures: TopFigures) -> dict[str, TopRow]:
    return {row.name: row for row in figures.rows(NOW)}


def test_rates_are_the_differences_of_two_statuses() -> None:
    figures = TopFigures(routes=("news", "all"))
    for number in range(3):
        figures.note_status(
            status(
                streams={"main": StreamReport(condition="open", events=100 + 20 * number)},
                destinations={"bot": DestinationReport(delivered=50 + 10 * number)},
                routes={"all": 10 * number},
                since_start=CountersReport(seen=100 + 20 * number, delivered=50 + 10 * number),
            ),
            Backlog(waiting={"bot": 3}, dead={"bot": 1}),
            now_s=10.0 + 2 * number,
        )
    rows = by_name(figures)
    assert [row.kind for row in rows.values()] == [RowKind.STREAM, RowKind.DESTINATION, RowKind.ROUTE, RowKind.ROUTE]
    assert (rows["main"].per_s, rows["main"].rates) == (10.0, (10.0, 10.0))
    assert rows["bot"].per_s == 5.0
    assert rows["all"].per_s == 5.0
    assert rows["news"].per_s is None
    assert rows["news"].state == "0 events matched"
    assert figures.summary(NOW) == "10.0 events/s  5.0 delivered/s  3 waiting  1 dead  up 2 min"


def test_before_the_first_status_there_are_no_rows() -> None:
    figures = TopFigures(routes=("news",))
    assert figures.rows(NOW) == []
    figures.note_status(status(), None, now_s=1.0)
    assert list(by_name(figures)) == ["news"]


def test_a_restart_is_no_negative_rate() -> None:
    figures = TopFigures()
    figures.note_status(status(streams={"main": StreamReport(events=1_000)}), None, now_s=1.0)
    figures.note_status(status(pid=2, streams={"main": StreamReport(events=5)}), None, now_s=2.0)
    assert by_name(figures)["main"].per_s is None
    figures.note_status(status(pid=2, streams={"main": StreamReport(events=8)}), None, now_s=3.0)
    assert by_name(figures)["main"].per_s == 3.0
    assert "waiting" not in figures.summary(NOW)


def test_a_restart_in_a_container_has_the_same_process_id_and_what_is_new_has_no_rate_yet() -> None:
    figures = TopFigures()
    seen = CountersReport(seen=1_000)
    figures.note_status(status(streams={"main": StreamReport(events=1_000)}, since_start=seen), None, now_s=1.0)
    again = {"started_at": "2026-01-01T11:59:00+00:00", "since_start": CountersReport(seen=1_027)}
    figures.note_status(status(streams={"main": StreamReport(events=1_027)}, **again), None, now_s=2.0)
    assert by_name(figures)["main"].per_s is None
    assert figures.total == (0.0, 0.0)
    streams = {"main": StreamReport(events=1_028), "new": StreamReport(events=27)}
    figures.note_status(status(streams=streams, **again), None, now_s=3.0)
    assert (by_name(figures)["main"].per_s, by_name(figures)["new"].per_s) == (1.0, 0.0)


def test_states_say_what_matters_and_trouble_comes_first() -> None:
    figures = TopFigures()
    figures.note_status(
        status(
            streams={
                "main": StreamReport(condition="open", events=2),
                "other": StreamReport(condition="waiting", away_since="2026-01-01T11:59:30+00:00", reason="refused"),
                "third": StreamReport(condition="connecting"),
            },
            destinations={
                "bot": DestinationReport(recent=RecentReport(latency_p50_ms=12.0, latency_p99_ms=1_500.0)),
                "down": DestinationReport(breaker="open", last_failure="HTTP 503"),
                "flaky": DestinationReport(failing_since="2026-01-01T11:00:00+00:00", last_failure="HTTP 500"),
                "held": DestinationReport(paused=PauseReport(by="person", why="a test")),
            },
        ),
        Backlog(waiting={"down": 7}, oldest={"down": "2026-01-01T11:50:00+00:00"}, dead={"down": 2}),
        now_s=1.0,
    )
    rows = by_name(figures)
    assert list(rows) == ["other", "third", "main", "down", "flaky", "bot", "held"]
    assert [rows[name].state for name in rows] == [
        "waiting for 30 s: refused",
        "connecting",
        "open, 2 events",
        "down: HTTP 503, 7 waiting 10 min, 2 dead",
        "failing: HTTP 500",
        "ok",
        "paused: a test",
    ]
    assert [name for name, row in rows.items() if row.is_in_trouble] == ["other", "third", "down", "flaky"]
    assert rows["held"].is_paused
    assert (rows["bot"].p50, rows["bot"].p99) == ("12 ms", "1.5 s")


def test_a_stream_has_the_lag_of_the_source_that_it_brings_most_of() -> None:
    figures = TopFigures()
    lag = {"x": DelaySummary(count=5, p50=10.0, p99=20.0), "rss": DelaySummary(count=1, p50=1.0, p99=1.0)}
    streams = {"main": StreamReport(sources={"x": 5, "rss": 1}), "new": StreamReport()}
    figures.note_status(status(streams=streams, lag_ms=lag), None, now_s=1.0)
    rows = by_name(figures)
    assert (rows["main"].p50, rows["main"].p99) == ("10 ms", "20 ms")
    assert (rows["new"].p50, rows["new"].p99) == ("-", "-")


def test_a_route_has_the_latency_of_what_passed() -> None:
    figures = TopFigures(routes=("news",))
    figures.note_status(status(), None, now_s=1.0)
    figures.note_passing(EVENT)
    figures.note_passing(msgspec.structs.replace(ATTEMPT, outcome=AttemptOutcome.RETRY, since_received_ms=9_000.0))
    figures.note_passing(msgspec.structs.replace(ATTEMPT, trigger="replay", since_received_ms=9_000.0))
    figures.note_passing(msgspec.structs.replace(ATTEMPT, since_received_ms=10.0))
    assert by_name(figures)["news"].p50 == "10 ms"
    for _ in range(99):
        figures.note_passing(msgspec.structs.replace(ATTEMPT, since_received_ms=20.0))
    assert (by_name(figures)["news"].p50, by_name(figures)["news"].p99) == ("20 ms", "20 ms")


def test_of_very_many_rows_those_in_trouble_and_those_with_the_highest_rates_are_shown() -> None:
    figures = TopFigures()
    for factor in range(2):
        destinations = {f"d{number:04}": DestinationReport(delivered=number * factor) for number in range(500)}
        destinations["broken"] = DestinationReport(breaker="open")
        figures.note_status(status(destinations=destinations), None, now_s=1.0 + factor)
    names = [row.name for row in figures.rows(NOW)]
    assert len(names) == 100
    assert names[0] == "broken"
    assert set(names[1:]) == {f"d{number:04}" for number in range(401, 500)}


@pytest.mark.parametrize(
    ("rates", "bars"),
    [([], "     "), ([0.0, 0.0], "   ▁▁"), ([1.0, 2.0, 4.0, 8.0], " ▂▃▅█"), ([9.0, 1.0, 1.0, 1.0, 1.0, 1.0], "█████")],
)
def test_bars(rates: list[float], bars: str) -> None:
    assert sparkline(rates, 5) == bars
