"""Waiting for a change instead of for time to pass: shared by the `wait_…` methods of the emulator and the receiver."""

import asyncio
from collections.abc import Callable


class ChangeSignal:
    """Makes waiting tasks check their condition again. For one event loop."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Future[None]] = set()

    def notify(self) -> None:
        """Make every waiting task check its condition again."""
        for future in self._waiting:
            if not future.done():
                future.set_result(None)
        self._waiting.clear()

    async def wait_until(self, holds: Callable[[], bool], limit_s: float, expected: str) -> None:
        """Return as soon as `holds()` is true. After `limit_s`, raise a `TimeoutError` that names what was `expected`."""
        try:
            async with asyncio.timeout(limit_s):
                while not holds():
                    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                    self._waiting.add(future)
                    await future
        except TimeoutError:
            raise TimeoutError(f"no {expected} within {limit_s:g} s") from None
