"""The repair of gaps with a real outbox, a real ingest and the emulator's history: everything once, whatever comes between."""

import asyncio
import dataclasses
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs

from forwarder.core.delivery import DestinationName
from forwarder.core.gaps.gap import Gap, Repair
from forwarder.core.matching import EVERYTHING
from forwarder.core.monitoring.counters import Counters
from forwarder.core.routing.dedupe import RecentEvents
from forwarder.core.routing.first_word import CAPACITY, FirstWords, Prefer
from forwarder.core.routing.router import Route
from forwarder.emulator.server import Emulator
from forwarder.emulator.settings import EmulatorSettings
from forwarder.gaps.history_client import Histories, HistorySource
from forwarder.gaps.repair import Repairer, RepairSettings
from forwarder.ingest.ingest import Ingest, IngestMemory
from forwarder.outbox.sqlite.file.connection import FileSettings
from forwarder.outbox.sqlite.opening import open_outbox
from forwarder.outbox.sqlite.outbox import SqliteOutbox
from tests.support.accepting_lanes import AcceptingLanes
from tests.support.outbox import audit
from tests.support.process import look
from tests.support.routing import ActiveTable, OneClock

BOT = DestinationName("bot")
BEGAN = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=10)
ENDED = BEGAN + timedelta(minutes=5)
S = timedelta(seconds=1)
ALL = Route(name="all", condition=EVERYTHING, to=(BOT,))
FIRST = replace(ALL, prefer=Prefer.FIRST)


def post(mid: int, at: datetime, *, sid: str = "7", source: str = "x") -> bytes:
    author = {"id": sid, "screen_name": f"a{sid}"}
    payload = {"id": str(mid), "text": f"text {mid}", "created_at": at.isoformat(), "lang": "en", "author": author}
    event = {"mid": str(mid), "sid": sid, "source": source, "timestamp": at.timestamp() * 1000, "payload": payload}
    return json.dumps(event).encode()


class Scene:
    """One process, as far as a repair needs one."""

    def __init__(self, outbox: SqliteOutbox, emulator: Emulator, *, route: Route = ALL) -> None:
        self.outbox = outbox
        self.emulator = emulator
        self.lanes = AcceptingLanes()
        self.counters = Counters()
        self.source: HistorySource | None = HistorySource(stream="main", url=emulator.ws_url, api_key="test-key")
        self.kept_for = timedelta(hours=24)
        self.clock: Callable[[], datetime] = lambda: datetime.now(UTC)
        self.active = ActiveTable(route)
        self.ingest = Ingest(
            active=self.active,
            memory=IngestMemory(recent=RecentEvents(timedelta(minutes=30)), limiter=self.active.limiter),
            outbox=outbox,
            lanes=self.lanes,
            counters=self.counters,
            clock=OneClock(lambda: self.clock()),  # noqa: PLW0108 - it is set later
        )
        self.wanted = asyncio.Event()
        self.repairer = Repairer(
            book=outbox.gaps,
            intake=self.ingest,
            settings=self.settings(),
            wanted=self.wanted,
            recall=self._recall,
            clock=lambda: self.clock(),  # noqa: PLW0108 - it is set later
            histories=Histories(requests=1_000, per_s=1),
        )

    def settings(self) -> RepairSettings:
        """Return what the config says now."""
        sources = {} if self.source is None else {self.source.stream: self.source}
        return RepairSettings(sources=sources, kept_for=self.kept_for, settle=timedelta(), chance=lambda: 0.0)

    async def _recall(self, since: datetime) -> FirstWords:
        words = FirstWords(timedelta(days=9))
        for brought in await self.outbox.recent_posts(since=since - timedelta(minutes=10), limit=CAPACITY):
            words.recall(brought, self.active.routing_table.router.once)
        return words

    @property
    def recovered(self) -> list[str]:
        return [str(json.loads(delivery.body)["mid"]) for delivery in self.lanes.taken if delivery.is_recovered]

    def gap(self, began: datetime = BEGAN, ended: datetime = ENDED) -> Gap:
        gap = Gap(
            id=self.outbox.gaps.new_gap_id(),
            stream="main",
            began=began,
            noticed=began,
            ended=ended,
            reason="cut",
            repair=Repair.PENDING,
        )
        self.outbox.gaps.note_gap(gap)
        self.wanted.set()
        return gap

    async def until(self, holds: Callable[[Gap], bool], limit_s: float = 90) -> Gap:
        """Return the first gap once that holds of it as it is written."""
        async with asyncio.timeout(limit_s):
            while True:
                await self.outbox.settle()
                if holds(gap := _gap(self.outbox)):
                    return gap
                await asyncio.sleep(0.02)

    async def repaired(self) -> Gap:
        return await self.until(lambda gap: gap.repair is not Repair.PENDING)


def _gap(outbox: SqliteOutbox) -> Gap:
    rows = look(outbox._database.path, "SELECT repair, found, recovered, note FROM gaps ORDER BY id LIMIT 1")
    ((repair, found, recovered, note),) = rows
    return Gap(
        id=outbox.gaps.new_gap_id(),
        stream="main",
        began=BEGAN,
        noticed=BEGAN,
        reason="",
        repair=Repair(repair),
        found=found,
        recovered=recovered,
        note=note,
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.db"


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    async with Emulator(EmulatorSettings(history_limit=1_000, history_per_s=1, has_recent=False)) as emulator:
        yield emulator


@asynccontextmanager
async def repairing(path: Path, emulator: Emulator, *, route: Route = ALL) -> AsyncIterator[Scene]:
    async with open_outbox(FileSettings(path=path, durability="normal")) as outbox:
        scene = Scene(outbox, emulator, route=route)
        task = asyncio.ensure_future(scene.repairer.run())
        try:
            yield scene
        finally:
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled(), task.exception()


async def test_what_is_missing_in_the_span_comes_oldest_first_and_no_more(path: Path, emulator: Emulator) -> None:
    async with repairing(path, emulator) as scene:
        for mid, at in enumerate(
            (BEGAN - 31 * S, BEGAN - 29 * S, BEGAN + S, ENDED - S, ENDED + 29 * S, ENDED + 31 * S)
        ):
            await emulator.send(post(mid, at))
        await emulator.send(post(10, BEGAN + 5 * S))
        scene.clock = lambda: BEGAN
        await scene.ingest.take(post(10, BEGAN + 5 * S))
        scene.clock = lambda: datetime.now(UTC)
        scene.gap()
        gap = await scene.repaired()
        assert scene.recovered == ["1", "2", "3", "4"]
        assert (gap.repair, gap.found, gap.recovered, gap.note) == (Repair.DONE, 5, 4, "")
    assert look(path, "SELECT count(*) FROM recovered_events") == [(4,)]
    assert audit(path).is_balanced


@pytest.mark.parametrize(("count", "is_odd"), [(9, False), (12, True)])
async def test_a_repair_that_finds_nothing_after_a_busy_time_is_a_warning(
    path: Path, emulator: Emulator, count: int, is_odd: bool
) -> None:
    async with repairing(path, emulator) as scene:
        scene.clock = lambda: BEGAN - S
        for mid in range(1, count + 1):
            await scene.ingest.take(post(mid, BEGAN - S))
        scene.clock = lambda: datetime.now(UTC)
        scene.gap()
        with capture_logs() as lines:
            gap = await scene.repaired()
    assert (gap.repair, gap.found) == (Repair.DONE, 0)
    assert ("no post was found, although 12 posts" in gap.note) == is_odd
    (line,) = (line for line in lines if line["event"] == "gap.repaired")
    assert line["log_level"] == ("warning" if is_odd else "info")


async def test_a_long_history_is_paged_and_each_account_is_asked(path: Path, emulator: Emulator) -> None:
    async with repairing(path, emulator) as scene:
        for mid in range(250):
            await emulator.send(post(mid, BEGAN + mid * S, sid="7"))
        for mid in range(300, 310):
            await emulator.send(post(mid, BEGAN + S, sid=str(mid)))
        scene.gap()
        assert (await scene.repaired()).recovered == 260
        assert scene.recovered[:250] == [str(mid) for mid in range(250)]
        assert emulator.history.stats.asked == 3 + 10


async def test_a_stream_that_brings_a_recovered_post_later_brings_a_duplicate(path: Path, emulator: Emulator) -> None:
    async with repairing(path, emulator) as scene:
        await emulator.send(post(1, BEGAN + S))
        scene.gap()
        await scene.repaired()
        await scene.ingest.take(post(1, BEGAN + S))
        assert (len(scene.lanes.taken), scene.counters.duplicates, scene.counters.recovered) == (1, 1, 1)
        await scene.ingest.take(post(1, BEGAN + S, source="fast-x"))
        assert len(scene.lanes.taken) == 2


async def test_a_post_that_a_stream_brings_during_the_repair_is_not_recovered(path: Path, emulator: Emulator) -> None:
    async with repairing(path, emulator) as scene:
        for mid in (1, 2):
            await emulator.send(post(mid, BEGAN + S, sid=str(mid)))
        original = scene.ingest.recover

        async def recover_after_the_stream(*what: object) -> bool:
            await scene.ingest.take(post(2, BEGAN + S, sid="2"))
            return await original(*what)  # type: ignore[arg-type] # as they came

        scene.ingest.recover = recover_after_the_stream  # type: ignore[method-assign, assignment] # a stream comes in between
        scene.gap()
        gap = await scene.repaired()
        assert scene.recovered == ["1"]
        assert (gap.found, gap.recovered, len(scene.lanes.taken)) == (2, 1, 2)


async def test_an_interrupted_repair_is_gone_on_with_and_brings_nothing_twice(path: Path, emulator: Emulator) -> None:
    for mid in range(1, 6):
        await emulator.send(post(mid, BEGAN + mid * S, sid=str(mid)))
    async with repairing(path, emulator) as scene:
        emulator.refuse(503, path="/account/history")
        scene.gap()
        gap = await scene.until(lambda gap: bool(gap.note))
        assert (gap.repair, gap.note) == (Repair.PENDING, "the history is busy or broken (HTTP 503)")
        emulator.clear()
        scene.source = (
            dataclasses.replace(scene.source, api_key="wrong") if scene.source else None
        )  # asked at once: it is another one
        scene.repairer.follow(scene.settings())
        gap = await scene.until(lambda gap: "API key" in gap.note)
        assert "wrong" not in gap.note
        scene.ingest.recover = _stop_after(3, scene.ingest.recover)  # type: ignore[method-assign, assignment] # as a kill does
        scene.source = HistorySource(stream="main", url=emulator.ws_url, api_key="test-key")
        scene.repairer.follow(scene.settings())
        await scene.until(lambda gap: gap.recovered == 3)
    async with repairing(path, emulator) as scene:
        gap = await scene.repaired()
        assert scene.recovered == ["4", "5"]
        assert (gap.repair, gap.found, gap.recovered, gap.note) == (Repair.DONE, 5, 5, "")
    assert look(path, "SELECT count(*), count(DISTINCT mid) FROM events") == [(5, 5)]


def _stop_after(count: int, recover: Callable[..., object]) -> Callable[..., object]:
    left = [count]

    async def stop(*what: object) -> object:
        if not left[0]:
            await asyncio.Event().wait()
        left[0] -= 1
        return await recover(*what)  # type: ignore[misc] # it is a coroutine

    return stop


async def test_an_account_that_is_gone_does_not_stop_the_others(path: Path, emulator: Emulator) -> None:
    async with repairing(path, emulator) as scene:
        for mid in (1, 2, 3):
            await emulator.send(post(mid, BEGAN + S, sid=str(mid)))
        tracked = emulator.history.list_tracked()
        emulator.history.list_tracked = lambda: tracked  # type: ignore[method-assign] # a list that was cached
        emulator.history.untrack("2")
        scene.gap()
        gap = await scene.repaired()
        assert scene.recovered == ["1", "3"]
        assert gap.repair is Repair.PARTIAL
        assert gap.note == "the posts of 1 account could not be fetched (a2: the history does not know it)"


async def test_what_was_written_after_the_gap_is_left_to_the_stream_for_a_while(
    path: Path, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("forwarder.core.gaps.repair_progress.MARGIN", 2 * S)
    async with repairing(path, emulator) as scene:
        ended = datetime.now(UTC) - timedelta(milliseconds=100)
        await emulator.send(post(1, ended - S))
        await emulator.send(post(2, ended + S))
        await emulator.send(post(3, ended + S))
        scene.gap(ended - timedelta(minutes=1), ended)
        await scene.until(lambda gap: gap.recovered == 1)
        await scene.ingest.take(post(3, ended + S))
        gap = await scene.repaired()
        assert scene.recovered == ["1", "2"]
        assert (gap.recovered, len(scene.lanes.taken)) == (2, 3)


async def test_the_first_word_of_a_post_is_enough_for_who_wants_the_first_alone(path: Path, emulator: Emulator) -> None:
    async with repairing(path, emulator, route=FIRST) as scene:
        scene.clock = lambda: BEGAN
        await scene.ingest.take(post(1, BEGAN, source="fast-x"))
        await scene.outbox.settle()
        scene.clock = lambda: BEGAN + timedelta(hours=1)  # longer than is remembered for streams
        for mid in (1, 2):
            await emulator.send(post(mid, BEGAN + S))
        scene.gap()
        gap = await scene.repaired()
        assert scene.recovered == ["2"]
        assert gap.recovered == 2
    assert look(path, "SELECT reason FROM deliveries WHERE status = 'skipped'") == [("preferred",)]


async def test_no_margin_is_before_a_gap_of_which_the_outbox_knows_no_more_what_came_before(
    path: Path, emulator: Emulator
) -> None:
    async with repairing(path, emulator) as scene:
        scene.kept_for = timedelta(minutes=1)
        scene.repairer.follow(scene.settings())
        await emulator.send(post(1, BEGAN - S))
        await emulator.send(post(2, BEGAN + S))
        scene.gap()
        assert (await scene.repaired()).recovered == 1
        assert scene.recovered == ["2"]


async def test_the_gap_of_a_renamed_stream_is_repaired_from_the_history_of_the_stream_with_its_key(
    path: Path, emulator: Emulator
) -> None:
    async with repairing(path, emulator) as scene:
        emulator.refuse(503, path="/track/x")
        await emulator.send(post(1, BEGAN + S))
        scene.gap()
        await scene.until(lambda gap: bool(gap.note))
        emulator.clear()
        assert scene.source is not None
        for changes in ({"api_key": "another"}, {"stream": "primary"}):  # the second has the key of before
            scene.source = HistorySource(
                **{"stream": "other", "url": emulator.ws_url, "api_key": "test-key"} | changes  # type: ignore[arg-type] # all are texts
            )
            scene.repairer.follow(scene.settings())
        assert (await scene.repaired()).repair is Repair.DONE
        assert scene.recovered == ["1"]


async def test_it_is_given_up_after_a_day(path: Path, emulator: Emulator) -> None:
    async with repairing(path, emulator) as scene:
        scene.source = None
        scene.repairer.follow(scene.settings())
        scene.gap(BEGAN - timedelta(days=2), ENDED - timedelta(days=2))
        gap = await scene.repaired()
        assert (gap.repair, gap.note[:28]) == (Repair.FAILED, "abandoned 24 hours after the")
        assert emulator.history.stats.listed == 0


async def test_what_the_server_has_in_memory_comes_whole_and_many_accounts_in_one_answer(path: Path) -> None:
    async with (
        Emulator(EmulatorSettings(history_limit=1_000, history_per_s=1)) as emulator,
        repairing(path, emulator) as scene,
    ):
        for mid in range(130):
            await emulator.send(post(mid, BEGAN + mid * S, sid=str(1000 + mid)))
        scene.gap()
        gap = await scene.repaired()
        assert (gap.repair, gap.found, gap.recovered, gap.note) == (Repair.DONE, 130, 130, "")
        assert scene.recovered == [str(mid) for mid in range(130)]
        assert {json.loads(delivery.body)["payload"]["lang"] for delivery in scene.lanes.taken} == {"en"}
        assert (emulator.history.stats.recent, emulator.history.stats.asked) == (2, 130)


@pytest.mark.parametrize("status", [403, 422, 302])
async def test_where_it_says_nothing_of_its_memory_the_history_is_asked_alone(path: Path, status: int) -> None:
    async with (
        Emulator(EmulatorSettings(history_limit=1_000, history_per_s=1)) as emulator,
        repairing(path, emulator) as scene,
    ):
        await emulator.send(post(1, BEGAN + S))
        emulator.refuse(status, path="/x/tweets/recent")
        scene.gap()
        gap = await scene.repaired()
        assert (gap.repair, gap.recovered, gap.note) == (Repair.DONE, 1, "")
        assert "lang" not in json.loads(scene.lanes.taken[0].body)["payload"]


@pytest.mark.parametrize("status", [401, 403])
async def test_a_key_without_access_to_the_history_switches_the_repair_off_until_the_next_reload(
    path: Path, status: int
) -> None:
    async with Emulator() as emulator, repairing(path, emulator) as scene:
        await emulator.send(post(1, BEGAN + S))
        emulator.refuse(status, path="/track/x")
        with capture_logs() as logs:
            scene.gap(began=BEGAN)
            scene.gap(began=BEGAN + 2 * S)
            gap = await scene.until(lambda gap: bool(gap.note))
            scene.wanted.set()
            await scene.until(lambda _gap: not scene.wanted.is_set())
        sentence = f"the history does not accept the API key (HTTP {status}): the key may receive a stream and have no access to the history"
        assert scene.repairer.off() == {"main": sentence}
        (line,) = [line for line in logs if line["log_level"] in {"warning", "error"}]
        assert (line["event"], line["reason"]) == ("gap.repair_off", sentence)
        assert (gap.repair, gap.note) == (
            Repair.PENDING,
            f"{sentence}; gaps are not repaired with this key until the next reload or restart; to keep it off, write gap_repair: false",
        )
        assert emulator.stats.refused == 1
        emulator.clear()
        scene.repairer.follow(scene.settings())
        assert (await scene.repaired()).repair is Repair.DONE
        assert scene.recovered == ["1"]
        assert scene.repairer.off() == {}
