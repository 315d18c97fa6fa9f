"""The race between streams, with a clock that is a number."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from forwarder.core import race
from forwarder.core.event import EventId
from forwarder.core.race import Race, Runner
from forwarder.core.stream_state import StreamCondition, StreamState

NAMES = ("a", "b", "c")
RUNNER_A = Runner("a", use_fast_x=True, ignore_full_payload=False)
RUNNER_B = Runner("b", use_fast_x=False, ignore_full_payload=False)
RUNNER_C = Runner("c", use_fast_x=True, ignore_full_payload=True)


class Scene:
    def __init__(self, *runners: Runner) -> None:
        self.states = {runner.name: StreamState(runner.name, StreamCondition.OPEN) for runner in runners}
        self.race = Race(self.states)
        self.race.follow(runners)
        self.seen: set[str] = set()

    def bring(self, stream: str, event: str, at: float, source: str = "x") -> None:
        self.race.note(EventId(event), source, stream, at, is_new=event not in self.seen)
        self.seen.add(event)

    def counts(self, stream: str) -> tuple[int, int, int, int]:
        state = self.states[stream]
        return state.wins, state.copies, state.missed_open, state.missed_away


def runners(*names: str) -> Sequence[Runner]:
    return [Runner(name, use_fast_x=True, ignore_full_payload=False) for name in names]


def test_the_first_copy_wins_and_the_others_are_behind() -> None:
    scene = Scene(*runners("a", "b"))
    scene.bring("a", "1", 0.0)
    scene.bring("b", "1", 0.2)
    scene.bring("b", "2", 1.0)
    scene.bring("a", "2", 1.5)
    scene.race.settle(100)
    assert scene.counts("a") == scene.counts("b") == (1, 1, 0, 0)
    assert scene.states["b"].behind.longest_s == 0.2
    assert scene.states["a"].behind.longest_s == 0.5


def test_what_a_stream_does_not_bring_in_time_is_a_miss_and_of_one_that_is_away_another_kind_of_miss() -> None:
    scene = Scene(*runners("a", "b"))
    scene.bring("a", "1", 0.0)
    scene.states["b"].condition = StreamCondition.WAITING
    scene.bring("a", "2", 1.0)
    scene.race.settle(29.9)
    assert scene.counts("b") == (0, 0, 0, 0)
    scene.race.settle(31)
    assert scene.counts("b") == (0, 0, 1, 1)
    scene.bring("b", "1", 32)  # too late to count as a copy
    assert scene.counts("b") == (0, 0, 1, 1)


def test_a_stream_is_not_to_bring_what_it_does_not_ask_for() -> None:
    scene = Scene(RUNNER_A, RUNNER_B, RUNNER_C)
    scene.bring("a", "1", 0, "fast-x")
    scene.bring("a", "2", 0, "x")
    scene.bring("a", "3", 0, "telegram")
    scene.race.settle(31)
    assert scene.counts("b")[2] == 2
    assert scene.counts("c")[2] == 2


def test_two_copies_over_one_stream_count_once() -> None:
    scene = Scene(*runners("a", "b"))
    for at in (0, 1, 2):
        scene.bring("a", "1", at)
    scene.bring("b", "1", 3)
    scene.bring("b", "1", 4)
    assert (scene.counts("a"), scene.counts("b")) == ((1, 0, 0, 0), (0, 1, 0, 0))


@given(st.lists(st.tuples(st.sampled_from(NAMES), st.integers(0, 9), st.floats(0, 20)), max_size=60))
def test_each_event_is_won_once_and_brought_or_missed_by_each_of_the_others(
    steps: list[tuple[str, int, float]],
) -> None:
    scene, now = Scene(*runners(*NAMES)), 0.0
    for stream, event, passes in steps:
        now += passes
        scene.bring(stream, str(event), now)
    scene.race.settle(now + 1000)
    states = scene.states.values()
    assert sum(state.wins for state in states) == len(scene.seen)
    assert sum(state.copies + state.missed_open for state in states) == len(scene.seen) * (len(NAMES) - 1)
    assert scene.race._events == {}


def test_memory_is_bounded_whatever_comes() -> None:
    scene = Scene(*runners("a", "b"))
    for number in range(race.CAPACITY + 500):
        scene.bring("a", str(number), 0.0)
    assert len(scene.race._events) <= race.CAPACITY
    assert scene.counts("b")[2] >= 500


def test_after_a_reload_to_one_stream_there_is_no_race() -> None:
    scene = Scene(*runners("a", "b"))
    scene.bring("a", "1", 0.0)
    scene.race.follow(runners("a"))
    assert not scene.race.is_on
    assert scene.race._events == {}
