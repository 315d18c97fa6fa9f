"""A gap as a value."""

from datetime import UTC, datetime, timedelta

from forwarder.core.gaps.gap import Gap, GapId

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
GAP = Gap(id=GapId(1), stream="main", began=BEGAN, noticed=BEGAN, reason="cut")


def gap(ended: datetime) -> Gap:
    return Gap(id=GapId(1), stream="main", began=BEGAN, noticed=BEGAN, ended=ended, reason="cut")


def test_a_gap_has_a_length_once_it_has_ended_and_never_a_negative_one() -> None:
    assert GAP.length is None
    assert gap(BEGAN + timedelta(seconds=3)).length == timedelta(seconds=3)
    assert gap(BEGAN - timedelta(seconds=3)).length == timedelta()  # the clock was set back
