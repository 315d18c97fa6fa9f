"""Ingest: a frame becomes an event, is checked for a duplicate, routed, given places in its lanes, stored, and only then started."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from time import monotonic
from typing import Protocol

import msgspec
import structlog

from forwarder.core.delivery import (
    Delivery,
    DeliveryId,
    DeliveryStatus,
    DestinationName,
    Trigger,
    delivery_id,
)
from forwarder.core.event import Event, NotAnEvent, NotAnEventError, decode_foreign_event
from forwarder.core.gaps.gap import GapId
from forwarder.core.gaps.recovered import RecoveredPosts
from forwarder.core.ledger import LedgerEntry, SkipReason
from forwarder.core.monitoring.attempt_log import author_of
from forwarder.core.monitoring.counters import Counters
from forwarder.core.ports import Clocks, Outbox
from forwarder.core.routing.dedupe import RecentEvents
from forwarder.core.routing.first_word import FULL, FirstWords
from forwarder.core.routing.limiter import Limiter, Owner, RouteLimit
from forwarder.core.routing.router import Selection
from forwarder.core.routing.table import ActiveRouting
from forwarder.ingest.planner import Arrival, DeliveryPlanner, Recovery
from forwarder.logs.level import LEVEL

log = structlog.get_logger(__name__)

OnArrival = Callable[[Event, str, bool, datetime, float], None]
"""Is notified of every copy of every event: which stream brought it, whether it is the first, and when, by both clocks."""
_MATCHED, _IN_FLIGHT = LedgerEntry.MATCHED, DeliveryStatus.IN_FLIGHT
"""Python 3.11 takes a fifth of a microsecond to find a member of an enum, and these are needed for every event."""
_NOTHING: Mapping[DestinationName, tuple[SkipReason, tuple[str, ...]]] = {}


class ReservedLane(Protocol):
    """A lane that has reserved a place for a delivery: `start` or `cancel` follows."""

    def start(self, delivery: Delivery) -> None:
        """Attempt the delivery: the outbox has it as in flight."""
        ...

    def cancel(self, delivery: Delivery) -> None:
        """Give up the place: the outbox did not take the delivery."""
        ...


class Lanes(Protocol):
    """The lanes of all destinations, as far as new deliveries concern them."""

    def reserve(self, delivery: Delivery) -> ReservedLane | None:
        """Return the lane of the delivery if it has reserved a place for it; `None`: there is no room, or it has to wait before."""
        ...

    def note_pending(self, delivery: Delivery) -> None:
        """Take note that the outbox has the delivery as pending, to be claimed from there."""
        ...


class IngestMemory(msgspec.Struct, frozen=True, kw_only=True):
    """What ingest remembers of earlier events. At a start it comes from the outbox."""

    recent: RecentEvents
    """The events of the duplicate window."""
    recovered: RecoveredPosts = msgspec.field(default_factory=RecoveredPosts)
    """The posts that the repair of gaps has brought."""
    first_words: FirstWords = msgspec.field(default_factory=FirstWords)
    """Which destination has had which of the two events of a post."""
    limiter: Limiter = msgspec.field(default_factory=Limiter)
    """What counts against the limits of the routes."""


class EventWatch(Protocol):
    """Wants to be notified of every event as long as `is_watched`."""

    is_watched: bool

    def note_event(self, event: Event, stream: str, selection: Selection | None, at: datetime) -> None:
        """Take note of an event that came at that time, by the wall clock; a duplicate has no selection, a recovered event no stream."""
        ...


class IngestListeners(msgspec.Struct, frozen=True, kw_only=True):
    """Who else is notified of events."""

    watch: EventWatch | None = None
    on_arrival: OnArrival | None = None


_NOBODY = IngestListeners()


class Ingest:
    """Takes the frames of every stream: decodes, drops duplicates, routes, stores and offers to the lanes."""

    def __init__(
        self,
        *,
        active: ActiveRouting,
        memory: IngestMemory,
        outbox: Outbox,
        lanes: Lanes,
        counters: Counters,
        clock: Clocks,
        listeners: IngestListeners = _NOBODY,
    ) -> None:
        """`active` holds the routing table; each event is routed by the one that is active when it is taken."""
        self._active = active
        self.limiter = memory.limiter
        self._recovered = memory.recovered
        self._recent = memory.recent
        self._outbox = outbox
        self._lanes = lanes
        self._counters = counters
        self._clock = clock
        self._planner = DeliveryPlanner(active=active, first_words=memory.first_words, outbox=outbox, counters=counters)
        self._watch = listeners.watch
        self._on_arrival = listeners.on_arrival

    def follow(self, limits: Mapping[Owner, RouteLimit]) -> None:
        """Let through by these limits of routes and destinations from now on."""
        self.limiter.follow(limits)

    def repairing(self) -> AbstractContextManager[None]:
        """Remember what streams bring for the length of the block, so that a repair does not bring it again."""
        return self._recovered.repairing()

    async def take(self, frame: bytes, *, stream: str = "", is_public: bool = False) -> None:
        """Take one text frame that `stream` brought. The first attempts start at the same time as the commit. It waits only if the disk cannot keep up.

        `is_public`: the stream is the public one, whose events are cut.
        """
        came = arrived = self._came_now()
        try:
            event = decode_foreign_event(frame, is_public=is_public)
        except NotAnEventError as error:
            self.note_odd_frame(error.kind, error.detail)
            return
        if not self._outbox.has_room:
            came = await self._has_waited(arrived)
        self._counters.seen += 1
        is_new = self._recent.is_new(event.id, now=came.steady)
        if is_new and event.source == FULL and not event.truncated:
            is_new = not self._recovered.is_duplicate((event.mid, event.sid), now=came.steady)
        if self._on_arrival is not None:
            self._on_arrival(event, stream, is_new, arrived.wall, arrived.read_at)
        if not is_new:
            self._counters.duplicates += 1
            self._outbox.count_duplicate(now=came.wall)
            if self._watch is not None and self._watch.is_watched:
                self._watch.note_event(event, stream, None, arrived.wall)
            if LEVEL.is_debug:
                log.debug(
                    "event.double", event_id=event.id, source=event.source, mid=event.mid, **author_of(event.body)
                )
            return
        self._route(event, came, stream)

    async def recover(self, frame: bytes, gap: GapId, earlier: FirstWords) -> bool:
        """Take a post that no stream brought and the repair of a gap did; return whether it was new.

        `earlier` knows what of its time went to whom, further back than is remembered for the events of streams.
        """
        came = self._came_now()
        try:
            event = decode_foreign_event(frame)
        except NotAnEventError as error:
            self.note_odd_frame(error.kind, error.detail)
            return False
        if not self._outbox.has_room:
            came = await self._has_waited(came)
        if not self._recovered.is_new((event.mid, event.sid), now=came.steady) or not self._recent.is_new(
            event.id, now=came.steady
        ):
            return False
        self._counters.seen += 1
        self._counters.recovered += 1
        self._route(event, came, repair=Recovery(gap, earlier))
        return True

    def _came_now(self) -> Arrival:
        return Arrival(*self._clock.both(), monotonic())

    async def _has_waited(self, arrived: Arrival) -> Arrival:
        """Wait for room; return when the event counts as accepted. The wait may be long: other waits have ended meanwhile, or a clock was set."""
        await self._outbox.wait_for_room()
        return self._came_now()._replace(read_at=arrived.read_at)

    def _route(self, event: Event, came: Arrival, stream: str = "", repair: Recovery | None = None) -> None:
        """Route a new event, and store it."""
        self.limiter.ahead = came.wall - came.steady
        selection = self._active.routing_table.router.select(event, came.wall, self.limiter)
        if self._watch is not None and self._watch.is_watched:
            self._watch.note_event(event, stream, selection, came.wall)
        if selection.matched:
            self._counters.matched += 1
            matches = self._counters.matches
            for route in selection.matched:
                matches[route] += 1
            entry = _MATCHED
        else:
            self._counters.unmatched += 1
            entry = LedgerEntry.UNMATCHED
        self._store_and_offer(event, selection.chosen, entry, came, held=selection.held, repair=repair)

    def post(self, event: Event, destination: DestinationName, made_by: str) -> None:
        """Send a notice to one destination; `made_by` is shown in place of the names of routes."""
        self._store_and_offer(event, {destination: (made_by,)}, LedgerEntry.OWN, self._came_now())

    def post_canary(self, event: Event, destination: DestinationName) -> DeliveryId:
        """Send a canary to a destination, outside of its order: nothing waits for it. Return the delivery's id."""
        chosen = {destination: ("canary",)}
        self._store_and_offer(event, chosen, LedgerEntry.OWN, self._came_now(), trigger=Trigger.CANARY)
        return delivery_id(event.id, destination)

    def _store_and_offer(
        self,
        event: Event,
        chosen: Mapping[DestinationName, tuple[str, ...]],
        entry: LedgerEntry,
        came: Arrival,
        *,
        trigger: Trigger = Trigger.FIRST,
        held: Mapping[DestinationName, tuple[SkipReason, tuple[str, ...]]] = _NOTHING,
        repair: Recovery | None = None,
    ) -> None:
        """Plan the deliveries of an event, reserve places for them, store everything, and only then start the attempts."""
        event_seq = self._outbox.new_seq()
        gap = None if repair is None else repair.gap
        if not (chosen or held):  # as for most events
            self._outbox.enqueue(event, event_seq, {}, entry=entry, now=came.wall, read_at=came.read_at, gap=gap)
            return
        deliveries: dict[DeliveryStatus | SkipReason, list[Delivery]] = {}
        wanted = self._planner.plan(event, chosen, held, deliveries, event_seq, came, trigger, repair)
        lanes: list[ReservedLane] = []
        in_flight: list[Delivery] = []
        try:
            for delivery in wanted:
                lane = self._lanes.reserve(delivery)
                if lane is not None:
                    lanes.append(lane)
                    in_flight.append(delivery)
                else:
                    deliveries.setdefault(DeliveryStatus.PENDING, []).append(delivery)
            if in_flight:
                deliveries[_IN_FLIGHT] = in_flight
            self._outbox.enqueue(
                event, event_seq, deliveries, entry=entry, now=came.wall, read_at=came.read_at, gap=gap
            )
        except BaseException:
            for lane, delivery in zip(lanes, in_flight, strict=True):
                lane.cancel(delivery)
            raise
        for lane, delivery in zip(lanes, in_flight, strict=True):
            lane.start(delivery)
        if len(in_flight) < len(wanted):
            for delivery in deliveries[DeliveryStatus.PENDING]:
                self._lanes.note_pending(delivery)

    def note_odd_frame(self, kind: NotAnEvent, detail: str = "") -> None:
        """Count a frame that is no event; say so once for each kind."""
        self._counters.odd_frames[kind] += 1
        if self._counters.odd_frames[kind] == 1 and kind is not NotAnEvent.PONG:
            log.warning(
                "stream.odd_frame", kind=kind, detail=detail, note="counted and not forwarded; said once a kind"
            )
