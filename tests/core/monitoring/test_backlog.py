"""When a backlog is reported, and when it is over."""

from datetime import timedelta

import pytest

from forwarder.core.delivery import DestinationName
from forwarder.core.destinations.destination import BacklogLimit
from forwarder.core.monitoring.backlog import WaitingAmount, excess, is_over

BOT = DestinationName("bot")
BOTH = BacklogLimit(of=BOT, count=1000, age=timedelta(minutes=10))
COUNT = BacklogLimit(of=BOT, count=1, age=None)
AGE = BacklogLimit(of=BOT, count=None, age=timedelta(minutes=30))


@pytest.mark.parametrize(
    ("limit", "count", "has_old", "said"),
    [
        (BOTH, 1001, True, "More than 1,000 events wait for bot"),
        (BOTH, 1000, True, "An event has waited for bot longer than 10 min"),
        (BOTH, 1000, False, ""),
        (COUNT, 2, True, "More than 1 event waits for bot"),
        (COUNT, 1, True, ""),
        (AGE, 0, True, "An event has waited for bot longer than 30 min"),
        (AGE, 0, False, ""),
    ],
)  # fmt: skip
def test_what_is_above_a_limit_is_said_in_a_sentence(
    limit: BacklogLimit,
    count: int,
    has_old: bool,
    said: str,
) -> None:
    assert excess(limit, WaitingAmount(count=count, has_old=has_old)) == said


def test_it_is_over_at_half_of_the_count_and_when_nothing_old_is_left() -> None:
    assert is_over(BOTH, WaitingAmount(count=500, has_old=False))
    assert not is_over(BOTH, WaitingAmount(count=501, has_old=False))
    assert not is_over(BOTH, WaitingAmount(count=0, has_old=True))
    assert is_over(AGE, WaitingAmount(count=0, has_old=False))
    assert is_over(COUNT, WaitingAmount(count=0, has_old=True))
