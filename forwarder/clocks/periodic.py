"""The loop of everything that is done at an interval."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import NoReturn


async def periodic(every: timedelta, look: Callable[[], Awaitable[None] | None]) -> NoReturn:
    """Call `look` after each interval, forever, and wait for it where it is asynchronous. What it raises ends the loop.

    The first call comes after one interval. The time that `look` takes is not part of the interval, so calls never overlap.
    """
    while True:
        await asyncio.sleep(every.total_seconds())
        looking = look()
        if looking is not None:
            await looking
