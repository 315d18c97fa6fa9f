"""Ends quiet hours: sends the digests that are due, and changes the end of what is kept when the config says another one."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from datetime import timedelta

import structlog

from forwarder.core.delivery import DestinationName
from forwarder.core.ledger import SkipReason
from forwarder.core.monitoring import notices
from forwarder.core.monitoring.counters import Counters
from forwarder.core.monitoring.quiet_digest import digests_of
from forwarder.core.ports import Clocks
from forwarder.core.routing.quiet import Kept, QuietPlan, Then
from forwarder.monitoring.destinations import Post
from forwarder.outbox.store import OutboxStore

_LOOK_EVERY = timedelta(seconds=5)
_MOST = 2_000
"""How many kept deliveries are read at a time."""

log = structlog.get_logger(__name__)


class QuietKeeper:
    """Watches over what quiet hours keep. What is to be sent by itself goes when it is due, as everything else."""

    def __init__(
        self,
        outbox: OutboxStore,
        *,
        post: Post,
        look: Callable[[DestinationName], None],
        counters: Counters,
        plan: QuietPlan | None,
        known: Collection[DestinationName],
        clock: Clocks,
    ) -> None:
        """`look` has the lane of a destination ask the outbox again. `known` are the enabled destinations."""
        self._outbox = outbox
        self._post = post
        self._look = look
        self._counters = counters
        self._plan = plan
        self._known = known
        self._clock = clock
        self._number = 0
        self._is_new = True
        """The plan has changed, or it is the first one: what is kept may have another end."""
        self._news = asyncio.Event()

    def follow(self, plan: QuietPlan | None, known: Collection[DestinationName]) -> None:
        """Keep by this plan from now on."""
        self._is_new = self._is_new or plan != self._plan or set(known) != set(self._known)
        self._plan, self._known = plan, known
        self._news.set()

    def quiet_until(self, name: DestinationName) -> str | None:
        """Return when the quiet hours of a destination end, if it is in some of its own."""
        until = None if self._plan is None else self._plan.quiet_until(name, self._clock())
        return None if until is None else until.isoformat(timespec="seconds")

    async def run(self) -> None:
        """Do so when something is due, until cancelled."""
        while True:
            self._news.clear()
            await self.look()
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_EVERY.total_seconds() if self._digesting() else None):
                    await self._news.wait()

    async def look(self) -> None:
        """Do what is due now."""
        names: Collection[DestinationName] = self._digesting()
        if self._is_new:
            self._is_new = False
            names = list(self._known)
            for name in names:
                await self._keep_again(name)
        for name in names:
            if self.quiet_until(name) is None:
                await self._send_digest(name)

    def _digesting(self) -> list[DestinationName]:
        """Return the destinations that may get a digest."""
        plan = self._plan
        if plan is None:
            return []
        if any(quiet.then is Then.DIGEST for quiet in plan.of_routes.values()):
            return list(self._known)
        return [
            name for name, quiet in plan.of_destinations.items() if quiet.then is Then.DIGEST and name in self._known
        ]

    async def _keep_again(self, name: DestinationName) -> None:
        """Give what is kept for a destination the end that the plan says."""
        plan, now = self._plan, self._clock()

        def keep_for(routes: Sequence[str]) -> Kept | None:
            return None if plan is None else plan.keep_again(name, routes, now)

        changed = await self._outbox.keep_again(name, keep_for, now=self._clock.steady())
        if changed:
            log.info("quiet.changed", destination=name, deliveries=changed)
            self._look(name)

    async def _send_digest(self, name: DestinationName) -> None:
        """Send messages that list everything that is due to be in one; what is listed is not sent by itself."""
        while kept := await self._outbox.kept_for_digest(name, now=self._clock.steady(), limit=_MOST):
            digests = await asyncio.to_thread(digests_of, name, kept)
            now = self._clock()
            for digest in digests:
                self._number += 1
                # The digest first: if the process is killed between two commits it is sent again, and nothing is lost.
                self._post(notices.as_event(digest.notice, now=now, number=self._number), name, "quiet hours")
                for each in digest.kept:
                    self._outbox.replace(name, each.event_seq, now=now, cause=SkipReason.DIGESTED)
            self._counters.skipped += len(kept)
            self._counters.skipped_by[name] += len(kept)
            log.info("quiet.digest", destination=name, deliveries=len(kept), messages=len(digests))
            if len(kept) < _MOST:
                return
