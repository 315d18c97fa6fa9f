"""Where the bars of attempts and gaps are drawn."""

from datetime import UTC, datetime, timedelta

import pytest

from forwarder.core.monitoring.status import StreamReport
from forwarder.web.page.bars import attempt_bars, gap_rows, health_of_gap, stream_lines
from forwarder.web.records import StoredAttempt, StoredDelivery, StoredGap

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


def delivery(status: str, *attempts: tuple[float, float | None]) -> StoredDelivery:
    """Return a delivery whose attempts began so many milliseconds after the acceptance, and took so long."""
    return StoredDelivery(
        delivery_id="msg_1", event_id="1", event_seq=1, source="x", mid="1", sid="2", author="", text="",
        accepted_at=BEGAN.isoformat(), recovered=False, destination="bot", routes=[], status=status, trigger="live",
        attempts_made=len(attempts), priority="normal",
        attempts=[
            StoredAttempt(number=number, started_at=(BEGAN + timedelta(milliseconds=at)).isoformat(), duration_ms=took)
            for number, (at, took) in enumerate(attempts, 1)
        ],
    )  # fmt: skip


def gap(
    began_h: float, ended_h: float | None, *, stream: str = "main", repair: str = "done", covered: bool = False
) -> StoredGap:
    """Return a gap between these hours after the beginning."""
    at = (BEGAN + timedelta(hours=began_h)).isoformat()
    ended = None if ended_h is None else (BEGAN + timedelta(hours=ended_h)).isoformat()
    return StoredGap(
        gap_id=1, stream=stream, began_at=at, noticed_at=at, ended_at=ended, covered=covered, reason="closed",
        repair=repair, found=0, recovered=0, note="",
    )  # fmt: skip


def test_attempts_are_on_a_line_from_the_acceptance_to_the_end_of_the_last() -> None:
    bars = attempt_bars(delivery("delivered", (0, 50), (150, 50)))
    assert [(bar.kind, bar.after_ms, bar.x, bar.width) for bar in bars] == [
        ("failed", 0, 0, 25),
        ("delivered", 150, 75, 25),
    ]


def test_a_short_attempt_can_be_seen_and_stays_within_the_drawing() -> None:
    (first, last) = attempt_bars(delivery("dead", (0, 1), (1_000_000, 1)))
    assert (first.kind, last.kind) == ("failed", "failed")
    assert last.x + last.width == pytest.approx(100)
    assert first.width == last.width > 0


def test_an_attempt_under_way_and_none_at_all() -> None:
    (bar,) = attempt_bars(delivery("in_flight", (0, None)))
    assert (bar.kind, bar.x) == ("under-way", 0)
    assert attempt_bars(delivery("pending")) == []


def test_a_clock_that_was_set_back_moves_no_bar_out_of_the_drawing() -> None:
    (bar,) = attempt_bars(delivery("delivered", (-5000, 10)))
    assert (bar.after_ms, bar.x, bar.width) == (0, 0, 100)


@pytest.mark.parametrize(
    ("found", "mark", "word"),
    [
        (gap(0, 1, covered=True), "ok", "another stream was open"),
        (gap(0, 1, repair="not_needed"), "ok", "another stream was open"),
        (gap(0, None, repair="pending"), "bad", "not over"),
        (gap(0, 1, repair="done"), "ok", "repaired"),
        (gap(0, 1, repair="pending"), "warn", "still to be repaired"),
        (gap(0, 1, repair="partial"), "bad", "repaired in part"),
        (gap(0, 1, repair="failed"), "bad", "repair failed"),
        (gap(0, 1, repair="off"), "warn", "not repaired: off"),
        (gap(0, 1, repair="of a later version"), "warn", "of a later version"),
    ],
)
def test_whether_posts_of_a_gap_may_be_missing(found: StoredGap, mark: str, word: str) -> None:
    (row,) = gap_rows([found])
    assert (row.health.mark, row.health.word) == (mark, word)
    assert row.health == health_of_gap(found)


def test_gaps_are_on_the_line_of_their_stream() -> None:
    now = BEGAN + timedelta(hours=10)
    gaps = [gap(9, None, repair="pending"), gap(-2, 1), gap(4, 5, stream="gone", repair="failed"), gap(-3, -2)]
    streams = {"main": StreamReport(condition="waiting"), "other": StreamReport(condition="open")}
    main, other, gone = stream_lines(streams, gaps, begins=BEGAN, now=now)
    assert (main.name, main.words) == ("main", "2 gaps, 2 h away, not open now")
    assert [(bar.kind, bar.x, bar.width) for bar in main.bars] == [("repaired", 0, 10), ("gap", 90, 10)]
    assert (other.bars, other.words) == ([], "no gap")
    assert (gone.name, [(bar.kind, bar.x) for bar in gone.bars]) == ("gone", [("gap", 40)])


def test_a_stream_that_was_never_open_is_away() -> None:
    away_since = (BEGAN + timedelta(hours=5)).isoformat()
    stream = StreamReport(condition="waiting", away_since=away_since, reason="refused")
    (line,) = stream_lines({"main": stream}, [], begins=BEGAN, now=BEGAN + timedelta(hours=10))
    assert line.words == "1 gap, 5 h away, not open now"
    assert [(bar.kind, bar.words, bar.x, bar.width) for bar in line.bars] == [("gap", "refused: 5 h", 50, 50)]
