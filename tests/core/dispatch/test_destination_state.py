"""The state of a destination: which failures belong to one stretch, and when a stretch is a reason to pause."""

from datetime import UTC, datetime, timedelta

import pytest

from forwarder.core.dispatch.destination_state import (
    HOLES,
    LEAST_FAILURES,
    FailureStretch,
    Pause,
    PausedBy,
    with_failure,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LONG_AGO = datetime.min.replace(tzinfo=UTC)
DAYS = timedelta(days=5)
SECOND = timedelta(seconds=1)


def failed(
    stretch: FailureStretch | None, at: datetime, *, took: timedelta = SECOND, waited_until: datetime = LONG_AGO
) -> FailureStretch:
    return with_failure(stretch, began=at, ended=at + took, waited_until=waited_until, pause_after=DAYS)


def test_a_stretch_begins_with_the_first_failure_and_grows_with_each() -> None:
    first = failed(None, NOW)
    assert (first.began, first.last, first.attempts) == (NOW, NOW + SECOND, 1)
    second = failed(first, NOW + timedelta(hours=1))
    assert (second.began, second.attempts) == (NOW, 2)
    assert second.length == timedelta(hours=1) + SECOND


@pytest.mark.parametrize(("later", "attempts"), [(timedelta(), 2), (SECOND, 1)])
def test_a_long_time_without_an_attempt_begins_another_stretch(later: timedelta, attempts: int) -> None:
    first = failed(None, NOW)
    assert failed(first, first.last + DAYS / HOLES + later).attempts == attempts


def test_a_wait_that_the_receiver_asked_for_is_no_time_without_an_attempt() -> None:
    asked = NOW + DAYS / HOLES
    assert failed(failed(None, NOW), asked + timedelta(hours=1), waited_until=asked).attempts == 2


def test_one_that_ends_before_the_last_one_does_not_shorten_a_stretch() -> None:
    slow = failed(None, NOW, took=timedelta(minutes=1))
    assert failed(slow, NOW + SECOND).last == slow.last
    assert failed(None, NOW, took=-SECOND).last == NOW


@pytest.mark.parametrize(
    ("length", "attempts", "is_reason"),
    [
        (DAYS, LEAST_FAILURES, True),
        (DAYS - SECOND, LEAST_FAILURES, False),
        (DAYS, LEAST_FAILURES - 1, False),
    ],
)
def test_only_many_failures_over_a_long_time_are_a_reason_to_pause(
    length: timedelta, attempts: int, *, is_reason: bool
) -> None:
    stretch = FailureStretch(began=NOW, last=NOW + length, attempts=attempts)
    assert stretch.is_reason_to_pause(DAYS) == is_reason


def test_only_a_pause_with_an_end_is_over_by_itself() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    until = Pause(since=now, by=PausedBy.PERSON, until=now + timedelta(hours=2))
    assert not until.is_over(now + timedelta(hours=1, minutes=59))
    assert until.is_over(now + timedelta(hours=2))
    assert not Pause(since=now, by=PausedBy.PERSON).is_over(now + timedelta(days=365))
