"""Which bounds of a time are reported. The sentences are in tests/data/warnings."""

import pytest

from forwarder.core.config.hints.times import hints_of_timestamp
from forwarder.core.matching.values import Between, Compare, Operator


@pytest.mark.parametrize(
    ("test", "count"),
    [
        (Compare(Operator.GT, 1_767_225_600), 1),
        (Compare(Operator.GT, 1_767_225_600.5), 1),
        (Compare(Operator.GT, 1_767_225_600_000), 0),
        (Compare(Operator.GT, 0), 0),
        (Between(1_767_225_600, 1_767_312_000), 2),
        (Between(0, 1_767_312_000_000), 0),
    ],
)
def test_a_time_in_seconds_is_reported(test: Compare | Between, count: int) -> None:
    assert len(list(hints_of_timestamp(test))) == count
