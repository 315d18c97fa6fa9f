"""The backlogs of all lanes drain as fast as they can, but slower while fresh deliveries come."""

from forwarder.dispatch.backlog_throttle import BacklogThrottle


def most_in(throttle: BacklogThrottle, seconds: float, *, start: float) -> int:
    """Return how many deliveries of a backlog may go in a span of time, one after the other."""
    now, count = start, 0
    while now < start + seconds:
        if allowed_at := throttle.allowed_at(now):
            now = allowed_at
            continue
        throttle.take(now)
        count += 1
        now += 0.00001
    return count


def test_a_backlog_alone_is_not_slowed_down() -> None:
    assert most_in(BacklogThrottle(), 0.1, start=100) >= 9_900


def test_a_backlog_leaves_most_to_fresh_deliveries_for_a_second_after_each() -> None:
    throttle = BacklogThrottle()
    throttle.note_fresh(100)
    assert 350 <= most_in(throttle, 0.1, start=100) <= 460
    assert throttle.allowed_at(101.5) == 0
    throttle.note_fresh(102)
    assert 350 <= most_in(throttle, 0.1, start=102) <= 460
