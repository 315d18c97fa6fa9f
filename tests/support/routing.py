"""A routing table that a test replaces, and clocks that are one function."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime

from forwarder.core.delivery import DestinationName
from forwarder.core.ports import Clock
from forwarder.core.routing.first_word import OnFull
from forwarder.core.routing.limiter import Limiter
from forwarder.core.routing.router import Route, Router
from forwarder.core.routing.table import RoutingTable


class ActiveTable:
    """Holds the routing table that is active, as the daemon does."""

    def __init__(self, *routes: Route) -> None:
        self.limiter = Limiter()
        self.activate(*routes)

    def activate(
        self,
        *routes: Route,
        on_full: Mapping[DestinationName, OnFull] | None = None,
        disabled: AbstractSet[DestinationName] = frozenset(),
    ) -> None:
        """Have events be routed so from now on."""
        self.routing_table = RoutingTable(router=Router(routes=routes), on_full=on_full or {}, disabled=disabled)
        self.limiter.follow(self.routing_table.router.limits)


class OneClock:
    """Both clocks of a process, as one that is never set."""

    def __init__(self, now: Clock) -> None:
        self._now = now

    def __call__(self) -> datetime:
        return self._now()

    def steady(self) -> datetime:
        """Return the same."""
        return self._now()

    def both(self) -> tuple[datetime, datetime]:
        """Return the same twice."""
        now = self._now()
        return now, now
