"""What becomes of the news of streams that are away and back: with a book in memory and a clock that is a number."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from forwarder.core.gaps import Gap, GapId, Repair
from forwarder.gap_keeper import GapKeeper, Kept, kept_of

START = datetime(2026, 1, 1, tzinfo=UTC)


def at(second: float) -> datetime:
    return START + timedelta(seconds=second)


@dataclass
class Book:
    gaps: dict[int, Gap] = field(default_factory=dict)
    heard: datetime | None = None
    last: datetime | None = None

    def new_gap_id(self) -> GapId:
        return GapId(len(self.gaps) + 1)

    def note_gap(self, gap: Gap) -> None:
        self.gaps[gap.id] = gap

    async def unended_gaps(self) -> list[Gap]:
        return [gap for gap in self.gaps.values() if gap.ended is None]

    def note_heard(self, at: datetime) -> None:
        self.heard = at

    async def last_heard(self) -> datetime | None:
        return self.last


class Scene:
    def __init__(self, *streams: tuple[str, str, bool], last: datetime | None = None) -> None:
        self.book = Book(last=last)
        self.now = START
        self.woken = 0
        self.streams = kept_of(streams or [("main", "key", True), ("backup", "key", False)])
        self.keeper = GapKeeper(streams=self._streams, on_repairable=self._wake, clock=lambda: self.now)

    def _streams(self) -> dict[str, Kept]:
        return self.streams

    def _wake(self) -> None:
        self.woken += 1

    def away(self, stream: str, began: float, noticed: float | None = None) -> None:
        self.now = at(began if noticed is None else noticed)
        self.keeper.note_away(stream, began=at(began), noticed=self.now, reason="cut")

    def open(self, stream: str, second: float) -> None:
        self.now = at(second)
        self.keeper.note_open(stream, self.now)

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
    await made.keeper.begin(made.book)
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
    await scene.keeper.begin(scene.book)
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
    scene.keeper.take_leave()
    assert scene.gaps == [("main", 100, None, False, Repair.PENDING)]
    again = Scene()
    again.book = scene.book
    again.book.last = scene.book.heard
    await again.keeper.begin(again.book)
    again.open("main", 130)
    again.open("backup", 131)  # it was not there before, so it is none of a stop; but nobody was there for it
    assert again.gaps[0] == ("main", 100, 130, False, Repair.PENDING)


async def test_a_kill_is_a_gap_from_the_last_time_that_was_written_down() -> None:
    scene = Scene(("main", "key", True), last=at(-40))
    await scene.keeper.begin(scene.book)
    scene.open("main", 2)
    scene.away("main", 3)
    scene.open("main", 4)
    assert scene.gaps == [("main", -40, 2, False, Repair.PENDING), ("main", 3, 4, False, Repair.PENDING)]


async def test_a_stream_that_a_reload_has_added_was_not_away_before() -> None:
    scene = Scene(("main", "key", True), last=at(-4000))
    await scene.keeper.begin(scene.book)
    scene.open("main", 2)
    scene.streams = kept_of([("main", "key", True), ("added", "key", True)])
    scene.open("added", 1000)
    assert scene.gaps == [("main", -4000, 2, False, Repair.PENDING)]


async def test_a_stream_that_was_open_before_its_predecessor_ended_has_no_gap() -> None:
    scene = Scene(("main", "key", True), last=at(5))
    scene.open("main", 2)  # before there was a book
    await scene.keeper.begin(scene.book)
    scene.open("main", 9)
    assert scene.gaps == []


async def test_what_was_handed_over_is_no_gap(scene: Scene) -> None:
    scene.open("main", 0)
    scene.now = at(100)
    scene.keeper.take_leave(is_handed_over=True)
    assert scene.gaps == []
    assert scene.book.heard == at(100)


async def test_a_stream_that_is_taken_away_has_no_gap_without_end(scene: Scene) -> None:
    scene.open("main", 0)
    scene.away("main", 10)
    scene.now = at(15)
    scene.keeper.forget("main")
    assert scene.gaps == [("main", 10, 15, False, Repair.PENDING)]
    left = Scene(("another", "key", True))
    left.book.note_gap(Gap(id=GapId(1), stream="gone", began=at(0), noticed=at(0), reason="cut"))
    await left.keeper.begin(left.book)
    assert left.gaps == [("gone", 0, 0, False, Repair.OFF)]
