"""Keeps one stream connected: opens it, and opens it again, faster after health and slower after trouble."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from time import monotonic

import structlog
import tenacity

from forwarder.core.event import NotAnEvent
from forwarder.core.ports import TakeFrame
from forwarder.streams import faults
from forwarder.streams.faults import FaultKind, StreamFaultError
from forwarder.streams.stream import Stream

STABLE_AFTER = timedelta(seconds=10)
"""A connection that lasted so long was healthy: the next backoff starts from the beginning."""
_SUSPECT_AFTER = 3
"""Connections closed as soon as they open, in a row, after which the key is the likely cause."""
_MOMENT_S = 1.5
"""Longer than scrape.st needs to close the connection of an unknown key."""

log = structlog.get_logger(__name__)


async def supervise(
    stream: Stream,
    take: TakeFrame,
    *,
    on_odd_frame: Callable[[NotAnEvent], None],
    tried: asyncio.Event,
) -> None:
    """Hold `stream` for ever. `tried` is set once the first connection is open or has failed.

    After a healthy connection the next is made at once; after anything else the wait is random between 0 and 1 s, then
    2 s, 4 s … up to 30 s (exponential backoff with full jitter), and never shorter than the fault asks for.
    """
    supervisor = _Supervisor(stream, take, on_odd_frame, tried)
    while True:
        retrying = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception_type(StreamFaultError),
            wait=_wait,
            before_sleep=supervisor.log_reconnect,
        )
        await retrying(supervisor.hold_once)


@dataclass(kw_only=True)
class Hearer:
    """A listener made of functions."""

    take: Callable[[bytes], Awaitable[None]]
    on_open: Callable[[], None] = lambda: None
    on_odd_frame: Callable[[NotAnEvent], None] = lambda _kind: None
    probe: asyncio.Event = field(default_factory=asyncio.Event)

    def opened(self, *, ends_in: timedelta | None = None) -> None:  # noqa: ARG002, D102
        self.on_open()

    def heard(self) -> None:
        """Nothing is made of it."""

    def note_odd_frame(self, kind: NotAnEvent) -> None:  # noqa: D102
        self.on_odd_frame(kind)


class _Supervisor:
    def __init__(
        self,
        stream: Stream,
        take: TakeFrame,
        on_odd_frame: Callable[[NotAnEvent], None],
        tried: asyncio.Event,
    ) -> None:
        self._stream = stream
        self._take = take
        self._on_odd_frame = on_odd_frame
        self._tried = tried
        self._opened = 0.0
        self._closed_at_once = 0

    async def hold_once(self) -> None:
        """Hold one connection. Returns when it was healthy and ended; raises the fault when it was not."""
        self._opened = 0.0
        try:
            fault = await self._stream.hold(
                Hearer(take=self._take, on_open=self._note_open, on_odd_frame=self._on_odd_frame)
            )
        finally:
            self._tried.set()
        lasted = timedelta(seconds=monotonic() - self._opened)
        log.warning(
            "stream.disconnected",
            stream=self._stream.name,
            reason=fault.sentence,
            lasted_s=round(lasted.total_seconds(), 1),
        )
        if lasted < STABLE_AFTER:
            raise self._suspect(fault, lasted)
        self._closed_at_once = 0

    def _note_open(self) -> None:
        self._opened = monotonic()
        self._tried.set()
        log.info("stream.connected", stream=self._stream.name)

    def _suspect(self, fault: StreamFaultError, lasted: timedelta) -> StreamFaultError:
        """Return the fault, or the likelier one of a bad key once it has looked like that three times in a row."""
        is_at_once = fault.kind is FaultKind.CLOSED and lasted < timedelta(seconds=1)
        self._closed_at_once = self._closed_at_once + 1 if is_at_once else 0
        if self._closed_at_once >= _SUSPECT_AFTER:
            return faults.key_refused(f"closed as soon as it was open, {self._closed_at_once} times in a row")
        return fault

    def log_reconnect(self, state: tenacity.RetryCallState) -> None:
        """Say what is wrong and when the next try comes; a refused key is a person's business, so it is an error."""
        fault = _fault_of(state)
        level = log.error if fault.kind in {FaultKind.KEY_REFUSED, FaultKind.REDIRECTED} else log.warning
        wait = 0.0 if state.next_action is None else state.next_action.sleep
        level(
            "stream.unavailable",
            stream=self._stream.name,
            kind=fault.kind,
            reason=fault.sentence,
            tries=state.attempt_number,
            next_try_in_s=round(wait, 1),
        )


_backoff = tenacity.wait_random_exponential(multiplier=1, max=30)
_key_backoff = tenacity.wait_exponential(
    multiplier=faults.REFUSED_KEY_WAIT.total_seconds(), max=faults.MAX_REFUSED_KEY_WAIT.total_seconds()
)


def _wait(state: tenacity.RetryCallState) -> float:
    fault = _fault_of(state)
    if fault.kind is FaultKind.KEY_REFUSED:
        return _key_backoff(state)
    return max(fault.minimum_wait.total_seconds(), _backoff(state))


def _fault_of(state: tenacity.RetryCallState) -> StreamFaultError:
    error = state.outcome.exception() if state.outcome is not None else None
    assert isinstance(error, StreamFaultError)  # noqa: S101 - the retry condition lets nothing else pass
    return error


async def try_once(stream: Stream) -> StreamFaultError | None:
    """Open `stream` once and close it again; return what is wrong, or `None` when it stayed open for a moment."""

    async def ignore(_frame: bytes) -> None:
        pass

    try:
        async with asyncio.timeout(None) as limit:

            def watch_a_moment() -> None:
                limit.reschedule(asyncio.get_running_loop().time() + _MOMENT_S)

            return await stream.hold(Hearer(take=ignore, on_open=watch_a_moment))
    except TimeoutError:
        return None
    except StreamFaultError as fault:
        return fault
