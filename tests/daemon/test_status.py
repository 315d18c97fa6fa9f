"""The state of the daemon in a word, and the line for systemd."""

import pytest

from forwarder.core.monitoring.counters import Counters
from forwarder.daemon.status import state_of


@pytest.mark.parametrize(
    ("is_left", "is_stopping", "state"),
    [
        (False, False, "running"),
        (False, True, "stopping"),
        (True, True, "handing over"),
        (True, False, "handing over"),
    ],
)
def test_the_state_is_one_of_three(is_left: bool, is_stopping: bool, state: str) -> None:
    assert state_of(is_left=is_left, is_stopping=is_stopping) == state


def test_the_summary_has_what_was_seen_and_its_outcome() -> None:
    assert Counters(seen=3, delivered=2, dead=1).summary() == "3 events seen, 2 delivered, 1 dead"
