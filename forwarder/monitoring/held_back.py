"""Sends a summary of the posts that were not sent because of the limit of a route or a destination, once the period of the limit is over."""

from collections.abc import Container
from datetime import datetime, timedelta

import structlog

from forwarder.clocks.periodic import periodic
from forwarder.core.delivery import DestinationName
from forwarder.core.monitoring import notices
from forwarder.core.ports import Clock
from forwarder.core.routing.limiter import Limiter
from forwarder.monitoring.destinations import Post

_LOOK_EVERY = timedelta(seconds=1)

log = structlog.get_logger(__name__)


class HeldBackReporter:
    """Sends the summaries that the limiter has collected, when they are due."""

    def __init__(self, limiter: Limiter, *, post: Post, known: Container[DestinationName], clock: Clock) -> None:
        """`known` are the destinations of the config: a notice for another one is not sent."""
        self._limiter = limiter
        self._post = post
        self._known = known
        self._clock = clock
        self._number = 0

    def follow(self, known: Container[DestinationName]) -> None:
        """These are the destinations from now on."""
        self._known = known

    async def run(self) -> None:
        """Send the summaries that are due, each second, until cancelled."""
        await periodic(_LOOK_EVERY, self.look)

    def look(self) -> None:
        """Send the summaries that are due."""
        self._send(self._clock(), is_last=False)

    def flush_on_stop(self) -> None:
        """Send all summaries, because they are only in memory and the process ends."""
        self._send(self._clock(), is_last=True)

    def _send(self, now: datetime, *, is_last: bool) -> None:
        for held in self._limiter.due(now, is_last=is_last):
            to = [name for name in held.limit.summary_to if name in self._known]
            owner = {"destination": held.destination} if held.destination else {"route": held.route}
            log.info("limit.held_back", **owner, count=held.count, told=to)
            notice = notices.limited(held)
            for name in to:
                self._number += 1
                self._post(
                    notices.as_event(notice, now=now, number=self._number),
                    name,
                    f"limit of {held.destination or held.route}",
                )
