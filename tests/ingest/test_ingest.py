"""What ingest makes of the two events of a post: which routes brought what decides, at the moment it is brought."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from forwarder.core.delivery import Delivery, DeliveryStatus, DestinationName
from forwarder.core.event import Event, NotAnEvent
from forwarder.core.gaps.gap import GapId
from forwarder.core.matching import compile_condition
from forwarder.core.monitoring.counters import Counters
from forwarder.core.routing.dedupe import RecentEvents
from forwarder.core.routing.first_word import FirstWords, OnFull, Prefer
from forwarder.core.routing.router import Route, Selection
from forwarder.core.yaml.tree import Scalar, Tree
from forwarder.ingest.ingest import Ingest, IngestListeners, IngestMemory
from forwarder.outbox.sqlite.file.connection import FileSettings
from forwarder.outbox.sqlite.opening import open_outbox
from forwarder.outbox.sqlite.outbox import SqliteOutbox
from tests.support.accepting_lanes import AcceptingLanes
from tests.support.outbox import attempt, audit
from tests.support.process import look
from tests.support.routing import ActiveTable, OneClock

BOT = DestinationName("bot")
FAST, FULL = "fast-x", "x"


def route(
    name: str,
    *sources: str,
    prefer: Prefer,
    to: Sequence[DestinationName] = (BOT,),
    wait: timedelta = timedelta(seconds=3),
) -> Route:
    tree: Tree = {"source": [Scalar(source, quoted=True) for source in sources]}
    condition = compile_condition(tree, lambda path, message: pytest.fail(f"{path}: {message}"))
    return Route(name=name, condition=condition, to=tuple(to), prefer=prefer, wait=wait)


FIRST_OF_BOTH = route("both", FAST, FULL, "telegram", prefer=Prefer.FIRST)
SECOND_FIRST = route("again", FAST, FULL, prefer=Prefer.FIRST)
FIRST_OF_FULL = route("full alone", FULL, prefer=Prefer.FIRST)
ALL_FAST, ALL_FULL = route("all fast", FAST, prefer=Prefer.ALL), route("all full", FULL, prefer=Prefer.ALL)


def frame(source: str, mid: int = 1, text: str = "hello") -> bytes:
    return json.dumps({"mid": mid, "sid": 7, "source": source, "timestamp": 1, "payload": {"text": text}}).encode()


class Scene:
    """An ingest with a real outbox, and lanes that take everything."""

    def __init__(self, outbox: SqliteOutbox) -> None:
        self.lanes = AcceptingLanes(may_wait=True)
        self.outbox = outbox
        self.now: datetime | None = None
        self.counters = Counters()
        self.words = FirstWords()
        self.active = ActiveTable()
        self.ingest = Ingest(
            active=self.active,
            memory=IngestMemory(
                recent=RecentEvents(timedelta(minutes=30)), first_words=self.words, limiter=self.active.limiter
            ),
            outbox=outbox,
            lanes=self.lanes,
            counters=self.counters,
            clock=OneClock(lambda: self.now or datetime.now(UTC)),
        )

    def reload(self, *routes: Route, on_full: OnFull = OnFull.IGNORE, off: bool = False) -> None:
        self.active.activate(*routes, on_full={BOT: on_full}, disabled={BOT} if off else frozenset())

    async def take(self, *sources: str, mid: int = 1) -> list[int]:
        """Bring an event of each source; return the places of those that went to the bot."""
        went = []
        for index, source in enumerate(sources):
            before = len(self.lanes.taken)
            await self.ingest.take(frame(source, mid, text=f"text {index}"))
            went += [index] * (len(self.lanes.taken) - before)
        return went


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.db"


@pytest.fixture
async def scene(path: Path) -> AsyncIterator[Scene]:
    async with open_outbox(FileSettings(path=path, durability="normal")) as outbox:
        yield Scene(outbox)


@pytest.mark.parametrize(
    ("routes", "sources", "went"),
    [
        ([FIRST_OF_BOTH], (FAST, FULL), [0]),
        ([FIRST_OF_BOTH], (FULL, FAST), [0]),
        ([FIRST_OF_BOTH, SECOND_FIRST], (FAST, FULL), [0]),
        ([FIRST_OF_BOTH, SECOND_FIRST], (FULL, FAST, FAST), [0]),
        # One route that says `all` is enough, whichever of the two it takes.
        ([FIRST_OF_BOTH, ALL_FAST], (FAST, FULL), [0, 1]),
        ([FIRST_OF_BOTH, ALL_FAST], (FULL, FAST), [0, 1]),
        ([FIRST_OF_BOTH, ALL_FULL], (FAST, FULL), [0, 1]),
        ([FIRST_OF_BOTH, ALL_FULL], (FULL, FAST), [0, 1]),
        ([ALL_FAST, ALL_FULL], (FAST, FULL), [0, 1]),
        # Two routes, each for one of the two, and both say `first`: it counts what the destination gets.
        ([route("fast", FAST, prefer=Prefer.FIRST), FIRST_OF_FULL], (FAST, FULL), [0]),
        ([FIRST_OF_FULL], (FAST, FULL), [1]),
        ([FIRST_OF_FULL, ALL_FAST], (FAST, FULL), [0, 1]),
        # Other sources have ids of their own.
        ([FIRST_OF_BOTH], ("telegram", FULL), [0, 1]),
        ([FIRST_OF_BOTH], (FAST, "telegram"), [0, 1]),
    ],
)
async def test_the_second_of_two_is_skipped_where_every_route_prefers_the_first(
    scene: Scene, routes: list[Route], sources: tuple[str, ...], went: list[int]
) -> None:
    scene.reload(*routes)
    assert await scene.take(*sources) == went
    assert await scene.take(*sources, mid=2) == went


async def test_each_route_that_matches_an_event_is_counted_once_for_it(scene: Scene) -> None:
    scene.reload(ALL_FAST, ALL_FULL, FIRST_OF_BOTH)
    await scene.take(FAST, FULL, "telegram")
    names = (ALL_FAST.name, ALL_FULL.name, FIRST_OF_BOTH.name)
    assert [scene.counters.matches[name] for name in names] == [1, 1, 3]
    assert (scene.counters.matched, sum(scene.counters.matches.values())) == (3, 5)


async def test_what_is_skipped_is_in_the_outbox_with_its_reason_and_everything_is_accounted_for(path: Path) -> None:
    async with open_outbox(FileSettings(path=path, durability="normal")) as outbox:
        scene = Scene(outbox)
        scene.reload(FIRST_OF_BOTH)
        await scene.take(FAST, FULL)
        await scene.ingest.take(frame(FULL, text="text 1"))  # a duplicate
    assert look(path, "SELECT status, reason, closed_ms NOT NULL, attempts FROM deliveries ORDER BY event_seq") == [
        ("in_flight", None, 0, 0),
        ("skipped", "preferred", 1, 0),
    ]
    assert (scene.counters.skipped, scene.counters.duplicates) == (1, 1)
    found = audit(path)
    assert found.is_balanced
    assert found.ended_as("preferred") == 1


async def test_a_reload_holds_from_the_next_event_on(scene: Scene) -> None:
    scene.reload(FIRST_OF_BOTH)
    assert await scene.take(FAST, mid=1) == [0]
    scene.reload(ALL_FAST, ALL_FULL)
    assert await scene.take(FULL, mid=1) == [0]
    assert await scene.take(FAST, mid=2) == [0]
    scene.reload(FIRST_OF_BOTH)
    assert await scene.take(FULL, mid=2) == [0]  # its first word was not brought as the one of two
    assert await scene.take(FAST, mid=3) == [0]
    scene.reload(SECOND_FIRST, on_full=OnFull.SEND)  # by another route, and to be sent
    assert await scene.take(FULL, mid=3) == [0]
    assert await scene.take(FAST, mid=4) == [0]
    scene.reload(FIRST_OF_BOTH)
    assert await scene.take(FULL, mid=4) == []


async def test_what_a_destination_did_not_get_while_it_was_off_does_not_replace_the_other(scene: Scene) -> None:
    scene.reload(FIRST_OF_BOTH, off=True)
    assert await scene.take(FAST) == []
    scene.reload(FIRST_OF_BOTH)
    assert await scene.take(FULL) == [0]


async def test_an_edit_names_the_event_whose_message_it_changes(scene: Scene) -> None:
    scene.reload(FIRST_OF_BOTH, on_full=OnFull.EDIT)
    assert await scene.take("telegram", FAST, FULL, FULL) == [0, 1, 2, 3]
    telegram, first, full, fuller = scene.lanes.taken
    assert (telegram.edits, first.edits) == (None, None)
    assert (full.edits, fuller.edits) == (first.event_seq, full.event_seq)


async def test_nothing_is_remembered_where_no_route_prefers_the_first(scene: Scene) -> None:
    scene.reload(ALL_FAST, ALL_FULL)
    await scene.take(FAST, FULL)
    assert len(scene.words) == 0


NOW = datetime(2026, 1, 1, tzinfo=UTC)
FULL_TEXT = route("full", FAST, FULL, prefer=Prefer.FULL)
HOW = "SELECT e.source, d.status, d.reason, d.awaits_full FROM deliveries AS d JOIN events AS e ON e.seq = d.event_seq ORDER BY e.seq"


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


async def claimed(scene: Scene, at: datetime, *, is_early: bool = False) -> list[int]:
    claim = await scene.outbox.claim(BOT, now=at, limit=10, is_early=is_early)
    return [delivery.event_seq for delivery in claim.deliveries]


async def take_at(scene: Scene, source: str, seconds: float, *, mid: int = 1) -> list[int]:
    scene.now = after(seconds)
    return await scene.take(source, mid=mid)


async def test_a_first_word_waits_in_the_outbox_and_its_full_text_takes_its_place(path: Path) -> None:
    async with open_outbox(FileSettings(path=path, durability="normal")) as outbox:
        scene = Scene(outbox)
        scene.reload(FULL_TEXT)
        assert await take_at(scene, FAST, 0) == []
        assert scene.lanes.looks == [after(3)]
        assert (await outbox.claim(BOT, now=after(2.9), limit=10)).next_due == after(3)
        assert look(path, HOW) == [(FAST, "pending", None, 1)]
        assert await take_at(scene, FULL, 1) == [0]
        assert await claimed(scene, after(3)) == []  # on disk it may still wait
        assert await take_at(scene, FAST, 2) == []
    assert look(path, HOW) == [
        (FAST, "skipped", "preferred", 0),
        (FULL, "in_flight", None, 0),
    ]
    assert (scene.counters.skipped, scene.counters.duplicates) == (1, 1)
    found = audit(path)
    assert found.is_balanced
    assert (found.ended_as("preferred"), found.waiting) == (1, 1)


async def test_one_that_no_full_text_has_replaced_goes_when_its_wait_is_over(scene: Scene, path: Path) -> None:
    scene.reload(FULL_TEXT)
    await take_at(scene, FAST, 0)
    assert await claimed(scene, after(2.9)) == []
    assert await claimed(scene, after(3)) == [1]
    assert await take_at(scene, FULL, 3.1) == []
    scene.reload(FULL_TEXT, on_full=OnFull.EDIT)
    assert await take_at(scene, FAST, 4, mid=2) == []
    assert await take_at(scene, FULL, 7, mid=2) == [0]
    assert scene.lanes.taken[-1].edits == 3


async def test_neither_a_probe_nor_the_end_of_an_outage_ends_a_wait(scene: Scene) -> None:
    scene.reload(FULL_TEXT)
    await take_at(scene, FAST, 0)
    assert await claimed(scene, after(1), is_early=True) == []
    await scene.outbox.expedite(BOT, now=after(1))
    assert await claimed(scene, after(2.9)) == []
    assert await claimed(scene, after(3), is_early=True) == [1]


async def test_one_that_a_lane_has_is_not_replaced_even_by_a_clock_that_was_set_back(scene: Scene) -> None:
    scene.reload(FULL_TEXT)
    await take_at(scene, FAST, 0)
    assert await claimed(scene, after(3)) == [1]
    assert await take_at(scene, FULL, 1) == []


@pytest.mark.parametrize("is_repair", [False, True], ids=["stream", "repair"])
async def test_a_full_text_that_waits_for_room_does_not_replace_a_first_word_that_went_meanwhile(
    scene: Scene, path: Path, *, is_repair: bool
) -> None:
    scene.reload(FULL_TEXT)
    await take_at(scene, FAST, 0)
    assert await scene.outbox.settle()
    scene.outbox._queue.has_room.clear()
    scene.now = after(1)
    full = frame(FULL, text="full")
    taking = asyncio.ensure_future(
        scene.ingest.recover(full, GapId(1), FirstWords()) if is_repair else scene.ingest.take(full)
    )
    await asyncio.sleep(0)
    scene.now = after(10)
    (first,) = (await scene.outbox.claim(BOT, now=after(3), limit=10)).deliveries
    scene.outbox.complete(first, attempt(200))
    assert await scene.outbox.settle()  # which makes room
    await taking
    assert await scene.outbox.settle()
    assert scene.lanes.taken == []
    assert look(path, HOW) == [(FAST, "delivered", None, 0), (FULL, "skipped", "preferred", 0)]
    assert look(path, "SELECT max(accepted_ms) FROM events") == [(int(after(10).timestamp() * 1000),)]


@pytest.mark.parametrize(
    ("routes", "sources", "went"),
    [
        ([FULL_TEXT, ALL_FAST], (FAST, FULL), [0, 1]),
        # The first word that waits was chosen by a route that prefers the full one alone; it goes too, when it is due.
        ([FULL_TEXT, ALL_FULL], (FAST, FULL), [1]),
        ([FULL_TEXT, SECOND_FIRST], (FAST, FULL), [0]),  # a mix counts as first
        ([FULL_TEXT, SECOND_FIRST], (FULL, FAST), [0]),
        ([route("fast", FAST, prefer=Prefer.FULL), FIRST_OF_FULL], (FAST, FULL), [1]),
        ([FULL_TEXT], (FULL, FAST, FULL), [0, 2]),
    ],
)
async def test_several_routes_to_a_destination_that_prefers_the_full_text(
    scene: Scene, routes: list[Route], sources: tuple[str, ...], went: list[int]
) -> None:
    scene.reload(*routes)
    assert await scene.take(*sources) == went


async def test_of_several_waits_the_shortest_counts(scene: Scene) -> None:
    scene.reload(FULL_TEXT, route("short", FAST, prefer=Prefer.FULL, wait=timedelta(seconds=1)))
    await take_at(scene, FAST, 0)
    assert scene.lanes.looks == [after(1)]


async def test_a_full_text_that_is_not_for_this_destination_changes_nothing(scene: Scene, path: Path) -> None:
    scene.reload(
        route("fast", FAST, prefer=Prefer.FULL), route("full", FULL, prefer=Prefer.FULL, to=[DestinationName("other")])
    )
    await take_at(scene, FAST, 0)
    assert await take_at(scene, FULL, 1) == [0]
    assert await claimed(scene, after(3)) == [1]


async def test_an_event_of_another_source_with_the_same_mid_is_left_alone(scene: Scene) -> None:
    scene.reload(route("everything", FAST, "telegram", prefer=Prefer.FULL))
    assert await take_at(scene, FAST, 0) == []
    assert await take_at(scene, "telegram", 1) == [0]
    assert await claimed(scene, after(3)) == [1]


async def test_attempts_start_only_when_the_outbox_has_the_event(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    other = DestinationName("other")
    scene.reload(route("both", FAST, prefer=Prefer.ALL, to=[BOT, other]))
    stored: list[Delivery] = []
    enqueue = scene.outbox.enqueue

    def checked(event: Event, event_seq: int, deliveries: Any, **named: Any) -> None:  # noqa: ANN401 - as what it checks
        assert scene.lanes.reserved == deliveries[DeliveryStatus.IN_FLIGHT]
        assert scene.lanes.taken == stored
        enqueue(event, event_seq, deliveries, **named)
        stored.extend(deliveries[DeliveryStatus.IN_FLIGHT])

    monkeypatch.setattr(scene.outbox, "enqueue", checked)
    await scene.take(FAST)
    await scene.take(FAST, mid=2)
    assert scene.lanes.taken == stored
    assert len(stored) == 4
    assert scene.lanes.reserved == []


async def test_an_event_that_the_outbox_does_not_take_gives_its_places_back(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.reload(route("both", FAST, prefer=Prefer.ALL, to=[BOT, DestinationName("other")]))

    def refuse(*_arguments: Any, **_named: Any) -> None:  # noqa: ANN401 - as what it replaces
        assert len(scene.lanes.reserved) == 2
        raise MemoryError

    monkeypatch.setattr(scene.outbox, "enqueue", refuse)
    with pytest.raises(MemoryError):
        await scene.take(FAST)
    assert scene.lanes.reserved == []
    assert scene.lanes.taken == []


async def test_a_lane_that_fails_to_reserve_does_not_keep_the_places_of_others(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.reload(route("both", FAST, prefer=Prefer.ALL, to=[BOT, DestinationName("other")]))
    reserve = scene.lanes.reserve

    def only_the_first(delivery: Delivery) -> AcceptingLanes | None:
        if delivery.destination != BOT:
            raise MemoryError
        return reserve(delivery)

    monkeypatch.setattr(scene.lanes, "reserve", only_the_first)
    with pytest.raises(MemoryError):
        await scene.take(FAST)
    assert scene.lanes.reserved == []


async def test_what_has_no_place_is_stored_as_pending_and_its_lane_learns_of_it_then(
    scene: Scene, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.reload(ALL_FAST)
    noted: list[tuple[int, int]] = []

    def note(delivery: Delivery) -> None:
        known = scene.outbox.state_of(BOT, delivery.event_seq)
        assert known is not None
        noted.append((delivery.event_seq, known.is_open))

    monkeypatch.setattr(scene.lanes, "reserve", lambda _: None)
    monkeypatch.setattr(scene.lanes, "note_pending", note)
    await scene.take(FAST)
    await scene.outbox.settle()
    assert look(path, "SELECT status FROM deliveries") == [("pending",)]
    assert noted == [(1, True)]


@pytest.mark.parametrize("source", ["forwarder", "Forwarder", "forwarder-alerts", " FORWARDER"])
async def test_what_a_stream_or_a_repair_brings_cannot_look_like_a_notice_of_ours(
    scene: Scene, path: Path, source: str
) -> None:
    scene.reload(route("all", source, prefer=Prefer.ALL))
    with capture_logs() as lines:
        assert await scene.take(source) == []
        assert not await scene.ingest.recover(frame(source), GapId(1), FirstWords())
    assert scene.counters.odd_frames == {NotAnEvent.OWN_SOURCE: 2}
    assert scene.counters.seen == 0
    assert [(line["event"], line["kind"]) for line in lines] == [("stream.odd_frame", "own_source")]
    assert look(path, "SELECT count(*) FROM events") == [(0,)]


class Watch:
    """Keeps what it is notified of while it wants to be."""

    def __init__(self) -> None:
        self.is_watched = False
        self.seen: list[tuple[str, str, list[str] | None]] = []

    def note_event(self, event: Event, stream: str, selection: Selection | None, at: datetime) -> None:
        assert at.tzinfo is UTC
        self.seen.append((event.mid, stream, None if selection is None else list(selection.chosen)))


async def test_who_watches_is_notified_of_each_event_with_its_stream_and_of_none_before(path: Path) -> None:
    watch, active = Watch(), ActiveTable(ALL_FAST)
    async with open_outbox(FileSettings(path=path, durability="normal")) as outbox:
        ingest = Ingest(
            active=active,
            memory=IngestMemory(recent=RecentEvents(timedelta(minutes=30)), limiter=active.limiter),
            outbox=outbox,
            lanes=AcceptingLanes(),
            counters=Counters(),
            clock=OneClock(lambda: datetime.now(UTC)),
            listeners=IngestListeners(watch=watch),
        )
        await ingest.take(frame(FAST, 1), stream="first")
        watch.is_watched = True
        await ingest.take(frame(FAST, 1), stream="second")
        await ingest.take(frame(FAST, 2), stream="second")
        await ingest.take(frame(FULL, 3), stream="first")
    assert watch.seen == [("1", "second", None), ("2", "second", [BOT]), ("3", "first", [])]
