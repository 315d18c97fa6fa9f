"""What the page and the API need of the daemon, as a Protocol, and the values that go through it.

The daemon implements it. Everything that reads the history does so in a thread, within a time limit: see `DaemonAccess`.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Protocol, Self

import msgspec
from msgspec import Meta
from pydantic import BaseModel

from forwarder.core.commands import Request
from forwarder.core.config.problem_places import ConfigProblem
from forwarder.core.history import Cursor, Query
from forwarder.core.monitoring.live import Passing
from forwarder.core.monitoring.status import Backlog, StatusReport
from forwarder.core.monitoring.verdict import Verdict
from forwarder.core.past_routing import PastRouting
from forwarder.core.routing.explain import Explanation


class UnavailableError(Exception):
    """What was asked for cannot be had now; the text says why, and what to do."""


class StoredAttempt(msgspec.Struct, frozen=True, kw_only=True):
    """One HTTP attempt of a delivery."""

    number: int
    """Counted from 1."""
    started_at: str
    duration_ms: float | None = None
    http_status: int | None = None
    """`None` where no response came."""
    reason: str | None = None
    """Why it failed."""
    excerpt: str | None = None
    """The beginning of the response, in the words of the receiver."""


class StoredDelivery(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery of the history: one event for one destination."""

    delivery_id: str
    """The `webhook-id`."""
    event_id: str
    event_seq: int
    source: str
    mid: str
    sid: str
    author: str
    """Who wrote the post; empty where that is not known."""
    text: str
    """The beginning of the post."""
    accepted_at: str
    recovered: bool
    """Whether the repair of a gap brought the event."""
    destination: str
    routes: list[str]
    status: str
    """`pending`, `in_flight`, `delivered`, `dead`, `expired` or `skipped`."""
    waits_for: str | None = None
    """What it waits for, in words; `None` where it is made, is being sent or is the next one."""
    trigger: str
    attempts_made: int
    order_key: str | None = None
    priority: str
    due_at: str | None = None
    closed_at: str | None = None
    last_attempt_at: str | None = None
    duration_ms: float | None = None
    http_status: int | None = None
    reason: str | None = None
    excerpt: str | None = None
    attempts: list[StoredAttempt] = []
    """Every attempt, oldest first. Only of the event's own page; lists leave them out."""


class StoredEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event of the history with its deliveries."""

    event_id: str
    """An id may come again once the window for duplicates is over."""
    event_seq: int
    """The number of this acceptance; unique."""
    accepted_at: str
    timestamp: float
    """When it was sent, in Unix milliseconds, as its source says."""
    source: str
    mid: str
    sid: str
    author: str
    text: str
    planned: int
    """How many deliveries it was given. 0: it went nowhere."""
    recovered: bool
    gap_id: int | None = None
    deliveries: list[StoredDelivery]
    body: str | None = None
    """The event as it came, as JSON text. Only of the event's own page."""


class DeadGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Dead letters of one destination that died of one reason."""

    destination: str
    status: str
    """`dead`, or `expired` of those that became too old."""
    reason: str
    count: int
    first_at: str
    last_at: str


class StoredGap(msgspec.Struct, frozen=True, kw_only=True):
    """A time in which a stream was not open."""

    gap_id: int
    stream: str
    began_at: str
    noticed_at: str
    ended_at: str | None = None
    """`None` while it lasts."""
    length_s: float | None = None
    covered: bool
    """Whether another stream was open all the time."""
    reason: str
    repair: str
    found: int
    recovered: int
    note: str


class StoredAction(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a person did."""

    at: str
    person: str
    verb: str
    what: str
    changed: int


class EventPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some events, newest first."""

    events: list[StoredEvent]
    next: Cursor | None = None
    """Where the next page begins; `None` at the end."""


class DeliveryPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some deliveries, newest first; of dead letters, the last to die first."""

    deliveries: list[StoredDelivery]
    next: Cursor | None = None


class RefusedConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The last edit of the config, which could not be used. The config before it is still active."""

    at: str
    problems: list[ConfigProblem]
    more: int = 0
    """How many problems are left out."""


class ConfigView(msgspec.Struct, frozen=True, kw_only=True):
    """The active config. Secrets are replaced by `***`, also the paths of webhook URLs."""

    file: str
    digest: str
    active_since: str
    needs_restart: list[str]
    """Settings whose new values become active with the next start."""
    settings: Any
    """The settings that the config has, as JSON."""
    routing: Any
    """`routes`, `lists`, `matchers` and the like as they are written, with the names of variables in the place of their values."""
    refused: RefusedConfig | None = None


_Rules = Annotated[str, Meta(max_length=500_000)]


class RuleTrial(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An event, and the rules to try on it."""

    event: Annotated[str, Meta(max_length=500_000)]
    """The event as JSON text, as it comes on the stream."""
    rules: _Rules | None = None
    """YAML with `routes:`, and `lists:`, `matchers:` and so on as needed; what it leaves out is taken of the active config. `None`: the active config."""
    at: Annotated[datetime, Meta(tz=True)] | None = None
    """When the event is taken to come, for conditions on the time; `None` is now."""


class TrialResult(msgspec.Struct, frozen=True, kw_only=True):
    """How the rules route the event, or what is wrong with one of them."""

    problems: list[ConfigProblem] = []
    """What is wrong with the rules."""
    event_problem: str | None = None
    """What is wrong with the event."""
    event_id: str | None = None
    explanation: Explanation | None = None
    disabled: tuple[str, ...] = ()
    """The chosen destinations that are disabled."""


class BacktestWanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Rules to compare with what was sent."""

    rules: _Rules | None = None
    """As in `RuleTrial`."""
    since_ms: Annotated[int, Meta(ge=0, le=1 << 53)] = 0
    most: Annotated[int, Meta(ge=1, le=1_000_000)] = 10_000
    """So many of the newest events are compared."""
    examples: Annotated[int, Meta(ge=0, le=50)] = 5


class BacktestResult(msgspec.Struct, frozen=True, kw_only=True):
    """What the rules would have sent of the history, compared with what was sent."""

    problems: list[ConfigProblem] = []
    result: Any = None
    """As `forwarder backtest --json` prints it; `None` if the rules have problems."""
    unavailable: str | None = None
    """Why the history could not be read."""


class RuleRun(msgspec.Struct, frozen=True, kw_only=True):
    """What the process that tries rules has to do: one of both."""

    base: bytes
    """The revision of the active config."""
    outbox: str
    cpu_s: int
    trial: RuleTrial | None = None
    backtest: BacktestWanted | None = None


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
        """Return the acceptances of an event, by its id, a `webhook-id` or `#` and its number, oldest first, with body and attempts."""
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
