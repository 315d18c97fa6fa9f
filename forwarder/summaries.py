"""Tells what the routes' limits held back: one message for each route, once its time is over."""

import asyncio
from collections.abc import Callable
from datetime import datetime

import structlog

from forwarder.core import notices
from forwarder.core.delivery import DestinationName
from forwarder.core.event import Event
from forwarder.core.limits import Limiter
from forwarder.core.ports import Clock

_LOOK_EVERY_S = 1.0

Post = Callable[[Event, DestinationName, str], None]
"""Brings an event of our own on its way to a destination, under the name of what made it."""

log = structlog.get_logger(__name__)


class Summaries:
    """Looks now and then what a limiter has gathered."""

    def __init__(
        self, limiter: Limiter, *, post: Post, is_known: Callable[[DestinationName], bool], clock: Clock
    ) -> None:
        """`is_known`: whether the config in force has a destination."""
        self._limiter = limiter
        self._post = post
        self._is_known = is_known
        self._clock = clock
        self._number = 0

    async def run(self) -> None:
        """See now and then whether there is something to tell."""
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            self.look()

    def look(self) -> None:
        """Tell what is due to be told."""
        self._tell(self._clock(), is_last=False)

    def take_leave(self) -> None:
        """Tell everything that was held back: it is in memory alone, and the process ends."""
        self._tell(self._clock(), is_last=True)

    def _tell(self, now: datetime, *, is_last: bool) -> None:
        for held in self._limiter.due(now, is_last=is_last):
            to = [name for name in held.limit.tell if self._is_known(name)]
            log.info("limit.held_back", route=held.route, count=held.count, told=to)
            notice = notices.limited(held)
            for name in to:
                self._number += 1
                self._post(notices.as_event(notice, now=now, number=self._number), name, f"limit of {held.route}")
