"""Everything that decides where an event goes, as one value: a reload replaces it whole."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Protocol

import msgspec

from forwarder.core.delivery import DestinationName
from forwarder.core.dispatch.ordering import Order
from forwarder.core.routing.first_word import OnFull
from forwarder.core.routing.quiet import QuietPlan
from forwarder.core.routing.router import Router


class RoutingTable(msgspec.Struct, frozen=True, kw_only=True):
    """The routes, and what the destinations ask of the events that the routes choose for them."""

    router: Router
    disabled: AbstractSet[DestinationName] = frozenset()
    """Destinations with `enabled: false`. What is chosen for them is skipped."""
    orders: Mapping[DestinationName, Order] = msgspec.field(default_factory=dict)
    """The order of each destination that keeps one."""
    quiet: QuietPlan | None = None
    """The quiet hours of routes and destinations, if there are any."""
    on_full: Mapping[DestinationName, OnFull] = msgspec.field(default_factory=dict)
    """What each destination does with a full text whose first word it has."""


class ActiveRouting(Protocol):
    """Holds the routing table that is active now. A reload replaces it between two events."""

    @property
    def routing_table(self) -> RoutingTable:
        """The table that is active now."""
        ...
