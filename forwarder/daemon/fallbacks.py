"""Has another destination get what has waited too long for one with `fallback`."""

from collections.abc import Callable
from datetime import timedelta

import structlog

from forwarder.clocks.periodic import periodic
from forwarder.clocks.process_clock import ProcessClock
from forwarder.core.config.runtime import fallbacks_of
from forwarder.core.delivery import DestinationName
from forwarder.core.destinations.destination import Fallback
from forwarder.core.ports import FallbackSlice
from forwarder.daemon.runtime import ActiveRuntime
from forwarder.outbox.problems import OutboxUnreadableError
from forwarder.outbox.store import OutboxStore

_LOOK_EVERY = timedelta(seconds=1)
_LOOKS = 20
"""How often each fallback is looked at within its `after`, so what is sent there has waited at most so much of it longer."""
_LONGEST_WAIT = timedelta(seconds=30)

log = structlog.get_logger(__name__)


class Fallbacks:
    """Looks for what has waited too long. What it has done is in the outbox; it remembers only how far it has looked."""

    def __init__(
        self,
        outbox: OutboxStore,
        active: ActiveRuntime,
        *,
        clock: ProcessClock,
        look: Callable[[DestinationName], None],
    ) -> None:
        """`look` has the lane of a destination ask the outbox again."""
        self._outbox = outbox
        self._active = active
        self._clock = clock
        self._look = look
        self._seen: dict[Fallback, int] = {}
        """The last event that each of them has been applied to."""
        self._waits: dict[Fallback, int] = {}
        """For how many looks each of them is left alone."""

    async def run(self) -> None:
        """Look each second, forever, at those whose turn it is."""
        await periodic(_LOOK_EVERY, self.look)

    async def look(self) -> None:
        """Apply each fallback whose turn it is."""
        wanted = fallbacks_of(self._active.config)
        self._seen = {each: self._seen.get(each, 0) for each in wanted}
        self._waits = {each: self._waits.get(each, 0) - 1 for each in wanted}
        for each in wanted:
            if self._waits[each] < 0 and not self._is_quiet(DestinationName(each.to)):
                self._waits[each] = min(each.after / _LOOKS, _LONGEST_WAIT) // _LOOK_EVERY
                await self._apply(each)

    def _is_quiet(self, name: DestinationName) -> bool:
        """Return whether a destination is in quiet hours of its own: it gets what has waited too long after them."""
        plan = self._active.routing_table.quiet
        return plan is not None and plan.quiet_until(name, self._clock()) is not None

    async def _apply(self, fallback: Fallback) -> None:
        now, before = self._clock(), self._clock.accepted_before(fallback.after)
        count, is_last = 0, False
        while not is_last:
            asked = FallbackSlice(
                of=fallback.of, to=fallback.to, before=before, now=now, after_seq=self._seen[fallback]
            )
            try:
                done = await self._outbox.fall_back(asked)
            except OutboxUnreadableError:  # which is reported elsewhere; the next look tries it again
                break
            self._seen[fallback], is_last = done.last_seq, done.is_last
            count += done.changed
        if count:
            log.warning(
                "deliveries.fell_back",
                destination=fallback.of,
                to=fallback.to,
                events=count,
                note="waited too long; they still wait for the destination, too",
            )
            self._look(DestinationName(fallback.to))
