"""The stream side: a frame becomes an event, is checked for a double, routed, kept and offered to its lanes."""

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from typing import Protocol

import structlog

from forwarder.core.books import Cause, Entry
from forwarder.core.dedupe import RecentEvents
from forwarder.core.delivery import (
    Delivery,
    DeliveryId,
    DeliveryStatus,
    DestinationName,
    Trigger,
    delivery_id,
    new_delivery,
)
from forwarder.core.event import Event, NotAnEvent, NotAnEventError, decode_event
from forwarder.core.gaps import GapId
from forwarder.core.limits import Limiter
from forwarder.core.order import Order, order_key
from forwarder.core.ports import Clock, Outbox
from forwarder.core.preference import FULL, SOURCES, WANTED, FirstWords, OnFull, Verdict
from forwarder.core.recovered import RecoveredPosts
from forwarder.core.routing import Router
from forwarder.core.tally import Tally

log = structlog.get_logger(__name__)

OnEvent = Callable[[Event, Mapping[DestinationName, tuple[str, ...]] | None], None]
"""Hears of every event with the destinations chosen for it and by which routes; `None` stands for a double."""
OnArrival = Callable[[Event, str, bool], None]
"""Hears of every copy of every event: which stream brought it, and whether it is the first."""
_NOTHING: Mapping[DestinationName, tuple[Cause, tuple[str, ...]]] = {}


class Lanes(Protocol):
    """Where fresh deliveries go."""

    def offer(self, delivery: Delivery) -> bool:
        """Take the delivery for its first attempt, or return that there is no room for it in memory now."""
        ...

    def look_by(self, destination: DestinationName, at: datetime) -> None:
        """Ask the outbox at `at` at the latest: something waits there that is due then."""
        ...


@dataclass(frozen=True, slots=True)
class _Repair:
    """What brought an event that no stream did."""

    gap: GapId
    earlier: FirstWords


class Ingest:
    """Takes frames of every stream. `router`, `disabled`, `orders` and `on_full` are replaced together between two frames by a reload."""

    def __init__(
        self,
        *,
        router: Router,
        disabled: AbstractSet[DestinationName],
        orders: Mapping[DestinationName, Order],
        on_full: Mapping[DestinationName, OnFull],
        first_words: FirstWords,
        outbox: Outbox,
        lanes: Lanes,
        recent: RecentEvents,
        tally: Tally,
        clock: Clock,
        steady: Clock | None = None,
        recovered: RecoveredPosts | None = None,
        on_event: OnEvent | None = None,
        on_arrival: OnArrival | None = None,
    ) -> None:
        """`clock` is the wall clock; `steady` is the time that everything waits and grows old by, the same where it is left out."""
        self.limiter = Limiter()
        self.router = router
        self.disabled = disabled
        self.orders = orders
        self.on_full = on_full
        self._first_words = first_words
        self._outbox = outbox
        self._lanes = lanes
        self._recent = recent
        self._tally = tally
        self._clock = clock
        self._steady = clock if steady is None else steady
        self.recovered = RecoveredPosts() if recovered is None else recovered
        self._on_event = on_event
        self._on_arrival = on_arrival

    @property
    def router(self) -> Router:
        """The walk over the routes; those whose limit stays as it is keep what was counted."""
        return self._router

    @router.setter
    def router(self, router: Router) -> None:
        self.limiter.follow(router.limits)
        self._router = router

    async def take(self, frame: bytes, *, stream: str = "") -> None:
        """Take one text frame that `stream` brought. The first attempts start beside the commit; waits only when the disk cannot keep up."""
        now, read_at = self._clock(), monotonic()
        try:
            event = decode_event(frame)
        except NotAnEventError as error:
            self.note_odd_frame(error.kind, error.detail)
            return
        await self._outbox.wait_for_room()
        self._tally.seen += 1
        steady = self._steady()
        is_new = self._recent.is_new(event.id, now=steady)
        if is_new and event.source == FULL:
            is_new = not self.recovered.is_double((event.mid, event.sid), now=steady)
        if self._on_arrival is not None:
            self._on_arrival(event, stream, is_new)
        if not is_new:
            self._tally.doubles += 1
            self._outbox.count_double(now=now)
            self._tell(event, None)
            log.debug("event.double", event_id=event.id, source=event.source, mid=event.mid)
            return
        self._accept(event, now, read_at)

    async def recover(self, frame: bytes, gap: GapId, earlier: FirstWords) -> bool:
        """Take a post that no stream brought and the repair of a gap did; return whether it was new.

        `earlier` knows what of its time went to whom, further back than is remembered for the events of streams.
        """
        now, read_at = self._clock(), monotonic()
        try:
            event = decode_event(frame)
        except NotAnEventError as error:
            self.note_odd_frame(error.kind, error.detail)
            return False
        await self._outbox.wait_for_room()
        steady = self._steady()
        if not self.recovered.is_new((event.mid, event.sid), now=steady) or not self._recent.is_new(
            event.id, now=steady
        ):
            return False
        self._tally.seen += 1
        self._tally.recovered += 1
        self._accept(event, now, read_at, repair=_Repair(gap, earlier))
        return True

    def _accept(self, event: Event, now: datetime, read_at: float, repair: _Repair | None = None) -> None:
        """Route an event that was not there before."""
        self.limiter.ahead = now - self._steady()
        selection = self.router.select(event, now, self.limiter)
        self._tell(event, selection.chosen)
        if selection.is_matched:
            self._tally.matched += 1
        else:
            self._tally.unmatched += 1
        entry = Entry.MATCHED if selection.is_matched else Entry.UNMATCHED
        self._bring(event, selection.chosen, entry, now, read_at, held=selection.held, repair=repair)

    def post(self, event: Event, destination: DestinationName, made_by: str) -> None:
        """Bring an event of our own to one destination; `made_by` stands where the names of routes do."""
        now = self._clock()
        self._bring(event, {destination: (made_by,)}, Entry.OWN, now, monotonic())

    def post_canary(self, event: Event, destination: DestinationName) -> DeliveryId:
        """Bring a canary to a destination, beside its order: nothing is to wait for it. Return the delivery's id."""
        now = self._clock()
        self._bring(event, {destination: ("canary",)}, Entry.OWN, now, monotonic(), trigger=Trigger.CANARY)
        return delivery_id(event.id, destination)

    def _bring(
        self,
        event: Event,
        chosen: Mapping[DestinationName, tuple[str, ...]],
        entry: Entry,
        now: datetime,
        read_at: float,
        *,
        trigger: Trigger = Trigger.FIRST,
        held: Mapping[DestinationName, tuple[Cause, tuple[str, ...]]] = _NOTHING,
        repair: _Repair | None = None,
    ) -> None:
        event_seq, steady = self._outbox.new_seq(), self._steady()
        deliveries: dict[DeliveryStatus | Cause, list[Delivery]] = {}
        is_preferred = bool(self.router.once) and event.source in SOURCES
        for destination, routes in chosen.items():
            order = self.orders.get(destination)
            key = None
            verdict = (
                self._judge(event, destination, routes, event_seq, now, steady, repair) if is_preferred else WANTED
            )
            # What waits takes its place in the order when its wait is over.
            if order is not None and trigger is not Trigger.CANARY and verdict.waits_until is None:
                key = order_key(order, source=event.source, sid=event.sid)
            delivery = new_delivery(
                event,
                destination,
                routes,
                event_seq=event_seq,
                accepted_at=steady,
                order_key=key,
                edits=verdict.edits,
                waits_until=verdict.waits_until,
                trigger=trigger,
                is_recovered=repair is not None,
            )
            became = self._offer(delivery) if verdict.is_wanted else Cause.PREFERRED
            self._tally.skipped += isinstance(became, Cause)
            deliveries.setdefault(became, []).append(delivery)
        for destination, (cause, routes) in held.items():
            delivery = new_delivery(
                event,
                destination,
                routes,
                event_seq=event_seq,
                accepted_at=steady,
                order_key=None,
                is_recovered=repair is not None,
            )
            deliveries.setdefault(self._note_held(destination, cause), []).append(delivery)
        gap = None if repair is None else repair.gap
        self._outbox.enqueue(event, event_seq, deliveries, entry=entry, now=now, read_at=read_at, gap=gap)

    def _note_held(self, destination: DestinationName, cause: Cause) -> Cause:
        """Count a delivery that its routes held back; return why it is skipped."""
        if destination in self.disabled:
            self._tally.skipped += 1
            return Cause.DISABLED
        if cause is Cause.SAMPLED:
            self._tally.sampled += 1
        else:
            self._tally.limited += 1
        return cause

    def _judge(  # noqa: PLR0917 - what is judged, and what it is judged by
        self,
        event: Event,
        destination: DestinationName,
        routes: tuple[str, ...],
        event_seq: int,
        now: datetime,
        steady: datetime,
        repair: _Repair | None,
    ) -> Verdict:
        """Return whether a destination gets this one of the two events of a post, and when; a full text replaces what waits for it."""
        if destination in self.disabled or not self.router.once.issuperset(routes):
            return WANTED
        words = self._first_words
        if event.source == FULL:
            for waiting in words.waiting(event.mid, destination, now=steady):
                if self._outbox.replace(destination, waiting, now=now):
                    words.replaced(event.mid, destination, waiting)
                    self._tally.skipped += 1
        verdict = WANTED
        for known in (words,) if repair is None else (words, repair.earlier):
            if verdict == WANTED:
                verdict = known.judge(
                    event.source,
                    event.mid,
                    destination,
                    event_seq=event_seq,
                    on_full=self.on_full.get(destination, OnFull.IGNORE),
                    now=steady,
                    wait=self.router.wait_of(routes),
                )
        return verdict

    def _offer(self, delivery: Delivery) -> DeliveryStatus | Cause:
        """Hand it to its lane; return what it is now, or why it is not made."""
        if delivery.destination in self.disabled:
            return Cause.DISABLED
        if delivery.waits_until is not None:
            self._lanes.look_by(delivery.destination, delivery.waits_until)
            return DeliveryStatus.PENDING
        # A lane starts the attempt at the next turn of the loop at the earliest, so its outcome comes after `enqueue`.
        return DeliveryStatus.IN_FLIGHT if self._lanes.offer(delivery) else DeliveryStatus.PENDING

    def _tell(self, event: Event, chosen: Mapping[DestinationName, tuple[str, ...]] | None) -> None:
        if self._on_event is not None:
            self._on_event(event, chosen)

    def note_odd_frame(self, kind: NotAnEvent, detail: str = "") -> None:
        """Count a frame that is no event; say so once for each kind."""
        self._tally.odd_frames[kind] += 1
        if self._tally.odd_frames[kind] == 1 and kind is not NotAnEvent.PONG:
            log.warning(
                "stream.odd_frame", kind=kind, detail=detail, note="counted and not forwarded; said once a kind"
            )
