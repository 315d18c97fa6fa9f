"""What the streams received before there was an outbox: it is handed on once there is one, or given up by a stop."""

import asyncio

import structlog

from forwarder.daemon.inbound import Inbound, StreamsAtStart
from forwarder.daemon.orderly_stop import GracePeriod

log = structlog.get_logger(__name__)


class KeptFrames:
    """Hands on what is kept of the time before, or reports that it is lost."""

    def __init__(self, streams: StreamsAtStart) -> None:
        self._streams = streams

    async def hand_on(self, inbound: Inbound, *, is_takeover: bool) -> None:
        """Hand what was received meanwhile to ingest, and everything that follows. It may have to wait for room in memory."""
        frames = await inbound.open()
        if is_takeover:
            log.info("takeover.done", frames_kept=frames)

    async def finish(self, handing_on: "asyncio.Task[None]", grace: GracePeriod) -> None:
        """Wait for `hand_on`, for half of the time that is left to a stop; then give up what is still kept."""
        await asyncio.wait([handing_on], timeout=grace.left().total_seconds() / 2)
        handing_on.cancel()
        self.drop(is_noted=True)

    def drop(self, *, is_noted: bool) -> None:
        """Give up what is kept, and report that: nobody can take it in any more. `is_noted`: it is recorded as a gap."""
        if frames := self._streams.drop(is_noted=is_noted):
            log.error(
                "takeover.frames_lost", frames=frames, note="stopped before they could be taken in; forwarder gaps"
            )
