"""The race between streams, with a clock that is a number."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from forwarder.core.event import EventId
from forwarder.core.streams.arrival_race import SETTLED_AFTER, ArrivalRace, Runner
from forwarder.core.streams.state import StreamState

NAMES = ("a", "b", "c")
SETTLED_S = SETTLED_AFTER.total_seconds()
USUAL_B = Runner("b", use_fast_x=False, ignore_full_payload=False)
SHORT_C = Runner("c", use_fast_x=True, ignore_full_payload=True)


class Scene:
    def __init__(self, *runners: Runner, capacity: int = 1000) -> None:
        self.states = {runner.name: StreamState(runner.name) for runner in runners}
        self.race = ArrivalRace(self.states, capacity=capacity)
        self.race.follow(runners)
        self.seen: set[str] = set()
        self.away: dict[str, tuple[float, float]] = {}

    def bring(self, stream: str, event: str, at: float, source: str = "x", *, sent: float | None = None) -> None:
        is_new = event not in self.seen
        sent_s = at if sent is None else sent
        self.race.note(EventId(event), source, stream, sent_s=sent_s, now_s=at, is_new=is_new)
        self.seen.add(event)

    def settle(self, at: float) -> None:
        self.race.settle(at, self._was_open)

    def _was_open(self, stream: str, since_s: float, until_s: float) -> bool:
        began, ended = self.away.get(stream, (float("inf"), float("inf")))
        return until_s < began or since_s > ended

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
    scene.settle(100)
    assert scene.counts("a") == scene.counts("b") == (1, 1, 0, 0)
    assert scene.states["b"].behind.longest_s == 0.2
    assert scene.states["a"].behind.longest_s == 0.5


def test_what_a_stream_does_not_bring_in_time_is_a_miss_and_of_one_that_was_away_another_kind_of_miss() -> None:
    scene = Scene(*runners("a", "b"))
    scene.bring("a", "1", 0.0)
    scene.bring("a", "2", 10.0)
    scene.settle(SETTLED_S - 0.1)
    assert scene.counts("b") == (0, 0, 0, 0)
    scene.away["b"] = (5.0, 20.0)  # known after the event had come
    scene.settle(10 + SETTLED_S)
    assert scene.counts("b") == (0, 0, 1, 1)
    scene.bring("b", "1", 60)  # too late to count as a copy
    assert scene.counts("b") == (0, 0, 1, 1)


def test_what_was_sent_while_a_stream_was_away_is_no_silent_loss_though_it_came_by_another_when_it_was_back() -> None:
    scene = Scene(*runners("a", "b"))
    scene.away["b"] = (0.0, 5.0)
    scene.bring("a", "1", 5.1, sent=4.9)
    scene.settle(100)
    assert scene.counts("b") == (0, 0, 0, 1)


def test_a_stream_is_not_to_bring_what_it_does_not_ask_for() -> None:
    scene = Scene(*runners("a"), USUAL_B, SHORT_C)
    scene.bring("a", "1", 0, "fast-x")
    scene.bring("a", "2", 0, "x")
    scene.bring("a", "3", 0, "telegram")
    scene.settle(100)
    assert scene.counts("b")[2] == 2
    assert scene.counts("c")[2] == 2


def test_what_one_stream_alone_is_to_bring_is_nobodys_win() -> None:
    scene = Scene(*runners("a"), USUAL_B)
    scene.bring("a", "1", 0, "fast-x")
    scene.settle(100)
    assert (scene.counts("a"), scene.counts("b")) == ((0, 0, 0, 0), (0, 0, 0, 0))


def test_two_copies_over_one_stream_count_once() -> None:
    scene = Scene(*runners("a", "b"))
    for at in (0, 1, 2):
        scene.bring("a", "1", at)
    for at in (3, 4):
        scene.bring("b", "1", at)
    scene.bring("a", "1", 5)
    assert (scene.counts("a"), scene.counts("b")) == ((1, 0, 0, 0), (0, 1, 0, 0))


def test_what_every_stream_has_brought_is_forgotten() -> None:
    scene = Scene(*runners("a", "b"))
    for stream in ("a", "b"):
        scene.bring(stream, "1", 0.0)
    assert not scene.race._events


@given(
    st.lists(st.tuples(st.booleans(), st.booleans()), min_size=3, max_size=3),
    st.lists(
        st.tuples(
            st.sampled_from(NAMES),
            st.sampled_from(["x", "fast-x", "telegram"]),
            st.integers(0, 3),
            st.floats(0, 50),
            st.booleans(),
        ),
        max_size=60,
    ),
)
def test_each_event_is_won_once_and_brought_or_missed_by_each_of_the_others_that_are_to_bring_it(
    asked: list[tuple[bool, bool]], steps: list[tuple[str, str, int, float, bool]]
) -> None:
    racing = {
        name: Runner(name, use_fast_x=fast, ignore_full_payload=short)
        for name, (fast, short) in zip(NAMES, asked, strict=True)
    }
    scene, now = Scene(*racing.values()), 0.0
    raced: set[str] = set()
    for stream, source, number, passes, settles in steps:
        now += passes
        if racing[stream].is_to_bring(source):
            event = f"{source} {number}"
            if event not in scene.seen and sum(each.is_to_bring(source) for each in racing.values()) > 1:
                raced.add(event)
            scene.bring(stream, event, now, source)
        if settles:
            scene.settle(now)
    scene.settle(now + 1000)
    assert sum(state.wins for state in scene.states.values()) == len(raced)
    for name, runner in racing.items():
        assert sum(scene.counts(name)) == sum(runner.is_to_bring(event.split()[0]) for event in raced)
        assert scene.states[name].behind.count == scene.states[name].copies
    assert not scene.race._events


@given(st.lists(st.integers(0, 100)), st.integers(1, 20))
def test_memory_is_bounded_whatever_comes_and_what_is_forgotten_is_missed_by_nobody(
    numbers: list[int], capacity: int
) -> None:
    scene = Scene(*runners("a", "b"), capacity=capacity)
    for number in numbers:
        scene.bring("a", str(number), 0.0)
        assert len(scene.race._events) <= capacity
    scene.settle(100)
    assert scene.counts("b")[2] == min(len(set(numbers)), capacity)


def test_after_a_reload_to_one_stream_there_is_no_race() -> None:
    scene = Scene(*runners("a", "b"))
    scene.bring("a", "1", 0.0)
    scene.race.follow(runners("a"))
    assert not scene.race.is_on
    assert not scene.race._events


def test_a_stream_that_a_reload_adds_has_missed_nothing_of_before() -> None:
    scene = Scene(*runners("a", "b", "c"))
    scene.race.follow(runners("a", "b"))
    scene.bring("a", "1", 0.0)
    scene.race.follow(runners("a", "b"))
    assert scene.race._events
    scene.race.follow(runners("a", "b", "c"))
    scene.settle(100)
    assert scene.counts("c") == (0, 0, 0, 0)


def test_an_event_is_not_over_until_every_other_stream_has_brought_it() -> None:
    scene = Scene(*runners("a", "b", "c"))
    scene.bring("a", "1", 0.0)
    scene.bring("b", "1", 0.1)
    scene.settle(100)
    assert scene.counts("c") == (0, 0, 1, 0)
    scene.bring("b", "2", 200.0)
    scene.bring("a", "2", 200.1)
    scene.bring("c", "2", 200.2)
    scene.settle(400)
    assert scene.counts("c") == (0, 1, 1, 0)


def test_events_beyond_the_capacity_are_not_judged() -> None:
    scene = Scene(*runners("a", "b"), capacity=2)
    for number in range(5):
        scene.bring("a", str(number), float(number))
    scene.settle(1000)
    assert scene.counts("a") == (5, 0, 0, 0)
    assert scene.counts("b") == (0, 0, 2, 0)


def test_a_stream_that_takes_no_part_wins_nothing_and_makes_no_misses() -> None:
    scene = Scene(*runners("a", "b"))
    scene.bring("public", "1", 0.0, "fast-x")
    scene.bring("a", "2", 1.0)
    scene.bring("public", "2", 1.1)
    scene.bring("b", "2", 1.2)
    scene.settle(100)
    assert scene.counts("a") == (1, 0, 0, 0)
    assert scene.counts("b") == (0, 1, 0, 0)
