"""Requests an outside monitor while all is well: a dead man's switch, which raises the alarm when the requests stop.

It has connections of its own and its own timeout, so that no delivery ever waits for it.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime
from time import monotonic

import structlog

from forwarder.core.delivery import Answered
from forwarder.core.destinations.heartbeat import Heartbeat
from forwarder.core.destinations.request import USER_AGENT, WebhookRequest
from forwarder.core.monitoring.heartbeat_schedule import HeartbeatSchedule, Ping
from forwarder.core.monitoring.status import HeartbeatReport, to_seconds
from forwarder.core.monitoring.verdict import Verdict
from forwarder.core.ports import Clock
from forwarder.destinations.sender import open_sender

log = structlog.get_logger(__name__)


class HeartbeatPinger:
    """Requests the monitor of the active config; reports when that fails or ends for another reason, once each time."""

    def __init__(self, heartbeat: Heartbeat | None, *, clock: Clock, now_s: Callable[[], float] = monotonic) -> None:
        self._heartbeat = heartbeat
        self._clock = clock
        self._now_s = now_s
        self._changed = asyncio.Event()
        self._trouble: str | None = None
        """Why the last request failed."""
        self._last_ok: datetime | None = None
        self._is_withheld = False
        """Whether something is wrong, and no success is reported."""

    def follow(self, heartbeat: Heartbeat | None) -> None:
        """Request this monitor from now on; `None`: request none."""
        if heartbeat != self._heartbeat:
            self._heartbeat = heartbeat
            self._trouble = self._last_ok = None
            self._changed.set()

    def status(self) -> HeartbeatReport | None:
        """Return whether the monitor can be requested; `None` where none is."""
        if self._heartbeat is None:
            return None
        return HeartbeatReport(last_ok_at=to_seconds(self._last_ok), trouble=self._trouble)

    async def run(self, verdict: Callable[[], Verdict]) -> None:
        """Request until cancelled. `verdict` says how well streams, destinations and outbox are."""
        schedule = HeartbeatSchedule(every_s=0, tells_failure=False)
        while True:
            self._changed.clear()
            heartbeat = self._heartbeat
            if heartbeat is None:
                await self._changed.wait()
                continue
            schedule = HeartbeatSchedule(
                every_s=heartbeat.every.total_seconds(),
                tells_failure=heartbeat.fail_url is not None,
                last_s=schedule.last_s,
            )
            await self._send_until_changed(heartbeat, schedule, verdict)

    async def _send_until_changed(
        self, heartbeat: Heartbeat, schedule: HeartbeatSchedule, verdict: Callable[[], Verdict]
    ) -> None:
        while not self._changed.is_set():
            found = verdict()
            is_well = not found.concerns or (heartbeat.is_sent_degraded and not found.is_down)
            self._note_verdict(found, is_well=is_well)
            step = schedule.step(self._now_s(), is_well=is_well)
            began_s = self._now_s()
            if step.ping is not None:
                await self._request(heartbeat, step.ping)
            wait_s = step.wait_s - (self._now_s() - began_s)
            try:
                await asyncio.wait_for(self._changed.wait(), max(wait_s, 0))
            except TimeoutError:
                continue

    def _note_verdict(self, found: Verdict, *, is_well: bool) -> None:
        if is_well is self._is_withheld:
            self._is_withheld = not is_well
            if is_well:
                how = "nothing is down, though it is degraded" if found.concerns else "all is well"
                log.info("heartbeat.resumed", note=f"{how}, so the monitor is requested")
            else:
                log.warning("heartbeat.withheld", reason=found.line, note="the monitor is not told that all is well")

    async def _request(self, heartbeat: Heartbeat, ping: Ping) -> None:
        url = heartbeat.url if ping is Ping.SUCCESS or heartbeat.fail_url is None else heartbeat.fail_url
        request = WebhookRequest(
            fixed={"User-Agent": USER_AGENT, "Accept-Encoding": "identity"},
            id="heartbeat",
            timestamp=int(self._clock().timestamp()),
            body=b"",
            method="GET",
        )
        async with open_sender(
            url, transport=heartbeat.transport, timeout=heartbeat.timeout, clock=self._clock
        ) as sender:
            outcome = await sender.send(request)
        if heartbeat != self._heartbeat:  # an edit came meanwhile
            return
        if isinstance(outcome, Answered) and outcome.is_success:
            if self._trouble is not None:
                log.info("heartbeat.works", note="the monitor answers again")
            self._trouble, self._last_ok = None, self._clock()
            return
        if self._trouble is None:
            log.warning("heartbeat.failed", reason=outcome.reason, note="tried again at each step; logged once")
        self._trouble = outcome.reason
