"""Records gaps: what the supervisors report when a stream is away and back, and what a stop or a kill leaves open."""

import asyncio
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec
import structlog
from msgspec.structs import replace

from forwarder.clocks.periodic import periodic
from forwarder.core.gaps.gap import Gap, GapBook, Repair
from forwarder.core.gaps.uptime import Uptime
from forwarder.core.ports import Clock

_HEARD_EVERY = timedelta(seconds=10)
"""How often it is written that a stream is open, which makes the beginning of a gap after a kill known to that time."""
_REVISED_FOR = timedelta(minutes=5)
"""For how long a covered gap is judged again if the stream that covered it turns out to have been dead."""
_REMOVED = "the stream is no longer in the config"

log = structlog.get_logger(__name__)


class StreamGapSettings(msgspec.Struct, frozen=True):
    """Holds what the config says about the gaps of one stream."""

    repairs: bool
    """Whether gaps are repaired."""
    same_key: frozenset[str]
    """The other streams that bring the same events, because they have the same API key."""
    is_public: bool = False
    """Whether it is the public stream, which brings only a part of each event: it covers nothing of the others, and they nothing of it."""


class GapsLeft(msgspec.Struct, frozen=True, kw_only=True):
    """What an earlier process left in the book."""

    at: datetime
    """When this process began."""
    unended: Sequence[Gap] = ()
    """Gaps that have no end yet."""
    last_heard: datetime | None = None
    """Until when a stream of that process was known to be open."""


async def gaps_left(book: GapBook, *, began: datetime) -> GapsLeft:
    """Return what an earlier process left in the book; this one began at `began`."""
    return GapsLeft(at=began, unended=await book.unended_gaps(), last_heard=await book.last_heard())


class GapRecorder:
    """Records when each stream was not open: its gaps go to the book. See `core.ports.GapRecord`."""

    def __init__(
        self,
        book: GapBook,
        streams: Mapping[str, StreamGapSettings],
        left: GapsLeft,
        *,
        repair_wanted: asyncio.Event,
        clock: Clock,
    ) -> None:
        """`left` is what an earlier process left open. `repair_wanted` is set when a gap that is to be repaired has ended."""
        self._book = book
        self._streams = streams
        self._known = dict(streams)
        """The settings of these streams, and the last ones of streams that a reload has removed."""
        self._repair_wanted = repair_wanted
        self._clock = clock
        self._recorded = Counter[str]()
        self._coverage = Uptime()
        self._open = {gap.stream: gap for gap in left.unended if gap.stream in streams}
        """The gap of each stream that is away."""
        self._of_removed: Gap | None = None
        """The gap of a stream that is no longer in the config, while nothing else is open or away. The next stream to open ends it."""
        self._covered: list[Gap] = []
        """Gaps of the last minutes that other streams covered."""
        self._began = left.at
        self._last_run = left.last_heard
        self._not_yet_open = set(streams)
        """Streams of the start that have not been open since."""
        for gap in sorted(left.unended, key=lambda gap: gap.began):
            if gap.stream not in streams:
                self._keep_of_removed(gap)

    def follow(self, streams: Mapping[str, StreamGapSettings]) -> None:
        """These are the streams from now on."""
        self._streams = streams
        self._known.update(streams)

    def recorded(self) -> dict[str, int]:
        """Return how many gaps of each stream were recorded since the start."""
        return {name: self._recorded[name] for name in sorted(self._streams)}

    async def run(self) -> None:
        """Write at intervals that a stream is open, forever."""
        await periodic(_HEARD_EVERY, self._note_heard)

    def _note_heard(self) -> None:
        if any(self._coverage.is_open(name) for name in self._streams):
            self._book.note_heard(self._clock())

    def note_away(self, stream: str, *, began: datetime, noticed: datetime, reason: str) -> None:
        """Note that a stream is away, which begins a gap."""
        self._coverage.note_away(stream, began)
        if stream not in self._open:
            self._open[stream] = gap = self._begin(stream, began=began, noticed=noticed, reason=reason)
            self._book.note_gap(gap)
        self._revise(stream, began)

    def note_open(self, stream: str, at: datetime) -> None:
        """Note that a stream is open, which ends its gap, and the one that a removed stream has left."""
        gap = self._open.pop(stream, None) or (self._taken_over_by(stream) if stream in self._counting else None)
        if gap is None and not self._coverage.is_open(stream):
            gap = self._since_last_run(stream, at)
        self._coverage.note_open(stream, at)
        self._not_yet_open.discard(stream)
        if gap is not None:
            self._end(replace(gap, ended=max(at, gap.began)))
        self._note_heard()

    def forget(self, stream: str, *, read_until: datetime | None) -> None:
        """Note that a reload has removed a stream from the config. If no other stream is open, a gap lasts until one is.

        If it was open, the gap begins with `read_until`: what was sent later may have been unread.
        """
        now = self._clock()
        began = now if read_until is None else min(read_until, now)
        was_open = self._coverage.is_open(stream)
        self._coverage.note_away(stream, began)
        gap = self._open.pop(stream, None)
        if gap is None and not self._is_accounted_for():
            if was_open:
                reason = f"stream {stream} was removed from the config, and no other stream was open"
                gap = self._begin(stream, began=began, noticed=now, reason=reason)
            else:
                gap = self._since_last_run(stream, now)
        self._not_yet_open.discard(stream)
        if gap is not None:
            self._keep_of_removed(gap)

    def _taken_over_by(self, stream: str) -> Gap | None:
        """Return the gap that a removed stream has left, as one of the stream that ends it and whose history repairs it."""
        gap, self._of_removed = self._of_removed, None
        return None if gap is None else replace(gap, stream=stream, repair=self._repair_of(stream))

    def _keep_of_removed(self, gap: Gap) -> None:
        """Keep the gap of a removed stream until any stream opens, or end it if the time from now on is accounted for without it."""
        if self._is_accounted_for():
            self._end(replace(gap, ended=max(self._clock(), gap.began), note=_REMOVED))
        else:
            self._of_removed = gap
            self._book.note_gap(gap)

    def _is_accounted_for(self) -> bool:
        """Return whether a stream is open now, or a gap says that none is."""
        counting = self._counting
        return (
            self._of_removed is not None
            or not counting.isdisjoint(self._open)
            or any(map(self._coverage.is_open, counting))
        )

    @property
    def _counting(self) -> frozenset[str]:
        """The streams that can account for the time of a removed one: those with a key, or all where none has one."""
        with_key = frozenset(name for name, settings in self._streams.items() if not settings.is_public)
        return with_key or frozenset(self._streams)

    def was_open(self, stream: str, since: datetime, until: datetime) -> bool:
        """Return whether a stream was open all the time between the two, as far as is known."""
        return self._coverage.was_open(stream, since, until)

    def flush_on_stop(self, read_until: Mapping[str, datetime], *, is_handed_over: bool = False) -> None:
        """Begin a gap for each open stream, because the process ends; not if a successor holds the streams already.

        `read_until` says by stream from when on what was sent may have been unread.
        """
        now = self._clock()
        self._note_heard()
        if not is_handed_over:
            for stream in [name for name in self._streams if self._coverage.is_open(name)]:
                began = min(read_until.get(stream, now), now)
                self.note_away(stream, began=began, noticed=now, reason="forwarder was stopped")

    def _since_last_run(self, stream: str, at: datetime) -> Gap | None:
        """Return the gap that a kill has left, and that no process could record."""
        last = self._last_run
        if last is None or last >= at or stream not in self._not_yet_open:
            return None
        return self._begin(stream, began=last, noticed=self._began, reason="forwarder was not running")

    def _begin(self, stream: str, *, began: datetime, noticed: datetime, reason: str) -> Gap:
        self._recorded[stream] += 1
        return Gap(
            id=self._book.new_gap_id(),
            stream=stream,
            began=began,
            noticed=noticed,
            reason=reason,
            repair=self._repair_of(stream),
        )

    def _repair_of(self, stream: str) -> Repair:
        return Repair.PENDING if self._settings(stream).repairs else Repair.OFF

    def _end(self, gap: Gap) -> None:
        gap = self._judge(gap)
        self._book.note_gap(gap)
        if gap.is_covered:
            self._covered = [*(each for each in self._covered if self._is_recent(each)), gap]
        level = log.info if gap.is_covered else log.warning
        level(
            "stream.gap",
            stream=gap.stream,
            length_s=round((gap.length or timedelta()).total_seconds(), 3),
            began=gap.began.isoformat(timespec="milliseconds"),
            is_covered=gap.is_covered,
            repair=str(gap.repair),
            reason=gap.reason,
        )
        if gap.repair is Repair.PENDING:
            self._repair_wanted.set()

    def _judge(self, gap: Gap) -> Gap:
        """Return the gap with whether other streams covered it, and whether it is to be repaired."""
        ended = gap.ended or self._clock()
        settings = self._settings(gap.stream)
        others = {
            name
            for name in self._coverage.streams - {gap.stream}
            if self._settings(name).is_public == settings.is_public
        }
        needs_none = self._coverage.is_covered(gap.began, ended, by=settings.same_key)
        repair = gap.repair
        if repair in {Repair.PENDING, Repair.NOT_NEEDED} and settings.repairs:
            repair = Repair.NOT_NEEDED if needs_none else Repair.PENDING
        return replace(gap, is_covered=self._coverage.is_covered(gap.began, ended, by=others), repair=repair)

    def _revise(self, stream: str, dead_since: datetime) -> None:
        """Judge again the gaps that count as covered by a stream that turns out to have been dead."""
        again = [
            gap
            for gap in self._covered
            if gap.stream != stream and (gap.ended or dead_since) > dead_since and self._judge(gap) != gap
        ]
        self._covered = [gap for gap in self._covered if gap not in again]
        for gap in again:
            self._end(gap)

    def _is_recent(self, gap: Gap) -> bool:
        return self._clock() - (gap.ended or gap.began) < _REVISED_FOR

    def _settings(self, stream: str) -> StreamGapSettings:
        return self._known.get(stream, StreamGapSettings(repairs=False, same_key=frozenset()))


def gap_settings_of(streams: Collection[tuple[str, str, bool]]) -> dict[str, StreamGapSettings]:
    """Return the settings of streams by name. Each stream is given as (name, API key, whether gaps are repaired).

    The public stream has no key: it is empty.
    """
    return {
        name: StreamGapSettings(
            repairs=repairs,
            same_key=frozenset(other for other, its_key, _ in streams if its_key == key and other != name),
            is_public=not key,
        )
        for name, key, repairs in streams
    }
