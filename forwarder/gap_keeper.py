"""Keeps the record of gaps: what the supervisors tell of a stream that is away and back, and what a stop or a kill leaves open."""

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

import structlog

from forwarder.core.coverage import Coverage
from forwarder.core.gaps import Gap, GapBook, Repair
from forwarder.core.ports import Clock

_HEARD_EVERY_S = 10.0
"""So often it is written down that a stream is open: after a kill the gap is known to that."""
_REVISED_FOR = timedelta(minutes=5)
"""A gap that counts as covered is looked at again when the stream that covered it turns out to have been dead."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Kept:
    """What the config says of a stream that matters to its gaps."""

    repairs: bool
    same_key: frozenset[str]
    """The other streams that bring the same: those with the same API key."""


class GapKeeper:
    """Of all streams. See `streams.supervisor.Gaps`."""

    _book: GapBook

    def __init__(
        self, *, streams: Callable[[], Mapping[str, Kept]], on_repairable: Callable[[], None], clock: Clock
    ) -> None:
        """`streams` are those in force; `on_repairable` is called when a gap has ended that is to be repaired.

        What is noted before `begin` is kept until then.
        """
        self._streams = streams
        self._on_repairable = on_repairable
        self._clock = clock
        self._coverage = Coverage()
        self._open: dict[str, Gap] = {}
        self._covered: list[Gap] = []
        """Of the last minutes."""
        self._began = clock()
        self._last_run: datetime | None = None
        self._early: list[Callable[[], None]] | None = []
        self._not_yet_open: set[str] = set()
        """Streams of the start that have not been open since."""

    async def begin(self, book: GapBook) -> None:
        """Take over what an earlier process left: gaps that have no end, and the time until which it was there."""
        self._book = book
        names = self._streams().keys()
        self._not_yet_open = set(names)
        for gap in await self._book.unended_gaps():
            if gap.stream in names:
                self._open[gap.stream] = gap
            else:
                self._book.note_gap(replace(gap, ended=self._clock(), note="the stream is not in the config any more"))
        self._last_run = await self._book.last_heard()
        early, self._early = self._early or [], None
        for note in early:
            note()

    async def run(self) -> None:
        """For ever: write down that we are here while a stream is open."""
        while True:
            await asyncio.sleep(_HEARD_EVERY_S)
            self._note_heard()

    def _note_heard(self) -> None:
        if any(self._coverage.is_open(name) for name in self._streams()):
            self._book.note_heard(self._clock())

    def note_away(self, stream: str, *, began: datetime, noticed: datetime, reason: str) -> None:
        """A stream is away."""
        if self._early is not None:
            self._early.append(partial(self.note_away, stream, began=began, noticed=noticed, reason=reason))
            return
        self._coverage.note_away(stream, began)
        if stream not in self._open:
            repair = Repair.PENDING if self._kept(stream).repairs else Repair.OFF
            gap = Gap(
                id=self._book.new_gap_id(), stream=stream, began=began, noticed=noticed, reason=reason, repair=repair
            )
            self._open[stream] = gap
            self._book.note_gap(gap)
        self._revise(stream, began)

    def note_open(self, stream: str, at: datetime) -> None:
        """A stream is open."""
        if self._early is not None:
            self._early.append(partial(self.note_open, stream, at))
            return
        gap = self._open.pop(stream, None)
        if gap is None and not self._coverage.is_open(stream):
            gap = self._since_last_run(stream, at)
        self._coverage.note_open(stream, at)
        self._not_yet_open.discard(stream)
        if gap is not None:
            self._end(replace(gap, ended=max(at, gap.began)))
        self._note_heard()

    def forget(self, stream: str) -> None:
        """A reload has taken the stream away: that is no gap."""
        now = self._clock()
        self._coverage.note_away(stream, now)
        gap = self._open.pop(stream, None)
        if gap is not None:
            self._book.note_gap(replace(gap, ended=now, note="the stream was taken out of the config"))

    def take_leave(self, *, is_handed_over: bool = False) -> None:
        """The process ends: what is open now is away from now on, unless a successor holds the streams already."""
        now = self._clock()
        self._note_heard()
        if not is_handed_over:
            for stream in [name for name in self._streams() if self._coverage.is_open(name)]:
                self.note_away(stream, began=now, noticed=now, reason="forwarder was stopped")

    def _since_last_run(self, stream: str, at: datetime) -> Gap | None:
        """Return the gap that a kill has left: nobody could write it down."""
        last = self._last_run
        if last is None or last >= at or stream not in self._not_yet_open:
            return None
        repair = Repair.PENDING if self._kept(stream).repairs else Repair.OFF
        return Gap(
            id=self._book.new_gap_id(),
            stream=stream,
            began=last,
            noticed=self._began,
            reason="forwarder was not running",
            repair=repair,
        )

    def _end(self, gap: Gap) -> None:
        gap = self._judge(gap)
        self._book.note_gap(gap)
        if gap.is_covered:
            self._covered = [*(each for each in self._covered if self._is_recent(each)), gap]
        say = log.info if gap.is_covered else log.warning
        say(
            "stream.gap",
            stream=gap.stream,
            length_s=round((gap.length or timedelta()).total_seconds(), 1),
            began=gap.began.isoformat(timespec="milliseconds"),
            is_covered=gap.is_covered,
            repair=str(gap.repair),
            reason=gap.reason,
        )
        if gap.repair is Repair.PENDING:
            self._on_repairable()

    def _judge(self, gap: Gap) -> Gap:
        """Return a gap that has ended with whether others covered it, and so whether there is something to repair."""
        ended = gap.ended or self._clock()
        kept = self._kept(gap.stream)
        others = [name for name in self._streams() if name != gap.stream]
        needs_none = self._coverage.is_covered(gap.began, ended, by=kept.same_key)
        repair = gap.repair
        if repair in {Repair.PENDING, Repair.NOT_NEEDED} and kept.repairs:
            repair = Repair.NOT_NEEDED if needs_none else Repair.PENDING
        return replace(gap, is_covered=self._coverage.is_covered(gap.began, ended, by=others), repair=repair)

    def _revise(self, stream: str, dead_since: datetime) -> None:
        """Look again at what counts as covered by a stream that was dead meanwhile."""
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

    def _kept(self, stream: str) -> Kept:
        return self._streams().get(stream, Kept(repairs=False, same_key=frozenset()))


def kept_of(streams: Collection[tuple[str, str, bool]]) -> dict[str, Kept]:
    """Return by name what matters of streams given as (name, API key, whether gaps are repaired)."""
    return {
        name: Kept(
            repairs=repairs,
            same_key=frozenset(other for other, its_key, _ in streams if its_key == key and other != name),
        )
        for name, key, repairs in streams
    }
