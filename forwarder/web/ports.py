"""What the page and the API need of the daemon, as a Protocol.

The daemon implements it. Everything that reads the history does so in a thread, within a time limit: see `DaemonAccess`.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol, Self

from pydantic import BaseModel

from forwarder.core.commands import Request
from forwarder.core.history import Query
from forwarder.core.monitoring.live import Passing
from forwarder.core.monitoring.status import Backlog, StatusReport
from forwarder.core.monitoring.verdict import Verdict
from forwarder.core.past_routing import PastRouting
from forwarder.web.config_view import ConfigView
from forwarder.web.records import DeadGroup, DeliveryPage, EventPage, StoredAction, StoredEvent, StoredGap
from forwarder.web.rule_trials import BacktestResult, BacktestWanted, RuleTrial, TrialResult


class UnavailableError(Exception):
    """What was asked for cannot be had now; the text says why, and what to do."""


class LiveSubscription(Protocol):
    """What passes inside of its `with` block. It loses the oldest when its reader is slow."""

    @property
    def lost(self) -> int:
        """How many were lost so far."""
        ...

    async def take(self) -> list[Passing]:
        """Return all that waits, once there is something; nothing at the end of the daemon."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


class LiveSource(Protocol):
    """Where to subscribe to what passes: the live feed of the daemon."""

    def subscribe(self, *, most: int) -> LiveSubscription:
        """Return what receives what passes; it holds at most so many for its reader."""
        ...


class DaemonAccess(Protocol):
    """The daemon, as the page and the API see it. No answer contains a secret.

    The coroutines that read the history raise `UnavailableError` where the outbox cannot be read, too many reads are under way, or one
    takes too long. A list that ends early for its limit has a cursor for its next page: `Query.after`.
    """

    def now(self) -> datetime:
        """Return the time by the wall clock."""
        ...

    def status(self) -> StatusReport:
        """Return the state of this moment."""
        ...

    async def backlog(self) -> Backlog | None:
        """Return what the outbox holds; `None` if it cannot be read in time. It may be some seconds old."""
        ...

    async def verdict(self) -> Verdict:
        """Return how well the daemon is, gaps that are not repaired included."""
        ...

    async def events(self, query: Query) -> EventPage:
        """Return the events with their deliveries, newest first, without bodies."""
        ...

    async def event(self, text: str) -> list[StoredEvent]:
        """Return the acceptances of an event, by its id, a `webhook-id` or `#` and its number, oldest first, with attempts and body.

        Of a large body it has the beginning.
        """
        ...

    async def body(self, event_seq: int) -> bytes | None:
        """Return the whole event with this number as it came; `None` if there is no such event any more."""
        ...

    async def explain(self, event_seq: int) -> PastRouting | None:
        """Return how an event was routed and why, route by route; `None` if there is no such event any more."""
        ...

    async def deliveries(self, query: Query) -> DeliveryPage:
        """Return deliveries, the newest event first."""
        ...

    async def dead_letters(self, query: Query) -> DeliveryPage:
        """Return the dead letters, the last to die first. `since_ms` and `until_ms` are about when they died."""
        ...

    async def dead_groups(self, query: Query) -> list[DeadGroup]:
        """Return how many died of which reason, by destination, the group with the last death first."""
        ...

    async def dead_keys(self, ids: Sequence[str]) -> list[tuple[int, str]]:
        """Return the event number and the destination of the dead letters with these `webhook-id`s or event ids."""
        ...

    async def gaps(self, query: Query, *, stream: str | None, only_open: bool) -> list[StoredGap]:
        """Return the gaps, the last to begin first."""
        ...

    async def actions(self, query: Query) -> list[StoredAction]:
        """Return what people did, the latest first."""
        ...

    async def config(self) -> ConfigView:
        """Return the active config and the last edit that was refused."""
        ...

    async def change(self, request: Request, person: str) -> BaseModel | dict[str, object]:
        """Carry out a request of a person, and keep who it was. Raises `RequestRefusedError`, whose text says why."""
        ...

    async def try_rules(self, trial: RuleTrial) -> TrialResult:
        """Route an event by rules that need not be saved. Nothing is sent."""
        ...

    async def backtest(self, wanted: BacktestWanted) -> BacktestResult:
        """Compare rules that need not be saved with the history, in a process of its own, one at a time."""
        ...

    @property
    def live(self) -> LiveSource:
        """What passes from now on."""
        ...
