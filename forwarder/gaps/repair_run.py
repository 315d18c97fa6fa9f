"""One run of the repair of a gap: requests the history of one account after the other and passes on what is missing."""

import asyncio
from collections.abc import Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Protocol

from msgspec.structs import replace

from forwarder.core.gaps.gap import Gap, GapId
from forwarder.core.gaps.history_api import RECENT_ACCOUNTS, Account, HistoryPost, Page, TimeSpan
from forwarder.core.gaps.repair_progress import FULL_ONLY, MARGIN, RepairProgress
from forwarder.core.ports import Clock
from forwarder.core.routing.first_word import FirstWords
from forwarder.gaps.history_client import HistoryClient
from forwarder.streams.faults import FaultKind, StreamFaultError

_ACCOUNTS_PER_RUN = 1_000
"""How many accounts of one gap are requested before another gap has its turn."""
_TRIES_OF_RECENT = 2
"""How often in a row a busy server is asked for recent posts; after that only the history is requested."""
_MOST_PAGES = 200
"""How many pages of one account are read for one gap."""
_MOST_LATE = 10_000


class RecoveredSink(Protocol):
    """Takes the recovered posts."""

    def repairing(self) -> AbstractContextManager[None]:
        """Remember what streams bring for the length of the block, so that the repair does not bring it again."""
        ...

    async def recover(self, frame: bytes, gap: GapId, earlier: FirstWords) -> bool:
        """Take a post; return whether it was new."""
        ...


class RepairBook(Protocol):
    """Keeps the gaps, and knows which events are there."""

    def note_gap(self, gap: Gap) -> None:
        """Keep the gap in its present state."""
        ...

    async def gaps_to_repair(self) -> list[Gap]:
        """Return the gaps that have ended and whose repair is pending, oldest first."""
        ...

    async def posts_since(
        self, since: datetime, *, until: datetime | None = None, sources: Collection[str] = FULL_ONLY
    ) -> set[str]:
        """Return the `mid` of each kept event of these sources that was accepted from `since` to `until`, or recovered since then."""
        ...


@dataclass(kw_only=True, slots=True)
class RepairRun:
    """Makes a part of the repair of one gap, without a pause.

    It has nine fields because it is the place where a gap, its server and our own outbox meet, for one run only.
    """

    progress: RepairProgress
    history: HistoryClient
    span: TimeSpan
    known: set[str]
    """The `mid` of each post that was there when the run began. `sink` knows what streams bring meanwhile."""
    earlier: FirstWords
    sink: RecoveredSink
    book: RepairBook
    clock: Clock
    arrived_at: datetime
    """By then the streams must have brought everything that was written after the gap."""

    async def run(self) -> None:
        """Request the next accounts, and finish if none are left. Raises `StreamFaultError`."""
        progress = self.progress
        if not progress.is_listed:
            progress.note_accounts(await self.history.tracked())
        await self._request_recent()
        for _ in range(min(_ACCOUNTS_PER_RUN, len(progress.left))):
            account = progress.left[0]
            try:
                await self._request_history(account)
            except StreamFaultError as fault:
                if fault.kind is not FaultKind.ODD_ANSWER:
                    raise
                progress.note_odd_answer(account, fault.sentence)
            progress.left.popleft()
            progress.failures = 0
        if not progress.left:
            await self._pass_on_late()
            if progress.again:
                raise StreamFaultError(FaultKind.ODD_ANSWER, progress.ask_again())

    async def _request_recent(self) -> None:
        """Pass on what the server still has in memory: many accounts in one response, and the posts whole."""
        progress = self.progress
        while batch := list(islice(progress.unasked_recent, RECENT_ACCOUNTS)):
            try:
                page = await self.history.recent(batch, self.span)
            except StreamFaultError as fault:
                is_of_this_alone = fault.kind in {FaultKind.ODD_ANSWER, FaultKind.KEY_REFUSED, FaultKind.REDIRECTED}
                if not is_of_this_alone and progress.failures < _TRIES_OF_RECENT:
                    raise
                page = None
            if page is None:  # the history is requested in any case, and shows what is wrong with the key
                progress.unasked_recent.clear()
                return
            await self._take_page(replace(page, odd=0))  # what cannot be read here is requested again from the history
            for _ in batch:
                progress.unasked_recent.popleft()

    async def _request_history(self, account: Account) -> None:
        """Pass on what is missing of one account, page by page."""
        cursor: str | None = None
        seen: set[str | None] = {None}
        for _ in range(_MOST_PAGES):
            page = await self.history.page(account, self.span, cursor)
            if page is None:
                self.progress.note_unasked(account, "the history does not know it")
                return
            await self._take_page(page)
            cursor = page.cursor
            if cursor is None:
                return
            if cursor in seen:
                break
            seen.add(cursor)
        self.progress.note_unasked(account, "its history does not end")

    async def _take_page(self, page: Page) -> None:
        self.progress.note_answer(page)
        for post in page.posts:
            await self._pass_on_or_keep(post)
            await asyncio.sleep(0)

    async def _pass_on_or_keep(self, post: HistoryPost) -> None:
        """Pass on a post if it is missing. One written after the gap is kept until a stream must have brought it."""
        if post.at <= (self.progress.gap.ended or post.at) or self.clock() >= self.arrived_at:
            await self._pass_on(post)
        elif len(self.progress.late) < _MOST_LATE:
            self.progress.late[post.mid] = post

    async def _pass_on(self, post: HistoryPost) -> None:
        progress = self.progress
        if post.mid not in self.known and await self.sink.recover(post.frame, progress.gap.id, self.earlier):
            self.book.note_gap(progress.note_recovered(post.mid))  # in one transaction with the event

    async def _pass_on_late(self) -> None:
        late = self.progress.late
        if any(mid not in self.known for mid in late):
            wait = min(self.arrived_at - self.clock(), 2 * MARGIN)
            await asyncio.sleep(wait.total_seconds())
        for post in late.values():
            await self._pass_on(post)
        late.clear()
