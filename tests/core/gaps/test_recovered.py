"""No post is delivered twice because a repair and a stream bring it."""

from datetime import UTC, datetime, timedelta

from forwarder.core.gaps.recovered import RecoveredPosts

NOW = datetime(2026, 1, 1, tzinfo=UTC)
WINDOW = timedelta(minutes=30)
A, B, C = ("1", "7"), ("2", "7"), ("3", "7")


def test_a_post_that_was_recovered_is_a_duplicate_of_the_stream_for_as_long_as_the_window() -> None:
    posts = RecoveredPosts(WINDOW)
    assert posts.is_new(A, now=NOW)
    assert not posts.is_new(A, now=NOW)
    assert posts.is_duplicate(A, now=NOW + WINDOW - timedelta(seconds=1))
    assert not posts.is_duplicate(A, now=NOW + WINDOW)
    assert not posts.is_duplicate(B, now=NOW)


def test_with_a_window_of_zero_nothing_is_a_duplicate() -> None:
    posts = RecoveredPosts(timedelta())
    assert posts.is_new(A, now=NOW)
    assert not posts.is_duplicate(A, now=NOW)


def test_what_a_stream_brings_during_any_repair_is_not_new_to_it() -> None:
    posts = RecoveredPosts(WINDOW)
    posts.is_duplicate(A, now=NOW)  # before a repair: the outbox has it
    with posts.repairing():
        with posts.repairing():
            assert not posts.is_duplicate(B, now=NOW)
        assert not posts.is_new(B, now=NOW)  # the outer repair is still running
        assert posts.is_new(A, now=NOW)
    assert posts.is_new(B, now=NOW)


def test_posts_of_an_earlier_process_are_remembered_and_the_oldest_are_forgotten_first() -> None:
    posts = RecoveredPosts(WINDOW, capacity=2)
    posts.recall({C: NOW, A: NOW - timedelta(seconds=2), B: NOW - timedelta(seconds=1)})
    assert not posts.is_duplicate(A, now=NOW)
    assert posts.is_duplicate(B, now=NOW)
    assert posts.is_duplicate(C, now=NOW)
