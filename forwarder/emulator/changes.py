"""Waiting for a thing to happen instead of for time to pass: what the emulator's and the receiver's `wait_…` share."""

import asyncio
from collections.abc import Callable


class Changes:
    """Tells waiting tasks to look again. One event loop only."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Future[None]] = set()

    def tell(self) -> None:
        """Let every waiting task look at its condition again."""
        for future in self._waiting:
            if not future.done():
                future.set_result(None)
        self._waiting.clear()

    async def wait_until(self, holds: Callable[[], bool], limit_s: float, expected: str) -> None:
        """Return as soon as `holds()`; raise `TimeoutError` that says what was `expected` after `limit_s` seconds."""
        try:
            async with asyncio.timeout(limit_s):
                while not holds():
                    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                    self._waiting.add(future)
                    await future
        except TimeoutError:
            raise TimeoutError(f"no {expected} within {limit_s:g} s") from None
