"""The overlap of two connections of a stream: the old one is read up to where the new one begins, and then closed."""

from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta

import structlog

from forwarder.core.event import EventId
from forwarder.core.streams.overlap import Extent
from forwarder.streams.connection import StreamConnection
from forwarder.streams.context import StreamContext
from forwarder.streams.faults import FaultKind

OVERLAP = timedelta(seconds=2)
"""How long a connection is read at least after its successor has opened: events that the server was already sending arrive in
that time. It is read for longer while it brings events that the successor does not."""

log = structlog.get_logger(__name__)


class Overlap:
    """Reads and closes the old connections of one stream, and records what was lost with them as gaps."""

    def __init__(self, context: StreamContext, *, answers_within: timedelta) -> None:
        """`answers_within` is how long a live peer takes at most to answer a probe."""
        self._context = context
        self._answers_within = answers_within

    async def close_old(
        self, old: StreamConnection, successor: StreamConnection, *, suspect_since: float | None, must_answer: bool
    ) -> None:
        """Read an old connection to its end, or to where its successor begins, and close it.

        `suspect_since`: since then (by `boot_time`) the old connection may be dead; if nothing came since, that is a gap.
        `must_answer`: what came may have been sent long before, so the connection is probed once it has been read.
        """
        opened = self._context.clock()
        extent = await self.read_out(old, lambda: successor.first_events)
        is_dead = False
        if suspect_since is not None and extent is not Extent.OVERLAPPED:
            if must_answer:
                is_dead = not await old.answers(within_s=self._answers_within.total_seconds())
            else:
                is_dead = old.heard_at < suspect_since
        self._context.state.ends[str(FaultKind.SILENT) if is_dead else "renewed"] += 1
        if is_dead:
            fault = old.fault
            reason = "nothing more was received on it" if fault is None else fault.sentence
            self._context.note_past_gap(self._context.wall_time(old.certain_until), opened, reason)
        await old.close()

    async def read_out(
        self,
        old: StreamConnection,
        first_of_next: Callable[[], Collection[EventId]],
        *,
        least: timedelta | None = None,
    ) -> Extent:
        """Read a connection up to where its successor, which has just opened, begins. What is cut off is a gap.

        `least` is how long it is read at least, by default `OVERLAP`.
        """
        opened = self._context.clock()
        extent = await old.read_out(least_s=(least or OVERLAP).total_seconds(), first_of_next=first_of_next)
        if extent is Extent.CUT_OFF:
            began = self._sent_until(old, opened)
            log.warning(
                "stream.cut_off",
                stream=self._context.state.name,
                note="the previous connection still had more events than forwarder waits for",
            )
            if began < opened:
                reason = "the previous connection was closed while it still brought events"
                self._context.note_past_gap(began, opened, reason)
        return extent

    def _sent_until(self, old: StreamConnection, opened: datetime) -> datetime:
        """Return when the last event of an old connection was sent: by its timestamp, within what is known for certain."""
        surely = min(self._context.wall_time(old.drained_at), opened)
        timestamp_s = old.last_timestamp_s
        if timestamp_s is None or timestamp_s <= surely.timestamp():
            return surely
        return opened if timestamp_s >= opened.timestamp() else datetime.fromtimestamp(timestamp_s, UTC)
