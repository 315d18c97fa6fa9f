"""Deliveries with a high priority go first, and normal ones still have their turn."""

from forwarder.core.dispatch.priority import PriorityTurns


def test_after_twenty_in_a_row_a_normal_one_is_first() -> None:
    turns = PriorityTurns()
    found = []
    for _ in range(45):
        found.append(turns.is_high_first)
        turns.note(is_high=turns.is_high_first)
    assert [number for number, is_high in enumerate(found) if not is_high] == [20, 41]
