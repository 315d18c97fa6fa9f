"""The outbound side: the lanes that run, of which a reload replaces those that changed and no others."""

import asyncio
import random
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import structlog

from forwarder.clocks.periodic import periodic
from forwarder.clocks.process_clock import ProcessClock
from forwarder.core.commands import PauseChange
from forwarder.core.delivery import DestinationName
from forwarder.core.destinations.destination import Destination
from forwarder.daemon.reporting import Reporting
from forwarder.daemon.runtime import ActiveRuntime, RuntimeConfig
from forwarder.destinations.render_worker import RenderWorker
from forwarder.destinations.senders import sender_of
from forwarder.dispatch.dispatcher import Dispatcher
from forwarder.dispatch.lane import Lane, Timing
from forwarder.outbox.store import OutboxStore

if TYPE_CHECKING:
    from forwarder.monitoring.tracer import Tracer

_LOOK_EVERY = timedelta(seconds=1)
_MARGIN = timedelta(seconds=1)
"""An attempt ends by its own timeout; so much later it would be cut short."""

_PAUSE_LINES = {"pause": "destination.paused", "resume": "destination.resumed"}

log = structlog.get_logger(__name__)


class Outbound:
    """Starts the lanes as tasks of `group`, replaces those whose destination changed, and ends them."""

    def __init__(
        self,
        group: asyncio.TaskGroup,
        *,
        outbox: OutboxStore,
        dispatcher: Dispatcher,
        reporting: Reporting,
        clock: ProcessClock,
        hurry: asyncio.Event,
        tracer: "Tracer | None" = None,
    ) -> None:
        """`hurry` is set when a person does not want to wait for the attempts under way. `tracer` traces the requests."""
        self._group = group
        self._outbox = outbox
        self._dispatcher = dispatcher
        self._monitor, self._attempts, self._canaries = reporting.monitor, reporting.attempts, reporting.canaries
        self._clock = clock
        self._hurry = hurry
        self._tracer = tracer
        self._template_worker = RenderWorker()
        self._lane_tasks: dict[asyncio.Task[None], Lane] = {}
        """Also lanes that a reload has replaced, until the attempts that they have under way have ended."""

    def start(self, active: ActiveRuntime, waiting: Mapping[DestinationName, int]) -> None:
        """Start the lanes. `waiting` is how many deliveries wait in the outbox for a destination, which may be gone from the config."""
        self._outbox.note_revision(active.config.revision, now=self._clock())
        for destination in active.runtime.destinations:
            self._start_lane(destination, has_backlog=destination.name in waiting)
        self._monitor.report_pauses(self._dispatcher.lanes)
        for name, count in waiting.items():
            if name not in self._dispatcher.lanes:
                log.warning(
                    "outbox.no_such_destination",
                    destination=name,
                    waiting=count,
                    note="kept; delivered once the config has an enabled destination of this name",
                )

    def follow(self, runtime: RuntimeConfig) -> set[str]:
        """See `Follower`. What is unchanged keeps its connections and its memory.

        The attempts that a replaced lane has under way end by their own timeout.
        """
        self._outbox.note_revision(runtime.config.revision, now=self._clock())
        wanted = {destination.name: destination for destination in runtime.destinations}
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
        return changed

    async def hurry(self) -> None:
        """End what is under way at once, when somebody asks for it."""
        await self._hurry.wait()
        for lane in self._lane_tasks.values():
            lane.stop(timedelta())

    async def end(self, grace: timedelta) -> None:
        """Give the attempts under way the grace period, and give back the rest."""
        for lane in self._dispatcher.lanes.values():
            lane.stop(timedelta() if self._hurry.is_set() else grace)
        if self._lane_tasks:
            _, late = await asyncio.wait(self._lane_tasks, timeout=grace.total_seconds())
            if late:  # one that a reload replaced may have longer than that
                for task in late:
                    self._lane_tasks[task].stop(timedelta())
                await asyncio.wait(late)
        await self._template_worker.close()

    # What commands ask for

    @property
    def destinations(self) -> Collection[DestinationName]:
        """The destinations that are enabled."""
        return self._dispatcher.lanes.keys()

    def look(self, destination: DestinationName) -> None:
        """Have the lane of a destination ask the outbox again."""
        self._dispatcher.look(destination)

    def send_canary(self, destination: DestinationName) -> bool:
        """Send the next canary of a destination now; return whether it has canaries."""
        return self._canaries.send_soon(destination)

    def leave_kept(self, keys: Iterable[tuple[int, str]]) -> None:
        """Have the lanes leave to the outbox what they keep in memory for a next attempt, by event number and destination."""
        seqs: dict[str, set[int]] = {}
        for event_seq, name in keys:
            seqs.setdefault(name, set()).add(event_seq)
        for name, event_seqs in seqs.items():
            self._dispatcher.leave_kept(DestinationName(name), event_seqs)

    def has_pause(self, asked: PauseChange) -> bool:
        """Return whether a destination is paused or resumed already, as a person asks for."""
        return self._monitor.has_pause(asked)

    async def end_pauses(self) -> None:
        """Resume each destination whose pause ends by itself, each second, until cancelled."""
        await periodic(_LOOK_EVERY, self._end_pauses)

    def _end_pauses(self) -> None:
        for name in self._monitor.due_to_resume():
            self.pause_or_resume(PauseChange(verb="resume", destination=name, now_ms=0), by="time")

    def pause_or_resume(self, asked: PauseChange, *, by: str = "person") -> None:
        """Pause or resume a destination, as a person asked; or because its pause has ended by itself (`by`: `time`)."""
        self._monitor.note_change(asked)
        pause = self._monitor.state_of(DestinationName(asked.destination)).pause
        until = {} if pause is None or pause.until is None else {"until": pause.until.isoformat(timespec="seconds")}
        log.info(_PAUSE_LINES[asked.verb], destination=asked.destination, by=by, why=asked.why, **until)
        lane = self._dispatcher.lanes.get(DestinationName(asked.destination))
        if lane is None:  # a reload has removed it meanwhile
            return
        if asked.verb == "pause":
            if not lane.admission.is_paused:  # or only the end of its pause is another one
                lane.pause()
        else:
            lane.resume()

    def _start_lane(self, destination: Destination, *, has_backlog: bool) -> None:
        lane = Lane(
            destination,
            outbox=self._outbox,
            observer=self._attempts,
            timing=Timing(clock=self._clock, chance=random.random),
            limits=self._dispatcher.limits(destination),
            state=self._monitor.state_of(destination.name),
            follows=self._is_ending(destination.name),
            template_worker=self._template_worker,
        )
        self._dispatcher.lanes[destination.name] = lane
        running = _run_lane(lane, has_backlog=has_backlog, clock=self._clock, tracer=self._tracer)
        try:
            task = self._group.create_task(running, name=f"lane {destination.name}")
        except RuntimeError:  # the daemon is ending by an error, and takes no more tasks
            running.close()
            raise
        self._lane_tasks[task] = lane
        task.add_done_callback(self._note_lane_ended)

    def _note_lane_ended(self, task: "asyncio.Task[None]") -> None:
        name = self._lane_tasks.pop(task).destination.name
        if not self._is_ending(name):
            self._dispatcher.look_after_another(name)

    def _is_ending(self, name: DestinationName) -> bool:
        """Return whether a lane that was replaced still has attempts under way for that destination."""
        present = self._dispatcher.lanes.get(name)
        return any(lane is not present and lane.destination.name == name for lane in self._lane_tasks.values())


async def _run_lane(
    lane: Lane, *, has_backlog: bool, clock: Callable[[], datetime], tracer: "Tracer | None" = None
) -> None:
    async with sender_of(lane.destination, clock=clock, bucket=lane.request_bucket) as sender:
        if tracer is None:
            await lane.run(sender, has_backlog=has_backlog)
            return
        from forwarder.monitoring.traced_sender import TracedSender  # noqa: PLC0415 - only with `tracing`

        await lane.run(TracedSender(sender, tracer), has_backlog=has_backlog)
