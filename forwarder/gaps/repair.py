"""Repairs gaps: requests from the history of the tracked X accounts what was posted during a gap, and passes on what is missing.

It works on one gap after the other, and in a gap on one account after the other, as fast as the server allows. What was recovered is
on disk with its gap, so a restart can begin again without delivering anything twice.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from time import monotonic

import msgspec
import structlog

from forwarder.core.durations import spell
from forwarder.core.gaps.gap import Gap, GapId, Repair
from forwarder.core.gaps.repair_progress import ABANDON_AFTER, FAST_AND_FULL, FULL_ONLY, RepairProgress, span_of
from forwarder.core.ports import Clock
from forwarder.core.routing.first_word import FirstWords
from forwarder.gaps.history_client import Histories, HistoryClient, HistorySource
from forwarder.gaps.repair_run import RecoveredSink, RepairBook, RepairRun
from forwarder.streams.faults import FaultKind, StreamFaultError

SETTLE = timedelta(seconds=5)
"""How long to wait after the end of a gap: what the server was sending when the stream came back arrives in that time."""
_KNOWN_BEYOND = timedelta(hours=1)
"""How much later than its span a post may have been accepted."""
_LONGEST_SLEEP = timedelta(minutes=15)

_OFF_UNTIL = (
    "gaps are not repaired with this key until the next reload or restart; to keep it off, write gap_repair: false"
)

_BUSY = 10
"""So many posts before a gap make it odd that the gap has none."""
_LOOK_BACK_AT_MOST = timedelta(hours=1)

log = structlog.get_logger(__name__)


class RepairSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the config says about the repair of gaps."""

    sources: Mapping[str, HistorySource]
    """Where the gaps of each stream are repaired from, by the name of the stream; of those that want it."""
    kept_for: timedelta
    """How long the outbox keeps what was delivered."""
    settle: timedelta = SETTLE
    chance: Callable[[], float] = random.random
    """Returns numbers from 0 to 1."""


class Repairer:
    """Repairs the gaps of all streams that have `gap_repair`, one after the other."""

    def __init__(
        self,
        *,
        book: RepairBook,
        intake: RecoveredSink,
        settings: RepairSettings,
        wanted: asyncio.Event,
        recall: Callable[[datetime], Awaitable[FirstWords]],
        clock: Clock,
        histories: Histories | None = None,
    ) -> None:
        """`wanted` is set when a gap that is to be repaired has ended.

        `recall` returns which events went to which destinations since a time.
        """
        self._book = book
        self._intake = intake
        self._settings = settings
        self._former: dict[str, HistorySource] = {}
        """The sources of streams that a reload has removed."""
        self._wanted = wanted
        self._recall = recall
        self._clock = clock
        self._histories = Histories() if histories is None else histories
        self._progress: dict[GapId, RepairProgress] = {}
        self._refused: dict[str, str] = {}
        """Why the history does not accept a key, by the key. Nothing is requested with it any more."""

    def off(self) -> dict[str, str]:
        """Return why gaps are not repaired now although the config asks for it, by the name of the stream."""
        return {
            name: self._refused[source.api_key]
            for name, source in self._settings.sources.items()
            if source.api_key in self._refused
        }

    def follow(self, settings: RepairSettings) -> None:
        """Repair by these settings from now on, and look at once what that changes. Keys that were refused are tried again."""
        self._refused.clear()
        self._former.update(self._settings.sources)
        self._settings = settings
        self._wanted.set()

    async def run(self) -> None:
        """Repair gaps, forever."""
        while True:
            self._wanted.clear()
            wait_s = await self._look()
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._wanted.wait()

    async def _look(self) -> float | None:
        """Continue with each gap that is due; return in how many seconds the next one is."""
        gaps = await self._book.gaps_to_repair()
        self._progress = {gap.id: self._progress[gap.id] for gap in gaps if gap.id in self._progress}
        waits: list[float] = []
        for gap in gaps:
            source = self._source_of(gap.stream)
            if (progress := self._progress.get(gap.id)) is None:
                progress = self._progress[gap.id] = RepairProgress(gap, due_s=monotonic() + self._settles_in_s(gap))
            progress.note_source(source)
            now = self._clock()
            if now > (gap.ended or now) + ABANDON_AFTER:
                self._abandon(progress)
            elif source is None or source.api_key in self._refused:
                waits.append(_LONGEST_SLEEP.total_seconds())
            else:
                if (wait_s := progress.due_s - monotonic()) <= 0:
                    await self._continue(progress, source)
                    wait_s = progress.due_s - monotonic()
                if not progress.is_over and source.api_key not in self._refused:
                    waits.append(max(wait_s, 0.0))
        return min(waits, default=None)

    def _source_of(self, stream: str) -> HistorySource | None:
        """Return the source of a stream; of a removed or renamed one, that of another stream with its key."""
        sources, former = self._settings.sources, self._former.get(stream)
        if stream in sources or former is None:
            return sources.get(stream)
        return next((each for each in sources.values() if each.api_key == former.api_key), None)

    def _settles_in_s(self, gap: Gap) -> float:
        """Return how long to wait before a gap is repaired, at most `settle` even if the clock was set back."""
        left = (gap.ended or self._clock()) + self._settings.settle - self._clock()
        return min(max(left, timedelta()), self._settings.settle).total_seconds()

    async def _continue(self, progress: RepairProgress, source: HistorySource) -> None:
        gap = progress.gap
        if not progress.is_begun:
            progress.is_begun = True
            log.info(
                "gap.repair_started", gap_id=gap.id, stream=gap.stream, began=_text(gap.began), ended=_text(gap.ended)
            )
        try:
            async with self._histories.open(source) as history:
                with self._intake.repairing():
                    await (await self._run(progress, source, history)).run()
        except StreamFaultError as fault:
            if fault.kind is FaultKind.KEY_REFUSED:
                self._switch_off(progress, source, fault)
            else:
                self._postpone(progress, fault)
            return
        if not progress.left:
            note = progress.note()
            self._end(progress, Repair.PARTIAL if note else Repair.DONE, note or await self._doubt(progress))

    async def _doubt(self, progress: RepairProgress) -> str:
        """Return why it is odd that nothing was found, if it is: many posts came in the same length of time before the gap."""
        gap = progress.gap
        if progress.found or gap.found or gap.recovered:
            return ""
        length = min((gap.ended or self._clock()) - gap.began, _LOOK_BACK_AT_MOST)
        before = await self._book.posts_since(gap.began - length, until=gap.began, sources=FULL_ONLY)
        if len(before) < _BUSY:
            return ""
        return (
            f"no post was found, although {len(before)} posts of X came in the {spell(length)} before: does the account of this API key "
            "track them?"
        )

    async def _run(self, progress: RepairProgress, source: HistorySource, history: HistoryClient) -> RepairRun:
        gap = progress.gap
        span = span_of(gap, now=self._clock(), kept_for=self._settings.kept_for)
        known_as = FAST_AND_FULL if source.ignores_full else FULL_ONLY
        return RepairRun(
            progress=progress,
            history=history,
            span=span,
            known=await self._book.posts_since(span.since, until=span.until + _KNOWN_BEYOND, sources=known_as),
            earlier=await self._recall(span.since),
            sink=self._intake,
            book=self._book,
            clock=self._clock,
            arrived_at=span.until + self._settings.settle,
        )

    def _switch_off(self, progress: RepairProgress, source: HistorySource, fault: StreamFaultError) -> None:
        """Request nothing more with a key that the history does not accept: not every key may read it, and only a person can change that."""
        self._refused[source.api_key] = fault.sentence
        progress.reason = f"{fault.sentence}; {_OFF_UNTIL}"
        log.warning(
            "gap.repair_off", gap_id=progress.gap.id, stream=progress.gap.stream, reason=fault.sentence, note=_OFF_UNTIL
        )
        self._book.note_gap(progress.waiting())

    def _postpone(self, progress: RepairProgress, fault: StreamFaultError) -> None:
        needs_a_person = fault.kind is FaultKind.REDIRECTED
        wait_s = progress.postpone(
            fault.sentence,
            minimum=fault.minimum_wait,
            needs_a_person=needs_a_person,
            chance=self._settings.chance(),
            now_s=monotonic(),
        )
        if wait_s is not None:
            level = log.error if needs_a_person else log.warning
            level(
                "gap.repair_waiting",
                gap_id=progress.gap.id,
                stream=progress.gap.stream,
                reason=fault.sentence,
                next_try_in_s=round(wait_s, 1),
            )
            self._book.note_gap(progress.waiting())

    def _abandon(self, progress: RepairProgress) -> None:
        reason = progress.reason or "the stream no longer has gap_repair, or forwarder did not run"
        note = f"abandoned {ABANDON_AFTER // timedelta(hours=1)} hours after the gap: {reason}"
        self._end(progress, Repair.PARTIAL if progress.has_anything else Repair.FAILED, note)

    def _end(self, progress: RepairProgress, repair: Repair, note: str) -> None:
        gap = progress.end(repair, note)
        self._book.note_gap(gap)
        is_failed = repair is Repair.FAILED
        level = log.error if is_failed else log.info if repair is Repair.DONE and not note else log.warning
        level(
            "gap.repair_failed" if is_failed else "gap.repaired",
            gap_id=gap.id,
            stream=gap.stream,
            repair=str(repair),
            found=gap.found,
            recovered=gap.recovered,
            **({"note": note} if note else {}),
        )


def _text(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat(timespec="milliseconds")
