"""What a lane does about an outage besides its attempts: it notices that one has begun, and checks whether the receiver is back."""

import asyncio

from forwarder.core.destinations.destination import Destination
from forwarder.core.dispatch.circuit_breaker import STREAK_S
from forwarder.core.ports import LaneObserver, Sender
from forwarder.dispatch.admission import Admission
from forwarder.dispatch.lane_queue import LaneQueue
from forwarder.dispatch.workers import Workers


class OutageWatch:
    """Opens the breaker of a destination that only fails, and probes early when its receiver accepts connections again."""

    def __init__(
        self,
        destination: Destination,
        *,
        admission: Admission,
        queue: LaneQueue,
        workers: Workers,
        observer: LaneObserver,
    ) -> None:
        self._destination = destination
        self._admission = admission
        self._queue = queue
        self._workers = workers
        self._observer = observer
        self._is_down = asyncio.Event()
        """Set while the breaker is open."""
        self._timer: asyncio.Handle | None = None
        """Opens the breaker where nothing but failures came for too long."""

    async def run(self, sender: Sender) -> None:
        """While nobody listens at the receiver, ask several times a second whether somebody does again: then probe at once."""
        loop = asyncio.get_running_loop()
        admission = self._admission
        while True:
            await self._is_down.wait()
            await asyncio.sleep(admission.breaker.knock_wait_s(loop.time()))
            if admission.breaker.is_closed:
                self._is_down.clear()
            elif self._workers.all_blocked and admission.may_knock(loop.time()) and await sender.knock():
                admission.note_answer_to_knock(loop.time())
                self._workers.wake()

    def note_breaker_open(self) -> None:
        """Begin to ask whether somebody listens, and have a worker wait for the time of the next probe."""
        self._is_down.set()
        self._workers.wake()

    def note_failing(self) -> None:
        """Open the breaker when nothing but failures came for too long, even if no other attempt is due that could fail."""
        opens_at = self._admission.breaker.opens_at
        if self._timer is None and opens_at is not None:
            self._timer = asyncio.get_running_loop().call_at(opens_at, self._open_if_failing)

    def stop(self) -> None:
        """Open nothing any more."""
        if self._timer is not None:
            self._timer.cancel()

    def _open_if_failing(self) -> None:
        self._timer = None
        loop, admission = asyncio.get_running_loop(), self._admission
        if not self._queue.is_accepting:
            return
        for event in admission.open_if_failing(loop.time()):
            self._observer.state_changed(self._destination, event)
        if not admission.breaker.is_closed:
            self.note_breaker_open()
        elif (opens_at := admission.breaker.opens_at) is not None:  # an attempt is under way
            at = opens_at if opens_at > loop.time() else loop.time() + STREAK_S
            self._timer = loop.call_at(at, self._open_if_failing)
