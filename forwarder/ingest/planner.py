"""Plans the deliveries of an event: which are to be made, when, in which order, and which are skipped for what reason."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

import msgspec

from forwarder.core.delivery import (
    DIGEST_KEY,
    Delivery,
    DeliveryStatus,
    DestinationName,
    Trigger,
    WaitsFor,
    new_delivery,
)
from forwarder.core.dispatch.ordering import order_key
from forwarder.core.event import OWN_SOURCE, Event
from forwarder.core.gaps.gap import GapId
from forwarder.core.ledger import SkipReason
from forwarder.core.monitoring.counters import Counters
from forwarder.core.ports import Outbox
from forwarder.core.routing.first_word import FULL, SOURCES, WANTED, FirstWordDecision, FirstWords, OnFull
from forwarder.core.routing.quiet import Then
from forwarder.core.routing.table import ActiveRouting, RoutingTable

_FULL_TEXT = WaitsFor.FULL_TEXT
_WAITS_FOR = {Then.SEND: WaitsFor.QUIET_END, Then.DIGEST: WaitsFor.DIGEST}


class Arrival(NamedTuple):
    """When an event came in."""

    wall: datetime
    """By the wall clock."""
    steady: datetime
    """By the steady clock, which waits and ages are counted by."""
    read_at: float
    """By the monotonic clock, in seconds."""


class Recovery(msgspec.Struct, frozen=True):
    """The repair of a gap that found an event."""

    gap: GapId
    earlier: FirstWords
    """Which destinations had which posts at that time."""


class DeliveryPlanner:
    """Turns an event and the destinations that its routes chose into deliveries."""

    def __init__(self, *, active: ActiveRouting, first_words: FirstWords, outbox: Outbox, counters: Counters) -> None:
        """`first_words` remembers which destination has had which of the two events of a post."""
        self._active = active
        self._first_words = first_words
        self._outbox = outbox
        self._counters = counters

    def plan(  # noqa: PLR0917 - an event, what was chosen for it, and where that goes
        self,
        event: Event,
        chosen: Mapping[DestinationName, tuple[str, ...]],
        held: Mapping[DestinationName, tuple[SkipReason, tuple[str, ...]]],
        skipped: dict[DeliveryStatus | SkipReason, list[Delivery]],
        event_seq: int,
        came: Arrival,
        trigger: Trigger,
        recovery: Recovery | None,
    ) -> list[Delivery]:
        """Return the deliveries that are to be made, and add the others to `skipped`, by their cause.

        `chosen` and `held` are what the routes send and do not send, by destination. `recovery`: the repair of a gap found the event.
        """
        wanted: list[Delivery] = []
        table = self._active.routing_table
        high = table.router.high
        is_own = event.source == OWN_SOURCE
        quiet = None if is_own else table.quiet  # own messages say that something is wrong now, or are a digest
        is_preferred = bool(table.router.once) and event.source in SOURCES and not event.truncated
        for destination, routes in chosen.items():
            order = table.orders.get(destination)
            key = None
            verdict = (
                self._judge(table, event, destination, routes, event_seq, came, recovery) if is_preferred else WANTED
            )
            waits_until, waits_for = verdict.waits_until, _FULL_TEXT
            if quiet is not None and (kept := quiet.keep(destination, routes, came.wall)) is not None:
                waits_until, waits_for = came.steady + (kept.until - came.wall), _WAITS_FOR[kept.then]
            if waits_until is not None:  # it takes its place in the order when its wait is over
                key = DIGEST_KEY if waits_for is WaitsFor.DIGEST else None
            elif order is not None and trigger is not Trigger.CANARY:
                key = order_key(order, source=event.source, sid=event.sid)
            delivery = new_delivery(
                event,
                destination,
                routes,
                event_seq=event_seq,
                accepted_at=came.steady,
                order_key=key,
                edits=verdict.edits,
                waits_until=waits_until,
                waits_for=waits_for,
                is_high=high is not None and not high.isdisjoint(routes),
                trigger=trigger,
                is_recovered=recovery is not None,
            )
            if verdict.is_wanted and destination not in table.disabled:
                wanted.append(delivery)
            else:
                self._counters.skipped += 1
                self._counters.skipped_by[destination] += 1
                cause = SkipReason.DISABLED if verdict.is_wanted else SkipReason.PREFERRED
                skipped.setdefault(cause, []).append(delivery)
        for destination, (cause, routes) in held.items():
            delivery = new_delivery(
                event,
                destination,
                routes,
                event_seq=event_seq,
                accepted_at=came.steady,
                order_key=None,
                is_recovered=recovery is not None,
            )
            skipped.setdefault(self._note_held(table, destination, cause), []).append(delivery)
        return wanted

    def _note_held(self, table: RoutingTable, destination: DestinationName, cause: SkipReason) -> SkipReason:
        """Count a delivery that its routes do not send; return why it is skipped."""
        self._counters.skipped_by[destination] += 1
        if destination in table.disabled:
            self._counters.skipped += 1
            return SkipReason.DISABLED
        if cause is SkipReason.SAMPLED:
            self._counters.sampled += 1
        else:
            self._counters.limited += 1
        return cause

    def _judge(  # noqa: PLR0917 - what is judged, and what it is judged by
        self,
        table: RoutingTable,
        event: Event,
        destination: DestinationName,
        routes: tuple[str, ...],
        event_seq: int,
        came: Arrival,
        recovery: Recovery | None,
    ) -> FirstWordDecision:
        """Return whether a destination gets this one of the two events of a post, and when. A full text replaces what waits for it."""
        if destination in table.disabled or not table.router.once.issuperset(routes):
            return WANTED
        words = self._first_words
        if event.source == FULL:
            for waiting in words.waiting(event.mid, destination, now=came.steady):
                if self._outbox.replace(destination, waiting, now=came.wall):
                    words.replaced(event.mid, destination, waiting)
                    self._counters.skipped += 1
                    self._counters.skipped_by[destination] += 1
        verdict = WANTED
        for known in (words,) if recovery is None else (words, recovery.earlier):
            if verdict == WANTED:
                verdict = known.judge(
                    event.source,
                    event.mid,
                    destination,
                    event_seq=event_seq,
                    on_full=table.on_full.get(destination, OnFull.IGNORE),
                    now=came.steady,
                    wait=table.router.wait_of(routes),
                )
        return verdict
