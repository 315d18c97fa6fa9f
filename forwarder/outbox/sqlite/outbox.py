"""The outbox in one SQLite file: the verbs of `outbox.store.OutboxStore`, each carried out by the part that it belongs to."""

import asyncio
import sqlite3
from array import array
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from forwarder.core.actions import Action
from forwarder.core.clock_steps import ClockSteps
from forwarder.core.commands import Change, Changed, DeadLetterChange, Forget, PauseChange
from forwarder.core.config.revision import Revision
from forwarder.core.delivery import Attempt, Delivery, DeliveryStatus, DestinationName, KeptDelivery
from forwarder.core.destinations.destination import BacklogLimit
from forwarder.core.dispatch.destination_state import DestinationState
from forwarder.core.dispatch.ordering import Order
from forwarder.core.dispatch.priority import Priority
from forwarder.core.event import Event
from forwarder.core.gaps.gap import GapId
from forwarder.core.histogram import Histogram
from forwarder.core.ledger import LedgerEntry, SkipReason
from forwarder.core.monitoring.backlog import WaitingAmount
from forwarder.core.monitoring.status import DelaySummary, OutboxReport
from forwarder.core.ports import Claim, DeliveryState, FallbackSlice
from forwarder.core.routing.dedupe import id_numbers
from forwarder.core.routing.first_word import EarlierDelivery
from forwarder.outbox.problems import OutboxUnreadableError
from forwarder.outbox.sqlite.action_rows import note_action, note_config
from forwarder.outbox.sqlite.claimer import LOOK_AGAIN, Claimer
from forwarder.outbox.sqlite.clock_rows import note_clock_steps
from forwarder.outbox.sqlite.commands import apply
from forwarder.outbox.sqlite.destination_rows import known_states, note_state
from forwarder.outbox.sqlite.enqueuer import Enqueuer
from forwarder.outbox.sqlite.fallback import backlog_of, fall_back
from forwarder.outbox.sqlite.file.database import Database
from forwarder.outbox.sqlite.file.integrity import check_bodies
from forwarder.outbox.sqlite.gaps import SqliteGapBook
from forwarder.outbox.sqlite.outcomes import Outcomes
from forwarder.outbox.sqlite.prune_slices import ANY_DELIVERED, delivered_before
from forwarder.outbox.sqlite.pruner import Pruner
from forwarder.outbox.sqlite.quiet_rows import KeepFor, keep_again, keeps_any, kept_for_digest
from forwarder.outbox.sqlite.recovery import recover
from forwarder.outbox.sqlite.revisions import note_revision
from forwarder.outbox.sqlite.row_cache import RowCache
from forwarder.outbox.sqlite.statements import SQL, to_ms
from forwarder.outbox.sqlite.stored_state import StoredState
from forwarder.outbox.sqlite.waiting_posts import recent_posts, skip_waiting, state_on_disk
from forwarder.outbox.sqlite.write_queue import WriteQueue
from forwarder.outbox.sqlite.writer import Writer
from forwarder.outbox.store import OnCommitted


class SqliteOutbox:
    """Keeps events, deliveries and all else that outlasts a restart. Times on disk are whole Unix milliseconds."""

    def __init__(
        self,
        database: Database,
        rows: RowCache,
        queue: WriteQueue,
        writer: Writer,
        *,
        writing: asyncio.Task[None],
        stored: StoredState,
        are_bodies_due: bool,
    ) -> None:
        """`writing` is the task that runs the writer. With `are_bodies_due`, `watch` checks the bodies of the events too."""
        self._database = database
        self._rows = rows
        self._queue = queue
        self._writer = writer
        self._writing = writing
        self._are_bodies_due = are_bodies_due
        self._seq = stored.last_seq
        self._enqueuer = Enqueuer(queue, rows, database.settings.max_size)
        self._claimer = Claimer(database, queue, rows)
        self._outcomes = Outcomes(queue, rows)
        self._pruner = Pruner(database, queue)
        self.gaps = SqliteGapBook(database, queue, last_id=stored.last_gap_id, last_heard=stored.last_heard)
        """The gaps of the streams."""
        self.clock_steps = stored.clock_steps
        """The steps of the wall clock that are known."""
        self.latest_steady = stored.latest_steady
        """The latest steady time that was stored when the outbox was opened."""

    @property
    def path(self) -> Path:
        """The file."""
        return self._database.path

    # The contract of core.ports.Outbox and outbox.store.OutboxStore; the docstrings are there.

    async def watch(self) -> None:  # to cancel it leaves the writer alone
        async with asyncio.TaskGroup() as group:
            if self._are_bodies_due:
                group.create_task(check_bodies(self.path))
            await asyncio.shield(self._writing)

    async def recover(self) -> dict[DestinationName, int]:
        return await recover(self._database, self._queue, self._rows)

    async def recent_events(self, *, since: datetime, until: datetime, limit: int) -> "array[int]":
        offsets = self.clock_steps.offsets_since(since, self._seq)

        def look(connection: sqlite3.Connection) -> "array[int]":
            found: dict[str, None] = {}
            for ahead in offsets:
                values = {"since_ms": to_ms(since + ahead), "until_ms": to_ms(until + ahead), "limit": limit}
                found.update((row[0], None) for row in connection.execute(SQL["recent_events"], values))
            return id_numbers(list(found))

        return await self._database.read(look)

    async def recent_posts(self, *, since: datetime, limit: int) -> list[EarlierDelivery]:
        steps, since = self.clock_steps, self.accepted_wall(since)
        return await self._database.read(
            lambda connection: recent_posts(connection, since=since, limit=limit, clock_steps=steps)
        )

    def new_seq(self) -> int:
        self._seq += 1
        return self._seq

    def next_seq(self) -> int:
        return self._seq + 1

    def accepted_wall(self, steady: datetime) -> datetime:
        return steady + self.clock_steps.offset_at(self._seq)

    def note_clock_steps(self, steps: ClockSteps) -> None:
        self.clock_steps = steps
        self._queue.add_step(note_clock_steps(steps))

    @property
    def has_room(self) -> bool:
        return self._queue.has_room.is_set()

    async def wait_for_room(self) -> None:
        await self._queue.has_room.wait()

    def count_duplicate(self, *, now: datetime) -> None:
        self._enqueuer.count_duplicate(now=now)

    def enqueue(
        self,
        event: Event,
        event_seq: int,
        deliveries: Mapping[DeliveryStatus | SkipReason, Sequence[Delivery]],
        *,
        entry: LedgerEntry,
        now: datetime,
        read_at: float,
        gap: GapId | None = None,
    ) -> None:
        if gap is not None:
            self.gaps.note_recovered(event_seq, gap)
        self._enqueuer.add(event, event_seq, deliveries, entry=entry, now=now, read_at=read_at)

    def replace(
        self,
        destination: DestinationName,
        event_seq: int,
        *,
        now: datetime,
        cause: SkipReason = SkipReason.PREFERRED,
    ) -> bool:
        key = event_seq, destination
        if not self._rows.replace(key):
            return False
        self._queue.add_step(
            skip_waiting(destination, event_seq, now=now, cause=cause),
            when_written=lambda: self._rows.forget_replaced(key),
        )
        return True

    async def kept_for_digest(self, destination: DestinationName, *, now: datetime, limit: int) -> list[KeptDelivery]:
        await self._queue.settle()
        look = kept_for_digest(destination, now=now, limit=limit, without=self._rows.replaced)
        return await self._database.read(look)

    async def keep_again(self, destination: DestinationName, keep_for: KeepFor, *, now: datetime) -> int:
        await self._queue.settle()
        if not await self._database.read(keeps_any(destination, steady=now)):
            return 0
        ahead_ms = round(self.clock_steps.offset.total_seconds() * 1000)
        return await self._queue.ask(keep_again(destination, keep_for, steady=now, ahead_ms=ahead_ms))

    async def claim(
        self,
        destination: DestinationName,
        *,
        now: datetime,
        limit: int,
        is_early: bool = False,
        order: Order = Order.NONE,
        priority: Priority | None = None,
    ) -> Claim:
        return await self._claimer.claim(
            destination,
            now=now,
            limit=limit,
            is_early=is_early,
            order=order,
            priority=priority,
            clock_steps=self.clock_steps,
        )

    async def high_order_keys(self, destination: DestinationName) -> list[str]:
        return await self._claimer.high_order_keys(destination)

    async def claim_in_order(
        self, destination: DestinationName, key: str, *, now: datetime, limit: int, is_early: bool = False
    ) -> Claim:
        return await self._claimer.claim_in_order(
            destination, key, now=now, limit=limit, is_early=is_early, clock_steps=self.clock_steps
        )

    async def put_in_order(self, destination: DestinationName, order: Order) -> list[str]:
        return await self._claimer.put_in_order(destination, order)

    def state_of(self, destination: DestinationName, event_seq: int) -> DeliveryState | None:
        return self._rows.state_of(destination, event_seq)

    async def look_up(self, destination: DestinationName, event_seq: int, *, now: datetime) -> DeliveryState | None:
        if (held := self._rows.state_of(destination, event_seq)) is not None:
            return held
        try:
            return await self._database.run_briefly(
                lambda connection: state_on_disk(connection, destination, event_seq)
            )
        except (sqlite3.Error, TimeoutError):
            return DeliveryState(is_open=True, due_at=now + LOOK_AGAIN, receipt=None)

    def complete(self, delivery: Delivery, attempt: Attempt, *, receipt: str | None = None) -> None:
        self._outcomes.close(delivery, attempt, DeliveryStatus.DELIVERED, reason=attempt.note or None, receipt=receipt)

    def bury(self, delivery: Delivery, attempt: Attempt, *, reason: str) -> None:
        self._outcomes.close(delivery, attempt, DeliveryStatus.DEAD, reason=reason, receipt=None)

    def expire(self, delivery: Delivery, attempt: Attempt | None, *, reason: str, now: datetime) -> None:
        self._outcomes.expire(delivery, attempt, reason=reason, now=now)

    def postpone(self, delivery: Delivery, *, at: datetime | None, reason: str, keep: bool) -> None:
        self._outcomes.postpone(delivery, at=at, reason=reason, keep=keep)

    def reschedule(
        self, delivery: Delivery, attempt: Attempt, *, at: datetime, keep: bool, is_refusal: bool = False
    ) -> None:
        self._outcomes.reschedule(delivery, attempt, at=at, keep=keep, is_refusal=is_refusal)

    def release(self, delivery: Delivery) -> None:
        self._outcomes.release(delivery)

    async def expedite(self, destination: DestinationName, *, now: datetime) -> None:
        offset_ms = round(self.clock_steps.offset.total_seconds() * 1000)
        await self._outcomes.expedite(destination, now=now, offset_ms=offset_ms)

    def expedite_held(self, delivery: Delivery) -> bool:
        return self._outcomes.expedite_held(delivery)

    def need_history(self, since: datetime | None) -> None:
        self._database.delivered_may_go = ANY_DELIVERED if since is None else delivered_before(since)

    # Destinations and configs

    async def known_destinations(self) -> dict[DestinationName, DestinationState]:
        return await self._database.read(known_states)

    def note_destination(self, name: DestinationName, state: DestinationState) -> None:
        self._queue.add_step(note_state(name, state))

    def note_revision(self, revision: Revision | None, *, now: datetime) -> None:
        if revision is not None:
            next_seq = self.next_seq()
            self._queue.add_step(lambda plain: note_revision(plain, revision, next_seq=next_seq, now=now))

    async def recovered_events(self, *, since: datetime, limit: int) -> dict[tuple[str, str], datetime]:
        return await self.gaps.recovered_events(since=since, limit=limit)

    # Requests of a person

    async def change(self, asked: Change, *, person: str = "") -> Changed:
        # To pause or resume a destination, to drop dead letters, or to forget an author may free a full outbox.
        frees_room = isinstance(asked, PauseChange | Forget) or (
            isinstance(asked, DeadLetterChange) and asked.verb == "dead_drop"
        )
        return await self._queue.ask(lambda connection: apply(connection, asked, person=person), apart=frees_room)

    async def backlog(self, limit: BacklogLimit, *, before: datetime) -> WaitingAmount:
        return await self._database.read(lambda connection: backlog_of(connection, limit, before=before))

    async def fall_back(self, asked: FallbackSlice) -> Changed:
        return await self._queue.ask(lambda connection: fall_back(connection, asked))

    def note_action(self, action: Action, *, changed: int, now: datetime) -> None:
        self._queue.add_step(lambda connection: note_action(connection, action, changed=changed, now_ms=to_ms(now)))

    def note_config(self, digest: str, edit: Action, *, now: datetime) -> None:
        self._queue.add_step(lambda connection: note_config(connection, digest, edit, now_ms=to_ms(now)))

    async def vacuum_slice(self) -> int:
        try:
            return await self._pruner.vacuum_slice()
        except sqlite3.Error as error:
            raise OutboxUnreadableError(str(error)) from error

    # Housekeeping

    async def prune(self, *, delivered_before: datetime, dead_before: datetime) -> int:
        return await self._pruner.prune(delivered_before=delivered_before, dead_before=dead_before)

    async def prune_to_size(self) -> int:
        return await self._pruner.prune_to_size()

    # What the operator and the watchdog see

    @property
    def trouble(self) -> str | None:
        return self._queue.trouble

    @property
    def beats(self) -> int:
        return self._writer.beats

    def wake(self) -> None:
        self._queue.wake()

    async def settle(self) -> bool:
        """Return `True` once everything queued so far is on disk, or `False` as soon as it is known that this is impossible now."""
        return await self._queue.settle()

    def watch_commits(self, note: OnCommitted) -> None:
        self._writer.watch_commits(note)

    def commit_lag(self) -> Histogram:
        return self._writer.commit_lag.copy()

    def health(self) -> OutboxReport:
        return OutboxReport(
            health="ok" if self._queue.trouble is None else "degraded",
            trouble=self._queue.trouble,
            stuck_s=round(self._database.stands_for_s, 1) if self._database.is_stuck else 0.0,
            events_in_memory=self._queue.waiting_events,
            deliveries_in_memory=len(self._rows),
            waiting_in_memory=self._queue.waiting_in_memory(),
            commits=self._writer.commits,
            commit_lag_ms=DelaySummary.of(self._writer.commit_lag),
            wal_bytes=self._database.wal_size,
            file=str(self.path),
        )
