"""A stop that is the start read backwards: what is opened or started registers right there how it ends."""

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from time import monotonic
from types import TracebackType


class OrderlyStop(AsyncExitStack):
    """An exit stack with steps that are left out when an error ends the block: then there is nothing to finish in peace."""

    def on_stop(self, step: Callable[[], Awaitable[None] | None]) -> None:
        """Register what an orderly stop does; the last one that was registered comes first."""

        async def end(
            kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
        ) -> bool:
            if kind is None and (awaited := step()) is not None:
                await awaited
            return False

        self.push_async_exit(end)


class GracePeriod:
    """The time that a stop may take. It begins with the first question for what is left."""

    def __init__(self, length: Callable[[], timedelta]) -> None:
        """`length` is called once, when the stop begins."""
        self._length = length
        self._ends_at: float | None = None

    def left(self) -> timedelta:
        """Return how much is left, zero at least."""
        now = monotonic()
        if self._ends_at is None:
            self._ends_at = now + self._length().total_seconds()
        return timedelta(seconds=max(self._ends_at - now, 0.0))
