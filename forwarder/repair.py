"""Repairs gaps: asks the history of the tracked X accounts for what was posted while a stream was away, and brings what is missing.

One gap after the other, one account after the other, at the pace that the server allows. What was brought is on disk with its gap,
so that a restart begins anew and brings nothing twice.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice
from time import monotonic
from typing import Protocol

import structlog

from forwarder.core.gaps import Gap, GapId, Repair
from forwarder.core.history import RECENT_ACCOUNTS, Account, HistoryPost, Page, Span
from forwarder.core.ports import Clock
from forwarder.core.preference import FirstWords
from forwarder.core.recovered import RecoveredPosts
from forwarder.core.repairing import FAST_AND_FULL, FULL_ONLY, GIVE_UP_AFTER, MARGIN, Progress, span_of
from forwarder.streams.faults import FaultKind, StreamFaultError
from forwarder.streams.history import Histories, History, HistorySource

SETTLE = timedelta(seconds=5)
"""After the end of a gap: what was under way to the stream when it came back may arrive in that time."""
_AT_ONCE = 1_000
"""Accounts of one gap, before another one has its turn."""
_TRIES_OF_RECENT = 2
"""In a row, of a server that is busy; then the history is asked alone."""
_MOST_PAGES = 200
"""Of one account in one gap."""
_MOST_LATE = 10_000
_KNOWN_BEYOND = timedelta(hours=1)
"""Posts of a span come so much later at the most."""
_LONGEST_SLEEP = timedelta(minutes=15)

log = structlog.get_logger(__name__)


class Intake(Protocol):
    """Takes what is recovered."""

    recovered: RecoveredPosts

    async def recover(self, frame: bytes, gap: GapId, earlier: FirstWords) -> bool:
        """Take a post; return whether it was new."""
        ...


class Book(Protocol):
    """Keeps the gaps, and knows what is there."""

    def note_gap(self, gap: Gap) -> None:
        """Keep it as it stands."""
        ...

    async def gaps_to_repair(self) -> list[Gap]:
        """Return those whose repair is pending and that have ended, oldest first."""
        ...

    async def posts_since(
        self, since: datetime, *, until: datetime | None = None, sources: Collection[str] = FULL_ONLY
    ) -> set[str]:
        """Return the `mid` of every kept event of these sources accepted since then, up to `until`, or recovered since then."""
        ...


class Repairer:
    """Of all streams that want it."""

    def __init__(
        self,
        *,
        book: Book,
        intake: Intake,
        sources: Callable[[], Mapping[str, HistorySource]],
        recall: Callable[[datetime], Awaitable[FirstWords]],
        kept_for: Callable[[], timedelta],
        clock: Clock,
        chance: Callable[[], float],
        histories: Histories | None = None,
        settle: timedelta = SETTLE,
    ) -> None:
        """`sources` are those of the streams in force that want it, by their names. `recall` returns what went to whom since then.

        `kept_for` is for how long the outbox keeps what was delivered; `chance` returns numbers from 0 to 1.
        """
        self._book = book
        self._intake = intake
        self._sources = sources
        self._recall = recall
        self._kept_for = kept_for
        self._clock = clock
        self._chance = chance
        self._histories = Histories() if histories is None else histories
        self._settle = settle
        self._wanted = asyncio.Event()
        self._progress: dict[GapId, Progress] = {}

    def wake(self) -> None:
        """A gap has ended, or the config is another one: look."""
        self._wanted.set()

    async def run(self) -> None:
        """Repair what is to be repaired, for ever."""
        while True:
            self._wanted.clear()
            wait_s = await self._look()
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._wanted.wait()

    async def _look(self) -> float | None:
        """Go on with each gap whose time has come; return in how many seconds the next one's will."""
        gaps = await self._book.gaps_to_repair()
        self._progress = {gap.id: self._progress[gap.id] for gap in gaps if gap.id in self._progress}
        waits: list[float] = []
        for gap in gaps:
            source = self._sources().get(gap.stream)
            if (progress := self._progress.get(gap.id)) is None:
                progress = self._progress[gap.id] = Progress(gap, due_s=monotonic() + self._settles_in_s(gap))
            progress.note_source(source)
            now = self._clock()
            if now > (gap.ended or now) + GIVE_UP_AFTER:
                self._give_up(progress)
            elif source is None:
                waits.append(_LONGEST_SLEEP.total_seconds())
            else:
                if (wait_s := progress.due_s - monotonic()) <= 0:
                    await self._go_on(progress, source)
                    wait_s = progress.due_s - monotonic()
                if not progress.is_over:
                    waits.append(max(wait_s, 0.0))
        return min(waits, default=None)

    def _settles_in_s(self, gap: Gap) -> float:
        """Return how long to wait before a gap; a clock that was set back does not count."""
        left = (gap.ended or self._clock()) + self._settle - self._clock()
        return min(max(left, timedelta()), self._settle).total_seconds()

    async def _go_on(self, progress: Progress, source: HistorySource) -> None:
        gap = progress.gap
        if not progress.is_begun:
            progress.is_begun = True
            log.info(
                "gap.repair_started", gap_id=gap.id, stream=gap.stream, began=_text(gap.began), ended=_text(gap.ended)
            )
        try:
            async with self._histories.open(source) as history:
                with self._intake.recovered.repairing():
                    await (await self._begin(progress, source, history)).go_on()
        except StreamFaultError as fault:
            self._put_off(progress, fault)
            return
        if not progress.left:
            note = progress.note()
            self._end(progress, Repair.PARTIAL if note else Repair.DONE, note)

    async def _begin(self, progress: Progress, source: HistorySource, history: History) -> "_Run":
        gap = progress.gap
        span = span_of(gap, now=self._clock(), kept_for=self._kept_for())
        known_as = FAST_AND_FULL if source.ignores_full else FULL_ONLY
        return _Run(
            progress=progress,
            history=history,
            span=span,
            known=await self._book.posts_since(span.since, until=span.until + _KNOWN_BEYOND, sources=known_as),
            earlier=await self._recall(span.since),
            intake=self._intake,
            book=self._book,
            clock=self._clock,
            arrived_at=span.until + self._settle,
        )

    def _put_off(self, progress: Progress, fault: StreamFaultError) -> None:
        is_for_a_person = fault.kind in {FaultKind.KEY_REFUSED, FaultKind.REDIRECTED}
        wait_s = progress.put_off(
            fault.sentence,
            minimum=fault.minimum_wait,
            is_for_a_person=is_for_a_person,
            chance=self._chance(),
            now_s=monotonic(),
        )
        if wait_s is not None:
            say = log.error if is_for_a_person else log.warning
            say(
                "gap.repair_waiting",
                gap_id=progress.gap.id,
                stream=progress.gap.stream,
                reason=fault.sentence,
                next_try_in_s=round(wait_s, 1),
            )
            self._book.note_gap(progress.as_it_stands())

    def _give_up(self, progress: Progress) -> None:
        reason = progress.reason or "the stream has no gap_repair any more, or forwarder did not run"
        note = f"given up {GIVE_UP_AFTER // timedelta(hours=1)} hours after the gap: {reason}"
        self._end(progress, Repair.PARTIAL if progress.has_anything else Repair.FAILED, note)

    def _end(self, progress: Progress, repair: Repair, note: str) -> None:
        gap = progress.end(repair, note)
        self._book.note_gap(gap)
        is_failed = repair is Repair.FAILED
        say = log.error if is_failed else log.info if repair is Repair.DONE else log.warning
        say(
            "gap.repair_failed" if is_failed else "gap.repaired",
            gap_id=gap.id,
            stream=gap.stream,
            repair=str(repair),
            found=gap.found,
            recovered=gap.recovered,
            **({"note": note} if note else {}),
        )


@dataclass(kw_only=True, slots=True)
class _Run:
    """A part of the repair of one gap, made in one go."""

    progress: Progress
    history: History
    span: Span
    known: set[str]
    """What was there when it began; what streams bring meanwhile, `intake` knows."""
    earlier: FirstWords
    intake: Intake
    book: Book
    clock: Clock
    arrived_at: datetime
    """When streams must have brought all that was written after the gap."""

    async def go_on(self) -> None:
        """Ask for the next accounts, and come to an end where there are no more. Raises `StreamFaultError`."""
        progress = self.progress
        if not progress.is_listed:
            progress.note_accounts(await self.history.tracked())
        await self._ask_recent()
        for _ in range(min(_AT_ONCE, len(progress.left))):
            account = progress.left[0]
            try:
                await self._ask(account)
            except StreamFaultError as fault:
                if fault.kind is not FaultKind.ODD_ANSWER:
                    raise
                progress.note_odd_answer(account, fault.sentence)
            progress.left.popleft()
            progress.failures = 0
        if not progress.left:
            await self._bring_late()
            if progress.again:
                raise StreamFaultError(FaultKind.ODD_ANSWER, progress.ask_again())

    async def _ask_recent(self) -> None:
        """Bring what the server still has in memory: many accounts in an answer, and the posts whole."""
        progress = self.progress
        while batch := list(islice(progress.unasked_recent, RECENT_ACCOUNTS)):
            try:
                page = await self.history.recent(batch, self.span)
            except StreamFaultError as fault:
                is_of_this_alone = fault.kind in {FaultKind.ODD_ANSWER, FaultKind.KEY_REFUSED, FaultKind.REDIRECTED}
                if not is_of_this_alone and progress.failures < _TRIES_OF_RECENT:
                    raise
                page = None
            if page is None:  # the history is asked in any case, and tells of what is wrong with the key
                progress.unasked_recent.clear()
                return
            await self._bring_page(replace(page, odd=0))  # what cannot be read is asked for again, in the history
            for _ in batch:
                progress.unasked_recent.popleft()

    async def _bring_page(self, page: Page) -> None:
        self.progress.note_answer(page)
        for post in page.posts:
            await self._bring_or_keep(post)
            await asyncio.sleep(0)

    async def _ask(self, account: Account) -> None:
        """Bring what is missing of one account, page by page."""
        cursor: str | None = None
        seen: set[str | None] = {None}
        for _ in range(_MOST_PAGES):
            page = await self.history.page(account, self.span, cursor)
            if page is None:
                self.progress.note_unasked(account, "the history does not know it")
                return
            await self._bring_page(page)
            cursor = page.cursor
            if cursor is None:
                return
            if cursor in seen:
                break
            seen.add(cursor)
        self.progress.note_unasked(account, "its history does not end")

    async def _bring_or_keep(self, post: HistoryPost) -> None:
        """Bring a post if it is missing. One written after the gap is kept until a stream must have brought it."""
        if post.at <= (self.progress.gap.ended or post.at) or self.clock() >= self.arrived_at:
            await self._bring(post)
        elif len(self.progress.late) < _MOST_LATE:
            self.progress.late[post.mid] = post

    async def _bring(self, post: HistoryPost) -> None:
        progress = self.progress
        if post.mid not in self.known and await self.intake.recover(post.frame, progress.gap.id, self.earlier):
            self.book.note_gap(progress.note_recovered(post.mid))  # in one transaction with the event

    async def _bring_late(self) -> None:
        late = self.progress.late
        if any(mid not in self.known for mid in late):
            wait = min(self.arrived_at - self.clock(), 2 * MARGIN)
            await asyncio.sleep(wait.total_seconds())
        for post in late.values():
            await self._bring(post)
        late.clear()


def _text(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat(timespec="milliseconds")
