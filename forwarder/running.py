"""The lanes that run, with the streams, of which a reload replaces those that changed and no others."""

import asyncio
import random
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from functools import partial

from forwarder.core.delivery import Attempt, Delivery, DestinationName
from forwarder.core.destination import Destination
from forwarder.core.news import News
from forwarder.core.ports import Clock
from forwarder.core.retry import Decision
from forwarder.core.standing import Standing
from forwarder.destinations.http import open_sender
from forwarder.dispatch import Dispatcher, Lane
from forwarder.ingest import Ingest
from forwarder.outbox.sqlite import SqliteOutbox
from forwarder.parts import Parts
from forwarder.stream_group import StreamGroup

_MARGIN = timedelta(seconds=1)
"""An attempt ends by its own timeout; so much later it would be cut short."""


class Running:
    """Starts them as tasks of `group`, and has them end."""

    def __init__(
        self,
        group: asyncio.TaskGroup,
        *,
        outbox: SqliteOutbox,
        dispatcher: Dispatcher,
        ingest: Ingest,
        streams: StreamGroup,
        standing: Callable[[DestinationName], Standing],
        observe: Callable[[Destination, Delivery, Attempt, Decision], None],
        tell: Callable[[Destination, News], None],
        clock: Clock,
        steady: Clock,
    ) -> None:
        """`standing` is what is kept of a destination; `observe` and `tell` hear of what happens at each."""
        self._group = group
        self._outbox = outbox
        self._dispatcher = dispatcher
        self._ingest = ingest
        self._standing = standing
        self._observe = observe
        self._tell = tell
        self._clock = clock
        self._steady = steady
        self._lane_tasks: dict[asyncio.Task[None], Lane] = {}
        """Also those that a reload has replaced, until what they have under way has ended."""
        self._streams = streams

    def start(self, parts: Parts, has_backlog: Collection[DestinationName]) -> None:
        """Start the lanes; the streams are started by themselves, and may run before."""
        for destination in parts.destinations:
            self._start_lane(destination, has_backlog=destination.name in has_backlog)

    def follow(self, parts: Parts) -> set[str]:
        """Have what changed follow another config, in this turn of the loop; return what was begun anew or ended.

        What is unchanged keeps its connections and its memory. What a replaced lane has under way ends by its own timeout.
        """
        self._ingest.router, self._ingest.disabled = parts.router, parts.disabled
        self._ingest.orders, self._ingest.on_full = parts.orders, parts.on_full
        self._outbox.note_revision(parts.revision, now=self._clock())
        wanted = {destination.name: destination for destination in parts.destinations}
        changed: set[str] = set()
        for lane in list(self._dispatcher.lanes.values()):
            name = lane.destination.name
            if wanted.get(name) != lane.destination:
                lane.stop(lane.destination.timeout + _MARGIN)
                del self._dispatcher.lanes[name]
                changed.add(f"destination {name}")
        for destination in wanted.values():
            if destination.name not in self._dispatcher.lanes:
                self._start_lane(destination, has_backlog=True)
                changed.add(f"destination {destination.name}")
        return changed | {f"stream {name}" for name in self._streams.follow(parts.streams)}

    def hurry(self) -> None:
        """End at once what is under way."""
        for lane in self._lane_tasks.values():
            lane.stop(timedelta())

    async def end(self, grace: timedelta) -> None:
        """Take in nothing more, give what is under way the grace period, give the rest back."""
        self._streams.end()
        for lane in self._dispatcher.lanes.values():
            lane.stop(grace)
        if not self._lane_tasks:
            return
        _, late = await asyncio.wait(self._lane_tasks, timeout=grace.total_seconds())
        if late:  # one that a reload replaced may have longer than that
            for task in late:
                self._lane_tasks[task].stop(timedelta())
            await asyncio.wait(late)

    def _start_lane(self, destination: Destination, *, has_backlog: bool) -> None:
        lane = Lane(
            destination,
            outbox=self._outbox,
            clock=self._clock,
            steady=self._steady,
            chance=random.random,
            observe=partial(self._observe, destination),
            tell=self._tell,
            standing=self._standing(destination.name),
            follows=self._is_ending(destination.name),
            bucket=self._dispatcher.bucket(destination),
            budgets=self._dispatcher.budgets(destination.allowances),
            courtesy=self._dispatcher.courtesy,
        )
        self._dispatcher.lanes[destination.name] = lane
        running = _run_lane(lane, has_backlog=has_backlog, clock=self._clock)
        task = self._group.create_task(running, name=f"lane {destination.name}")
        self._lane_tasks[task] = lane
        task.add_done_callback(self._note_lane_ended)

    def _note_lane_ended(self, task: "asyncio.Task[None]") -> None:
        name = self._lane_tasks.pop(task).destination.name
        if not self._is_ending(name):
            self._dispatcher.look_after_another(name)

    def _is_ending(self, name: DestinationName) -> bool:
        """Whether a lane of that name still has something under way beside the one in force."""
        in_force = self._dispatcher.lanes.get(name)
        return any(lane is not in_force and lane.destination.name == name for lane in self._lane_tasks.values())


async def _run_lane(lane: Lane, *, has_backlog: bool, clock: Callable[[], datetime]) -> None:
    destination = lane.destination
    async with open_sender(
        destination.url, transport=destination.transport, timeout=destination.timeout, clock=clock
    ) as sender:
        await lane.run(sender, has_backlog=has_backlog)
