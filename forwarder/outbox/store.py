"""What every store of the outbox offers: to the daemon, and to the commands that change or maintain it.

`core.ports.Outbox` is the part that ingest and dispatch use; `core.history.History` is the read port of the commands.
"""

from array import array
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol

from forwarder.core.actions import Action
from forwarder.core.clock_steps import ClockSteps
from forwarder.core.commands import Change, Changed
from forwarder.core.config.revision import Revision
from forwarder.core.delivery import DestinationName, KeptDelivery
from forwarder.core.destinations.destination import BacklogLimit
from forwarder.core.dispatch.destination_state import DestinationState
from forwarder.core.gaps.gap import Gap, GapBook
from forwarder.core.histogram import Histogram
from forwarder.core.monitoring.backlog import WaitingAmount
from forwarder.core.monitoring.status import OutboxReport
from forwarder.core.ports import FallbackSlice, Outbox
from forwarder.core.routing.first_word import EarlierDelivery
from forwarder.core.routing.quiet import Kept

OnElapsed = Callable[[float], None]
"""Is called again and again during a long operation, with the seconds so far."""
OnCopied = Callable[[int], None]
"""Is called again and again during a backup, with the number of pages copied so far."""
OnCommitted = Callable[[Sequence[str], Sequence[float]], None]
"""Takes the ids of events that are on disk, and how many seconds each took from being read."""


class GapStore(GapBook, Protocol):
    """Stores the gaps of the streams, and knows which posts are stored already."""

    async def gaps_to_repair(self) -> list[Gap]:
        """Return the gaps that have ended and whose repair is pending, oldest first."""
        ...

    async def posts_since(
        self, since: datetime, *, until: datetime | None = None, sources: Collection[str] = ("x",)
    ) -> set[str]:
        """Return the `mid` of every kept event of these sources accepted since then, up to `until`, or recovered since then."""
        ...


class OutboxStore(Outbox, Protocol):
    """The outbox as the daemon uses it: deliveries, and everything else that must outlast a restart."""

    @property
    def gaps(self) -> GapStore:
        """The gaps of the streams."""
        ...

    # At the start

    async def recover(self) -> dict[DestinationName, int]:
        """Make the deliveries that an earlier process had in flight pending; return how many wait, by destination."""
        ...

    async def recent_events(self, *, since: datetime, until: datetime, limit: int) -> "array[int]":
        """Return the `id_number` of the newest events accepted between these steady times, sorted."""
        ...

    async def recent_posts(self, *, since: datetime, limit: int) -> list[EarlierDelivery]:
        """Return the newest deliveries of X posts accepted since this steady time, oldest first."""
        ...

    async def recovered_events(self, *, since: datetime, limit: int) -> dict[tuple[str, str], datetime]:
        """Return the `mid` and `sid` of the newest recovered events accepted since this wall time, and when they were accepted."""
        ...

    # The clock

    @property
    def clock_steps(self) -> ClockSteps:
        """The steps of the wall clock that are known."""
        ...

    @property
    def latest_steady(self) -> datetime | None:
        """The latest steady time that was stored when the outbox was opened; `None` in a new outbox."""
        ...

    def note_clock_steps(self, steps: ClockSteps) -> None:
        """Store all known steps of the wall clock with the next commit."""
        ...

    def next_seq(self) -> int:
        """Return the number that the next event will be stored under, without taking it."""
        ...

    def accepted_wall(self, steady: datetime) -> datetime:
        """Return what the wall clock of the last event shows at a steady time."""
        ...

    def watch_commits(self, note: OnCommitted) -> None:
        """Have `note` called with the events of each commit, once they are on disk. Without this nothing is collected for it."""
        ...

    # Quiet hours

    async def kept_for_digest(self, destination: DestinationName, *, now: datetime, limit: int) -> list[KeptDelivery]:
        """Return what is kept for the digest of a destination and due by this steady time, oldest first."""
        ...

    async def keep_again(
        self, destination: DestinationName, keep_for: Callable[[Sequence[str]], Kept | None], *, now: datetime
    ) -> int:
        """Give what quiet hours keep for a destination the end that the active config says; return how many have another one.

        `keep_for` returns it for the names of the routes; `now` is the steady time.
        """
        ...

    # Destinations and configs

    async def known_destinations(self) -> dict[DestinationName, DestinationState]:
        """Return the stored state of every destination that has one."""
        ...

    def note_destination(self, name: DestinationName, state: DestinationState) -> None:
        """Store the state of a destination with the next commit."""
        ...

    def note_revision(self, revision: Revision | None, *, now: datetime) -> None:
        """Store the config that is active from the next event on, with the next commit; `None` where there is no file."""
        ...

    # Requests of a person

    async def backlog(self, limit: BacklogLimit, *, before: datetime) -> WaitingAmount:
        """Return what waits for a destination; `before`: what was accepted earlier is old, by the wall clock."""
        ...

    async def fall_back(self, asked: FallbackSlice) -> Changed:
        """Add deliveries for what has waited too long for another destination: one slice, of which nothing is added twice."""
        ...

    async def change(self, asked: Change, *, person: str = "") -> Changed:
        """Apply one slice of a change, note who asked for it (empty: nobody), and return once it is on disk."""
        ...

    def note_action(self, action: Action, *, changed: int, now: datetime) -> None:
        """Store with the next commit what a person did that is no change of deliveries, and how many things it changed."""
        ...

    def note_config(self, digest: str, edit: Action, *, now: datetime) -> None:
        """Store with the next commit that the config with this digest is active; with the edit, if another one was active before.

        It is not known which one was active before the first one of an outbox.
        """
        ...

    async def vacuum_slice(self) -> int:
        """Give some free pages back to the disk; return how many bytes, 0 when no page is free.

        Raises `OutboxUnreadableError`.
        """
        ...

    # Housekeeping

    async def prune(self, *, delivered_before: datetime, dead_before: datetime) -> int:
        """Delete the events whose deliveries were all closed before these times; return how many."""
        ...

    async def prune_to_size(self) -> int:
        """Delete the oldest delivered history where `max_size` or the disk is nearly reached; return how many events."""
        ...

    def need_history(self, since: datetime | None) -> None:
        """Keep every event accepted since then even where room is short, for a successor; `None` ends that."""
        ...

    # Health

    @property
    def trouble(self) -> str | None:
        """Why nothing can be written now; `None` while the outbox works."""
        ...

    @property
    def beats(self) -> int:
        """A number that grows with every attempt to write: a watchdog sees that the writer is alive."""
        ...

    def wake(self) -> None:
        """Have the writer take a turn, also where there is nothing to write."""
        ...

    async def watch(self) -> None:
        """Return when the writer ends; raise what ended it, or that stored data is damaged."""
        ...

    def commit_lag(self) -> Histogram:
        """Return how long it took from reading an event to having it on disk, of all events since the start."""
        ...

    def health(self) -> OutboxReport:
        """Return what `status` shows of the outbox."""
        ...


class OutboxEditor(Protocol):
    """Changes an outbox that no daemon has open."""

    def apply(self, change: Change, *, person: str = "") -> Changed:
        """Apply one slice of a change in a transaction of its own, and note who asked for it; empty: nobody is noted."""
        ...


class OutboxMaintenance(Protocol):
    """Checks, copies and shrinks an outbox as a whole. Each verb raises `OutboxUnusableError`."""

    def check(self, on_elapsed: OnElapsed) -> list[str]:
        """Read everything; return what is wrong, a sentence each."""
        ...

    def size(self) -> int:
        """Return how many bytes it takes on disk."""
        ...

    def free_bytes(self) -> int:
        """Return how many bytes of it hold nothing and could be given back to the disk."""
        ...

    def vacuum(self, on_elapsed: OnElapsed) -> None:
        """Give everything that is free back to the disk; in use where a daemon runs."""
        ...

    def back_up(self, copy: Path, on_copied: OnCopied) -> None:
        """Copy it as of one moment and check the copy, which has its name only when it is whole. Raises `OSError` too."""
        ...
