"""What is covered, against the plain way: look at each moment."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from forwarder.core.gaps.uptime import Uptime

START = datetime(2026, 1, 1, tzinfo=UTC)
STEPS = st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 5), st.integers(0, 3)), max_size=25)


def at(second: float) -> datetime:
    return START + timedelta(seconds=second)


def test_every_stream_that_is_or_was_open_is_known() -> None:
    coverage = Uptime()
    for name in "ab":
        coverage.note_open(name, at(0))
    coverage.note_away("a", at(5))
    coverage.note_away("c", at(5))
    assert coverage.streams == {"a", "b"}


@given(STEPS, st.integers(0, 60), st.integers(1, 30))
def test_a_gap_is_covered_where_each_moment_of_it_is(
    steps: list[tuple[str, int, int]], began: int, length: int
) -> None:
    coverage, now = Uptime(), 0
    since: dict[str, int] = {}
    spans: list[tuple[str, float, float]] = []
    for name, wait, late in steps:  # each step opens what is closed, and closes what is open
        now += wait
        if name in since:
            heard = max(now - late, 0)
            coverage.note_away(name, at(heard))
            spans.append((name, since.pop(name), heard))
        else:
            coverage.note_open(name, at(now))
            since[name] = now
    spans += [(name, begin, float("inf")) for name, begin in since.items()]
    moments = [began + part / 2 for part in range(2 * length + 1)]
    expected = all(any(name in "ab" and begin <= each <= end for name, begin, end in spans) for each in moments)
    assert coverage.is_covered(at(began), at(began + length), by=("a", "b")) == expected
    by_one_span = any(name == "a" and begin <= began and began + length <= end for name, begin, end in spans)
    assert coverage.was_open("a", at(began), at(began + length)) == by_one_span


def test_what_is_long_past_is_forgotten_and_counts_as_not_covered() -> None:
    coverage = Uptime()
    for second in range(0, 4000, 2):
        coverage.note_open("a", at(second))
        coverage.note_away("a", at(second + 1))
    assert coverage.is_covered(at(3998.2), at(3998.8), by="a")
    assert not coverage.is_covered(at(0.2), at(0.8), by="a")


def test_a_stream_was_open_for_as_long_as_one_opening_and_one_sign_of_life_say_so() -> None:
    coverage = Uptime()
    coverage.note_open("a", at(0))
    coverage.note_away("a", at(10))
    coverage.note_open("a", at(12))
    assert coverage.is_open("a")
    assert coverage.was_open("a", at(0), at(10))
    assert coverage.was_open("a", at(12), at(99))
    assert not coverage.was_open("a", at(9), at(11))
    assert not coverage.was_open("a", at(9), at(13))
    assert not coverage.was_open("a", at(-1), at(3))
    assert not coverage.was_open("b", at(0), at(1))


def test_a_stream_that_was_never_open_and_one_without_a_sign_of_life_cover_nothing() -> None:
    coverage = Uptime()
    coverage.note_away("a", at(5))
    coverage.note_open("a", at(10))
    coverage.note_away("a", at(10))
    assert not coverage.was_open("a", at(10), at(10))
    assert not coverage.is_covered(at(1), at(2), by="a")
