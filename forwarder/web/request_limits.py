"""How many requests are carried out at the same time. Probes have places of their own, and who does not send its body takes none."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from aiohttp import web

MAX_REQUESTS = 32
"""How many requests are carried out at the same time; more are asked to come again."""
_MAX_OF_PROBE = 8
"""The same for each path of a probe."""
_MOST_BODIES = 16
"""How many bodies are waited for at the same time. For a further one the wait for the oldest ends."""
_BODY_WITHIN_S = 10.0


class TooManyRequestsError(Exception):
    """There are too many requests at the same time."""


class RequestLimits:
    """Counts the requests under way."""

    def __init__(self) -> None:
        self._under_way = 0
        self._probes: Counter[str] = Counter()
        self._bodies: dict[asyncio.Timeout, None] = {}

    @contextmanager
    def one_more(self, *, lasts: bool) -> Iterator[None]:
        """Count a request while the block lasts; one that lasts has a limit of its own. Raises `TooManyRequestsError`."""
        if self._under_way >= MAX_REQUESTS:
            raise TooManyRequestsError
        self._under_way += not lasts
        try:
            yield
        finally:
            self._under_way -= not lasts

    @contextmanager
    def one_more_probe(self, path: str) -> Iterator[None]:
        """Count a request of a probe while the block lasts. Raises `TooManyRequestsError`."""
        if self._probes[path] >= _MAX_OF_PROBE:
            raise TooManyRequestsError
        self._probes[path] += 1
        try:
            yield
        finally:
            self._probes[path] -= 1

    async def wait_for_body(self, request: web.Request) -> None:
        """Return once the whole body is there. Raises `TimeoutError`."""
        if not request.can_read_body:
            return
        if len(self._bodies) >= _MOST_BODIES:
            oldest = next(iter(self._bodies))
            del self._bodies[oldest]
            if not oldest.expired():
                oldest.reschedule(0.0)
        async with asyncio.timeout(_BODY_WITHIN_S) as within:
            self._bodies[within] = None
            try:
                await request.read()  # which keeps it
            finally:
                self._bodies.pop(within, None)
