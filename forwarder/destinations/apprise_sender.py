"""Makes the attempts of a destination with `apprise`, each in a thread: Apprise waits for the service, and the event loop must not."""

import asyncio
from datetime import timedelta
from functools import partial

from msgspec import structs

from forwarder.core.delivery import Answered, Fault, Outcome, Unanswered
from forwarder.core.destinations.content import TITLE
from forwarder.core.destinations.request import WebhookRequest
from forwarder.destinations.apprise_service import AppriseService
from forwarder.threads import start_in_thread

SENT_LATE = "sent by the attempt before, which had taken longer than the timeout"


class AppriseSender:
    """Sends to one service, one message at a time. A thread cannot be ended: what takes too long goes on, and its result is kept."""

    def __init__(self, url: str, *, name: str, timeout: timedelta) -> None:
        """`name` is that of the destination."""
        self._service = AppriseService(url)
        self._thread_name = f"apprise {name}"
        self._timeout_s = timeout.total_seconds()
        self._last: tuple[str, asyncio.Future[Outcome]] | None = None
        """The id of the message that was begun last, and what becomes of it."""

    async def send(self, request: WebhookRequest) -> Outcome:
        """Make one attempt within the timeout."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._timeout_s
        if self._last is not None:
            last_id, last = self._last
            if not await _within(last, self._timeout_s):
                return Unanswered(
                    fault=Fault.TIMEOUT,
                    detail=f"Apprise is still busy with the message before after {self._timeout_s:g} s",
                )
            outcome = last.result()
            self._last = None
            if last_id == request.id and isinstance(outcome, Answered) and outcome.is_success:
                return structs.replace(outcome, note=SENT_LATE)
        headers = request.headers
        notify = partial(
            self._service.notify,
            headers.get(TITLE, ""),
            request.body.decode("utf-8", "replace"),
            headers.get("Content-Type", ""),
        )
        running = start_in_thread(notify, name=self._thread_name)
        self._last = request.id, running
        if not await _within(running, deadline - loop.time()):
            return Unanswered(fault=Fault.TIMEOUT, detail=f"Apprise was not done within {self._timeout_s:g} s")
        self._last = None
        return running.result()

    async def knock(self) -> bool:
        """Return `False`: Apprise cannot connect without sending, so only the next attempt shows more."""
        return False


async def _within(running: "asyncio.Future[Outcome]", seconds: float) -> bool:
    done, _ = await asyncio.wait({running}, timeout=max(seconds, 0.0))
    return bool(done)
