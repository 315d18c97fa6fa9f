"""What is recorded when streams are away and back: with a book in memory and a clock that is a number."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from forwarder.core.gaps.gap import Gap, GapId, Repair
from forwarder.gaps.recorder import GapRecorder, gap_settings_of, gaps_left
from forwarder.ingest.startup_buffer import StartupGapNotes
from tests.support.gaps import Book

START = datetime(2026, 1, 1, tzinfo=UTC)


def at(second: float) -> datetime:
    return START + timedelta(seconds=second)


class Wanted(asyncio.Event):
    """Counts how often it was set."""

    times = 0

    def set(self) -> None:
        self.times += 1
        super().set()


class Scene:
    def __init__(self, *streams: tuple[str, str, bool], last: datetime | None = None) -> None:
        self.book = Book(last=last)
        self.now = START
        self.read_until: datetime | None = None
        self.wanted = Wanted()
        self.streams = gap_settings_of(streams or [("main", "key", True), ("backup", "key", False)])
        self.notes = StartupGapNotes()

    async def begin(self) -> None:
        """Have the book from now on, with what an earlier process left in it."""
        left = await gaps_left(self.book, began=START)
        self.keeper = GapRecorder(self.book, self.streams, left, repair_wanted=self.wanted, clock=lambda: self.now)
        self.notes.open(self.keeper)

    @property
    def woken(self) -> int:
        """How often somebody was to repair something."""
        return self.wanted.times

    def away(self, stream: str, began: float, noticed: float | None = None) -> None:
        self.now = at(began if noticed is None else noticed)
        self.notes.note_away(stream, began=at(began), noticed=self.now, reason="cut")

    def open(self, stream: str, second: float) -> None:
        self.now = at(second)
        self.notes.note_open(stream, self.now)

    def reload(self, *streams: tuple[str, str, bool]) -> None:
        """Have these streams from now on, as a reload does it."""
        before, self.streams = self.streams, gap_settings_of(streams)
        self.keeper.follow(self.streams)
        for name in before.keys() - self.streams.keys():
            self.notes.forget(name, read_until=self.read_until)

    @property
    def gaps(self) -> list[tuple[str, float, float | None, bool, Repair]]:
        return [
            (
                gap.stream,
                (gap.began - START).total_seconds(),
                None if gap.ended is None else (gap.ended - START).total_seconds(),
                gap.is_covered,
                gap.repair,
            )
            for gap in self.book.gaps.values()
        ]


@pytest.fixture
async def scene() -> Scene:
    made = Scene()
    await made.begin()
    return made


async def test_the_first_connection_ever_is_no_gap(scene: Scene) -> None:
    scene.open("main", 1)
    assert scene.gaps == []
    assert scene.book.heard == at(1)


async def test_a_gap_has_its_start_and_its_end_and_is_to_be_repaired(scene: Scene) -> None:
    scene.open("main", 0)
    scene.away("main", 10, noticed=15)
    assert scene.gaps == [("main", 10, None, False, Repair.PENDING)]
    assert scene.woken == 0
    scene.open("main", 20)
    assert scene.gaps == [("main", 10, 20, False, Repair.PENDING)]
    assert scene.woken == 1


async def test_one_that_another_stream_of_the_same_key_covers_needs_no_repair(scene: Scene) -> None:
    scene.open("main", 0)
    scene.open("backup", 0)
    scene.away("main", 10)
    scene.open("main", 20)
    assert scene.gaps == [("main", 10, 20, True, Repair.NOT_NEEDED)]
    assert scene.woken == 0


async def test_one_that_a_stream_of_another_key_covers_is_repaired_all_the_same() -> None:
    scene = Scene(("main", "key", True), ("backup", "another", False))
    await scene.begin()
    scene.open("main", 0)
    scene.open("backup", 0)
    scene.away("main", 10)
    scene.open("main", 20)
    assert scene.gaps == [("main", 10, 20, True, Repair.PENDING)]
    assert scene.woken == 1


async def test_one_whose_cover_turns_out_to_have_been_dead_is_repaired_after_all(scene: Scene) -> None:
    scene.open("main", 0)
    scene.open("backup", 0)
    scene.away("main", 10)
    scene.open("main", 20)
    scene.away("backup", 12, noticed=60)
    assert scene.gaps == [("main", 10, 20, False, Repair.PENDING), ("backup", 12, None, False, Repair.OFF)]
    assert scene.woken == 1


async def test_a_stop_is_a_gap_that_the_next_run_ends(scene: Scene) -> None:
    scene.open("main", 0)
    scene.now = at(100)
    scene.keeper.flush_on_stop({})
    assert scene.gaps == [("main", 100, None, False, Repair.PENDING)]
    again = Scene()
    again.book = scene.book
    again.book.last = scene.book.heard
    await again.begin()
    again.open("main", 130)
    again.open("backup", 131)  # it was not there before, so it is none of a stop; but nobody was there for it
    assert again.gaps[0] == ("main", 100, 130, False, Repair.PENDING)


async def test_what_may_be_unread_at_a_stop_is_in_the_gap(scene: Scene) -> None:
    scene.open("main", 0)
    scene.open("backup", 0)
    scene.now = at(100)
    scene.keeper.flush_on_stop({"main": at(93), "backup": at(101)})
    assert scene.gaps == [("main", 93, None, False, Repair.PENDING), ("backup", 100, None, False, Repair.OFF)]


async def test_what_may_be_unread_when_the_only_stream_is_renamed_is_in_the_gap() -> None:
    scene = Scene(("main", "key", True))
    await scene.begin()
    scene.open("main", 0)
    scene.now, scene.read_until = at(100), at(93)
    scene.reload(("renamed", "key", True))
    scene.open("renamed", 101)
    assert scene.gaps == [("renamed", 93, 101, False, Repair.PENDING)]


async def test_a_removed_stream_covers_nothing_that_may_be_unread() -> None:
    scene = Scene(("main", "key", True), ("backup", "key", True))
    await scene.begin()
    scene.open("main", 0)
    scene.open("backup", 0)
    scene.away("main", 94)
    scene.now, scene.read_until = at(100), at(93)
    scene.reload(("main", "key", True))
    scene.open("main", 101)
    assert scene.gaps == [("main", 94, 101, False, Repair.PENDING)]


async def test_a_kill_is_a_gap_from_the_last_time_that_was_written_down() -> None:
    scene = Scene(("main", "key", True), last=at(-40))
    await scene.begin()
    scene.open("main", 2)
    scene.away("main", 3)
    scene.open("main", 4)
    assert scene.gaps == [("main", -40, 2, False, Repair.PENDING), ("main", 3, 4, False, Repair.PENDING)]


async def test_a_stream_that_a_reload_has_added_was_not_away_before() -> None:
    scene = Scene(("main", "key", True), last=at(-4000))
    await scene.begin()
    scene.open("main", 2)
    scene.keeper.follow(gap_settings_of([("main", "key", True), ("added", "key", True)]))
    scene.open("added", 1000)
    assert scene.gaps == [("main", -4000, 2, False, Repair.PENDING)]


async def test_a_stream_that_was_open_before_its_predecessor_ended_has_no_gap() -> None:
    scene = Scene(("main", "key", True), last=at(5))
    scene.open("main", 2)  # before there was a book
    await scene.begin()
    scene.open("main", 9)
    assert scene.gaps == []


async def test_what_was_handed_over_is_no_gap(scene: Scene) -> None:
    scene.open("main", 0)
    scene.now = at(100)
    scene.keeper.flush_on_stop({}, is_handed_over=True)
    assert scene.gaps == []
    assert scene.book.heard == at(100)


async def test_the_time_after_the_only_stream_was_renamed_is_a_gap_until_it_is_open_under_its_new_name() -> None:
    scene = Scene(("main", "key", True))
    await scene.begin()
    scene.open("main", 0)
    scene.now = at(10)
    scene.reload(("primary", "key", True))
    assert scene.gaps == [("main", 10, None, False, Repair.PENDING)]
    assert scene.book.gaps[1].reason == "stream main was removed from the config, and no other stream was open"
    scene.now = at(12)
    scene.reload(("third", "key", True))  # renamed again before it was ever open
    assert scene.woken == 0
    scene.open("third", 17)
    assert scene.gaps == [("third", 10, 17, False, Repair.PENDING)]  # the stream whose history it is repaired from
    assert scene.woken == 1
    scene.away("third", 30)
    scene.open("third", 31)
    assert scene.gaps[1:] == [("third", 30, 31, False, Repair.PENDING)]


async def test_a_stream_without_repair_that_ends_the_gap_of_a_removed_one_leaves_nothing_to_repair() -> None:
    scene = Scene(("main", "key", True))
    await scene.begin()
    scene.open("main", 0)
    scene.now = at(10)
    scene.reload(("primary", "another", False))
    scene.open("primary", 17)
    assert scene.gaps == [("primary", 10, 17, False, Repair.OFF)]
    assert scene.woken == 0


async def test_a_stream_that_is_renamed_and_renamed_back_has_one_gap() -> None:
    scene = Scene(("main", "key", False))
    await scene.begin()
    scene.open("main", 0)
    scene.now = at(10)
    scene.reload(("primary", "key", False))
    scene.now = at(20)
    scene.reload(("main", "key", False))
    scene.open("main", 21)
    assert scene.gaps == [("main", 10, 21, False, Repair.OFF)]


async def test_a_stream_that_is_removed_while_another_is_open_or_has_a_gap_needs_none_of_its_own(scene: Scene) -> None:
    scene.open("main", 0)
    scene.open("backup", 0)
    scene.now = at(10)
    scene.reload(("main", "key", True))
    assert scene.gaps == []
    scene.reload(("main", "key", True), ("backup", "key", False))
    scene.open("backup", 20)
    scene.away("backup", 30)
    scene.now = at(40)
    scene.reload(("backup", "key", False))
    assert scene.gaps == [("backup", 30, None, False, Repair.OFF)]


async def test_all_streams_that_are_replaced_at_once_leave_one_gap(scene: Scene) -> None:
    scene.open("main", 0)
    scene.open("backup", 0)
    scene.now = at(10)
    scene.reload(("other", "another", False))
    scene.open("other", 11)
    assert scene.gaps == [("other", 10, 11, False, Repair.OFF)]


async def test_the_gap_of_a_stream_ends_at_its_removal_if_another_stream_is_open(scene: Scene) -> None:
    scene.open("main", 0)
    scene.open("backup", 0)
    scene.away("main", 10)
    scene.now = at(15)
    scene.reload(("backup", "key", False))
    assert scene.gaps == [("main", 10, 15, True, Repair.NOT_NEEDED)]
    assert scene.book.gaps[1].note == "the stream is no longer in the config"


async def test_what_a_removed_stream_covered_stays_covered() -> None:
    scene = Scene(("main", "key", True), ("backup", "key", False), ("third", "key", False))
    await scene.begin()
    scene.open("main", 0)
    scene.open("backup", 0)
    scene.away("main", 5)
    scene.open("third", 8)
    scene.now = at(10)
    scene.reload(("main", "key", True), ("third", "key", False))
    scene.open("main", 20)
    assert scene.gaps[0][:4] == ("main", 5, 20, True)


async def test_the_gap_of_a_stream_outlasts_its_removal_if_no_other_stream_is_open(scene: Scene) -> None:
    scene.open("main", 0)
    scene.away("main", 10)
    scene.now = at(15)
    scene.reload(("backup", "key", False))
    assert scene.gaps == [("main", 10, None, False, Repair.PENDING)]
    scene.open("backup", 20)
    assert scene.gaps == [("backup", 10, 20, False, Repair.OFF)]


async def test_the_time_since_a_kill_is_a_gap_also_if_the_stream_is_renamed_before_it_is_open() -> None:
    scene = Scene(("main", "key", True), last=at(-40))
    await scene.begin()
    scene.now = at(5)
    scene.reload(("primary", "key", True))
    scene.open("primary", 9)
    assert scene.gaps == [("primary", -40, 9, False, Repair.PENDING)]


async def test_a_gap_that_was_left_of_a_stream_that_is_gone_lasts_until_another_is_open() -> None:
    left = Scene(("another", "key", True), last=at(1))
    left.book.note_gap(Gap(id=GapId(1), stream="gone", began=at(0), noticed=at(0), reason="cut"))
    left.book.note_gap(Gap(id=GapId(2), stream="too", began=at(1), noticed=at(1), reason="cut"))
    left.now = at(3)
    await left.begin()
    assert left.gaps == [("gone", 0, None, False, Repair.OFF), ("too", 1, 3, False, Repair.OFF)]
    left.open("another", 4)
    assert left.gaps == [("another", 0, 4, False, Repair.PENDING), ("too", 1, 3, False, Repair.OFF)]


async def test_a_gap_that_was_left_of_a_stream_that_is_gone_ends_where_another_has_one() -> None:
    left = Scene(("main", "key", True))
    for number, stream in enumerate(("gone", "main"), start=1):
        left.book.note_gap(Gap(id=GapId(number), stream=stream, began=at(0), noticed=at(0), reason="cut"))
    left.now = at(3)
    await left.begin()
    assert left.gaps == [("gone", 0, 3, False, Repair.OFF), ("main", 0, None, False, Repair.OFF)]


async def test_the_public_stream_covers_no_gap_of_a_stream_with_a_key_and_such_a_stream_none_of_it() -> None:
    scene = Scene(("main", "key", True), ("tryout", "", False))
    await scene.begin()
    scene.open("main", 0)
    scene.open("tryout", 0)
    scene.away("main", 10)
    scene.open("main", 20)
    scene.away("tryout", 30)
    scene.open("tryout", 40)
    assert scene.gaps == [("main", 10, 20, False, Repair.PENDING), ("tryout", 30, 40, False, Repair.OFF)]


async def test_two_public_streams_cover_each_other() -> None:
    scene = Scene(("one", "", False), ("two", "", False))
    await scene.begin()
    scene.open("one", 0)
    scene.open("two", 0)
    scene.away("one", 10)
    scene.open("one", 20)
    assert scene.gaps == [("one", 10, 20, True, Repair.OFF)]


async def test_the_gap_of_a_removed_stream_lasts_until_a_stream_with_a_key_is_open_whatever_the_public_one_does() -> (
    None
):
    scene = Scene(("main", "key", True), ("next", "key", True), ("tryout", "", False))
    await scene.begin()
    scene.open("main", 0)
    scene.open("tryout", 0)
    scene.away("tryout", 5)
    scene.now = at(10)
    scene.reload(("next", "key", True), ("tryout", "", False))
    scene.open("tryout", 15)
    scene.open("next", 20)
    assert scene.gaps == [("tryout", 5, 15, False, Repair.OFF), ("next", 10, 20, False, Repair.PENDING)]


async def test_where_only_the_public_stream_is_left_it_ends_the_gap_of_a_removed_one() -> None:
    scene = Scene(("main", "key", True), ("tryout", "", False))
    await scene.begin()
    scene.open("main", 0)
    scene.away("main", 5)
    scene.now = at(10)
    scene.reload(("tryout", "", False))
    scene.open("tryout", 20)
    assert scene.gaps == [("tryout", 5, 20, False, Repair.OFF)]


async def test_gaps_are_counted_by_their_stream_those_of_an_earlier_process_as_well() -> None:
    scene = Scene(last=START - timedelta(minutes=5))
    await scene.begin()
    assert scene.keeper.recorded() == {"backup": 0, "main": 0}
    scene.open("main", 1)  # which ends the gap since the last run
    scene.away("main", 10)
    scene.away("main", 11)  # the same one
    scene.open("main", 12)
    scene.away("backup", 20)
    assert scene.keeper.recorded() == {"backup": 1, "main": 2}
