"""The outbox in one SQLite file: the verbs of `core.ports.Outbox`."""

import asyncio
import sqlite3
from array import array
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from time import monotonic

import structlog

from forwarder.core.books import Cause, Entry
from forwarder.core.capacity import KEPT_CHARACTERS, NOT_KEPT, can_never_fit, least_suspect, row_bytes
from forwarder.core.changes import Change, Changed, Dead, PauseChange
from forwarder.core.clock_steps import ClockSteps
from forwarder.core.dedupe import id_numbers
from forwarder.core.delivery import Attempt, Delivery, DeliveryStatus, DestinationName
from forwarder.core.event import Event
from forwarder.core.gaps import GapId
from forwarder.core.order import Order
from forwarder.core.ports import Claim, DeliveryStanding
from forwarder.core.preference import AWAITS_FULL, Brought
from forwarder.core.revision import Revision
from forwarder.core.standing import Standing
from forwarder.outbox.changes import apply
from forwarder.outbox.claims import Finding, Look, Orders, claim_due, claim_next, take
from forwarder.outbox.clock_rows import clock_steps, latest_steady, note_clock_steps
from forwarder.outbox.connection import FileSettings
from forwarder.outbox.database import Database
from forwarder.outbox.gaps import SqliteGapBook
from forwarder.outbox.inspection import check_bodies
from forwarder.outbox.lock import locked
from forwarder.outbox.posts import recent_posts, skip_waiting, standing_on_disk
from forwarder.outbox.problems import OutboxProblem, OutboxUnusableError
from forwarder.outbox.pruning import Pruner
from forwarder.outbox.retention import ANY_DELIVERED, delivered_before
from forwarder.outbox.revisions import note_revision
from forwarder.outbox.rows import Hand, Row, new_row, row_on_disk
from forwarder.outbox.salvage import open_or_salvage
from forwarder.outbox.standings import known_standings, note_standing
from forwarder.outbox.statements import MAX_EXPEDITED, SQL, from_ms, storable, to_ms
from forwarder.outbox.writer import STUCK_S, Writer

_EXPEDITE_SLICE = 1_000
_COMMAND_MAY_TAKE_S = 35.0
"""Ten restarts by the service manager then take longer than the five minutes in which it gives up."""
_LOOK_AT_LOCK_EVERY_S = 0.05

log = structlog.get_logger(__name__)

_LOOK_AGAIN = timedelta(seconds=1)
MAX_UNWRITTEN = 20_000
"""Outcomes of what is on disk in memory while nothing can be written, about 20 MB; only the oldest
events are claimed from the disk then."""
_MAX_IN_FLIGHT = 20_000


@asynccontextmanager
async def open_outbox(settings: FileSettings, *, patience: timedelta | None = None) -> AsyncIterator["SqliteOutbox"]:
    """Give the outbox; made where it is missing, set aside and salvaged where it is damaged.

    `patience`: for so long it waits for another daemon to leave the file; otherwise one that has it is an error at once. On the way out everything queued is written first. Raises `OutboxUnusableError` when the file cannot be used, and whatever
    ended the writer when it failed later.
    """
    async with _locked(settings.path, patience):
        database = Database(settings)
        are_bodies_due = await open_or_salvage(database)
        try:
            outbox = SqliteOutbox(database, are_bodies_due=are_bodies_due)
            await outbox.prepare()
            # Not in a task group: a group cancels its tasks when one of them fails, and the writer is never cancelled.
            outbox.writing = asyncio.create_task(outbox.writer.run(), name="outbox writer")
            try:
                yield outbox
            finally:
                outbox.writer.close()
                await asyncio.shield(outbox.writing)
        finally:
            await database.close()


@asynccontextmanager
async def _locked(path: Path, patience: timedelta | None) -> AsyncIterator[None]:
    """Hold the lock; where a command holds it, wait for its end, and for that of a daemon as long as `patience` says."""
    began = monotonic()
    may_take_s = {
        OutboxProblem.IN_USE_BY_COMMAND: _COMMAND_MAY_TAKE_S,
        OutboxProblem.IN_USE: 0.0 if patience is None else patience.total_seconds(),
    }
    with ExitStack() as held:
        while True:
            try:
                held.enter_context(locked(path))
                break
            except OutboxUnusableError as error:
                if monotonic() - began >= may_take_s.get(error.problem, 0.0):
                    raise
            await asyncio.sleep(_LOOK_AT_LOCK_EVERY_S)
        yield


class SqliteOutbox:
    """See `core.ports.Outbox` for the contract. Times on disk are whole Unix milliseconds."""

    writing: asyncio.Task[None]

    def __init__(self, database: Database, *, are_bodies_due: bool) -> None:
        self._database = database
        self._are_bodies_due = are_bodies_due
        self._hand = Hand()
        self._seq = 0
        self._claiming = asyncio.Lock()
        self.writer = Writer(database, self._hand)
        self.pruner = Pruner(database, self.writer)
        self.gaps = SqliteGapBook(database, self.writer)
        """The gaps of the streams."""
        self.clock_steps = ClockSteps()
        """What the wall clock was set by; what waits is due by the steady time beside it."""
        self.latest_steady: datetime | None = None
        """The last steady time that the file told of when it was opened."""

    async def prepare(self) -> None:
        """Learn where the numbers go on, and have the reserve in place."""

        def look(connection: sqlite3.Connection) -> int:
            self._database.reserve.make()
            self.gaps.prepare(connection)
            self.clock_steps = clock_steps(connection)
            self.latest_steady = latest_steady(connection, self.clock_steps)
            return int(connection.execute(SQL["last_seq"]).fetchone()[0])

        self._seq = await self._database.run(look)

    @property
    def path(self) -> Path:
        """The file."""
        return self._database.path

    async def watch(self) -> None:
        """Return when the writer ends; raise what ended it, or that a body is damaged. Cancelling this leaves the writer alone."""
        async with asyncio.TaskGroup() as group:
            if self._are_bodies_due:
                group.create_task(check_bodies(self.path))
            await asyncio.shield(self.writing)

    async def recover(self) -> dict[DestinationName, int]:
        """Make what an earlier process had in flight pending again; return how many deliveries wait, by destination.

        In memory they are pending at once, and on disk with the next commit, or when that is possible: it is not waited for then.
        """

        def look(connection: sqlite3.Connection) -> tuple[list[Row], dict[DestinationName, int]]:
            found = connection.execute(SQL["in_flight"], {"limit": _MAX_IN_FLIGHT}).fetchall()
            return [row_on_disk(columns) for columns in found], _waiting(connection)

        rows, waiting = await self._database.read(look)
        if len(rows) == _MAX_IN_FLIGHT:  # more than lanes have room for
            return await self.writer.ask(_release_all, apart=True)
        for row in rows:
            row.status = str(DeliveryStatus.PENDING)
            self._hand.take(row)
            name = DestinationName(row.destination)
            waiting[name] = waiting.get(name, 0) + 1
        if rows:
            self.writer.wake()
            await self.writer.settle()
        return waiting

    async def recent_events(self, *, since: datetime, until: datetime, limit: int) -> "array[int]":
        """Return the `id_number` of the newest events accepted in that steady time, sorted."""
        offsets = self.clock_steps.offsets_since(since, self._seq)

        def look(connection: sqlite3.Connection) -> "array[int]":
            found: dict[str, None] = {}
            for ahead in offsets:
                values = {"since_ms": to_ms(since + ahead), "until_ms": to_ms(until + ahead), "limit": limit}
                found.update((row[0], None) for row in connection.execute(SQL["recent_events"], values))
            return id_numbers(list(found))

        return await self._database.read(look)

    async def recent_posts(self, *, since: datetime, limit: int) -> list[Brought]:
        """Return the newest deliveries of posts of X accepted since then (in steady time), oldest first; once the file can be read."""
        steps, since = self.clock_steps, self.accepted_wall(since)
        return await self._database.read(
            lambda connection: recent_posts(connection, since=since, limit=limit, clock_steps=steps)
        )

    # The contract of core.ports.Outbox; its docstrings are there.

    def new_seq(self) -> int:  # noqa: D102
        self._seq += 1
        return self._seq

    def next_seq(self) -> int:
        """Return the number that the next event will be kept under, without taking it."""
        return self._seq + 1

    def accepted_wall(self, steady: datetime) -> datetime:
        """Return what the wall clock of the last event says at a steady time: by that the events of the last time are found."""
        return steady + self.clock_steps.offset_at(self._seq)

    def note_clock_steps(self, steps: ClockSteps) -> None:
        """Keep these, which are all that are known; written with the next commit."""
        self.clock_steps = steps
        self.writer.add_step(note_clock_steps(steps))

    async def wait_for_room(self) -> None:  # noqa: D102
        await self.writer.wait_for_room()

    def count_double(self, *, now: datetime) -> None:  # noqa: D102
        books = self.writer.books_of(to_ms(now) // 60_000)
        books.seen += 1
        books.double += 1

    def enqueue(  # noqa: D102
        self,
        event: Event,
        event_seq: int,
        deliveries: Mapping[DeliveryStatus | Cause, Sequence[Delivery]],
        *,
        entry: Entry,
        now: datetime,
        read_at: float,
        gap: GapId | None = None,
    ) -> None:
        now_ms = to_ms(now)
        planned = 0
        names: tuple[str, ...] = event.source, event.mid, event.sid
        body = event.body
        is_kept = self._has_room_for(event, deliveries)
        if not is_kept:
            names, body = tuple(name[:KEPT_CHARACTERS] for name in names), b""
        for became, those in deliveries.items():
            planned += len(those)
            for delivery in those:
                row = new_row(delivery, became, now_ms=now_ms)
                if not is_kept:
                    _set_aside(row, now_ms=now_ms)
                self._hand.take(row)
        books = self.writer.books_of(now_ms // 60_000)
        books.seen += entry is not Entry.OWN
        books.matched += entry is Entry.MATCHED
        books.unmatched += entry is Entry.UNMATCHED
        books.own += entry is Entry.OWN
        books.planned += planned
        if gap is not None:
            self.gaps.note_recovered(event_seq, gap)
        source, mid, sid = map(storable, names)
        self.writer.add_event(
            (event_seq, event.id, source, mid, sid, event.timestamp, now_ms, planned, body),
            size=len(body),
            planned=planned,
            read_at=read_at,
        )

    def _has_room_for(self, event: Event, deliveries: Mapping[DeliveryStatus | Cause, Sequence[Delivery]]) -> bool:
        """Return whether the file can hold an event at all. What never fits would keep everything behind it from being written."""
        most = self._database.settings.max_size
        if most is None or len(event.body) < least_suspect(most):
            return True
        keys = (delivery.order_key for those in deliveries.values() for delivery in those)
        size = row_bytes(event.body, (event.source, event.mid, event.sid), keys)
        if not can_never_fit(size, most):
            return True
        log.error(
            "outbox.event_too_large",
            event_id=event.id,
            size=size,
            max_size=most,
            note="its text is not kept: it can be delivered as long as it is in memory, and is a dead letter else",
        )
        return False

    def replace(self, destination: DestinationName, event_seq: int, *, now: datetime) -> bool:  # noqa: D102
        key = event_seq, destination
        if not self._hand.replace(key):
            return False
        self.writer.add_step(
            skip_waiting(destination, event_seq, now=now), when_written=lambda: self._hand.forget_replaced(key)
        )
        return True

    async def claim(  # noqa: D102
        self,
        destination: DestinationName,
        *,
        now: datetime,
        limit: int,
        is_early: bool = False,
        order: Order = Order.NONE,
    ) -> Claim:
        def look(*, is_settled: bool) -> Look:
            events = {} if is_settled else self.writer.unwritten_events()  # settled, nothing is taken from memory
            return claim_due(
                self._hand,
                events,
                destination,
                now=now,
                limit=limit,
                is_early=is_early,
                order=order,
                is_settled=is_settled,
                clock_steps=self.clock_steps,
            )

        return await self._claim(look, destination, now)

    async def claim_in_order(  # noqa: D102
        self, destination: DestinationName, key: str, *, now: datetime, limit: int, is_early: bool = False
    ) -> Claim:
        due_before = None if is_early else now

        def look(*, is_settled: bool) -> Look | None:  # noqa: ARG001 - the newest is what is in memory, in any case
            if any(row.is_held for row in self._hand.line(destination, key).values()):  # a lane that is ending has one
                return None
            events = self.writer.unwritten_events()
            return claim_next(
                self._hand, events, destination, key, due_before=due_before, limit=limit, clock_steps=self.clock_steps
            )

        return await self._claim(look, destination, now)

    async def _claim(self, make: Callable[..., Look | None], destination: DestinationName, now: datetime) -> Claim:
        is_settled = await self.writer.settle()
        async with self._claiming:  # what one claim found is in hand before the next one looks
            look = make(is_settled=is_settled)
            if look is None:
                return Claim(deliveries=[], next_due=now + _LOOK_AGAIN)
            finding = await self._look(look, destination, is_tight=not (is_settled or self._may_take()))
            deliveries = take(self._hand, finding.found)
            if any(one.row.is_changed for one in finding.found):
                self.writer.wake()
        next_due = None if finding.next_due_ms is None else from_ms(finding.next_due_ms)
        if not (is_settled and finding.is_read):  # what is in memory alone may be due sooner
            next_due = min(next_due or now + _LOOK_AGAIN, now + _LOOK_AGAIN)
        return Claim(deliveries=deliveries, next_due=next_due)

    async def _look(self, look: Look, destination: DestinationName, *, is_tight: bool) -> Finding:
        """Return what is found in the file and in memory; where the file cannot be read, in memory alone. Damage raises."""
        if self.writer.is_stuck:
            return look(None, is_tight)
        try:
            async with asyncio.timeout(STUCK_S):
                return await self._database.run(lambda connection: look(connection, is_tight))
        except (sqlite3.Error, TimeoutError) as error:  # it is being opened anew, or cannot be read now
            if self.writer.trouble is None:
                log.warning("outbox.claim_failed", destination=destination, reason=str(error), note="tried again")
            return look(None, is_tight)

    def _may_take(self) -> bool:
        """Whether more of what is on disk may be changed in memory while nothing can be written."""
        return self._hand.unwritten_on_disk < MAX_UNWRITTEN

    async def put_in_order(self, destination: DestinationName, order: Order) -> list[str]:  # noqa: D102
        return await Orders(self._database, self.writer, self._hand, self._may_take).put(destination, order)

    def standing_of(self, destination: DestinationName, event_seq: int) -> DeliveryStanding | None:  # noqa: D102
        return self._hand.standing_of(destination, event_seq)

    async def look_up(  # noqa: D102
        self, destination: DestinationName, event_seq: int, *, now: datetime
    ) -> DeliveryStanding | None:
        if (held := self._hand.standing_of(destination, event_seq)) is not None:
            return held
        try:
            async with asyncio.timeout(STUCK_S):
                return await self._database.run(lambda connection: standing_on_disk(connection, destination, event_seq))
        except (sqlite3.Error, TimeoutError):
            return DeliveryStanding(is_open=True, due_at=now + _LOOK_AGAIN, receipt=None)

    def complete(self, delivery: Delivery, attempt: Attempt, *, receipt: str | None = None) -> None:  # noqa: D102
        if receipt is not None:
            self._hand.of(delivery).receipt = storable(receipt)
        self._close(delivery, attempt, DeliveryStatus.DELIVERED, reason=None)

    def bury(self, delivery: Delivery, attempt: Attempt, *, reason: str) -> None:  # noqa: D102
        self._close(delivery, attempt, DeliveryStatus.DEAD, reason=reason)

    def _close(self, delivery: Delivery, attempt: Attempt, status: DeliveryStatus, *, reason: str | None) -> None:
        row = self._hand.of(delivery)
        row.note(attempt)
        row.end(status, reason=reason, at_ms=to_ms(attempt.started_at + attempt.duration))
        self._hand.change(row, keep=False)
        self.writer.wake()

    def expire(  # noqa: D102
        self, delivery: Delivery, attempt: Attempt | None, *, reason: str, now: datetime
    ) -> None:
        row = self._hand.of(delivery)
        if attempt is not None:
            row.note(attempt)
        row.end(DeliveryStatus.EXPIRED, reason=reason, at_ms=to_ms(now))
        self._hand.change(row, keep=False)
        self.writer.wake()

    def postpone(self, delivery: Delivery, *, at: datetime | None, reason: str, keep: bool) -> None:  # noqa: D102
        row = self._hand.of(delivery)
        row.status = str(DeliveryStatus.PENDING)
        if row.started_ms is None:  # the reason of an attempt that is counted stays with it
            row.reason = storable(reason)
        if at is not None:
            row.due_ms = to_ms(at)
        self._hand.change(row, keep=keep)
        self.writer.wake()

    def reschedule(  # noqa: D102
        self, delivery: Delivery, attempt: Attempt, *, at: datetime, keep: bool, is_refusal: bool = False
    ) -> None:
        row = self._hand.of(delivery)
        row.note(attempt)
        row.refusals += is_refusal
        row.status = str(DeliveryStatus.PENDING)
        row.due_ms = to_ms(at)
        self._hand.change(row, keep=keep)
        self.writer.wake()

    def release(self, delivery: Delivery) -> None:  # noqa: D102
        row = self._hand.of(delivery)
        if row.status == DeliveryStatus.IN_FLIGHT:
            row.status = str(DeliveryStatus.PENDING)
            self._hand.change(row, keep=False)
            self.writer.wake()
        else:
            self._hand.let_go(row)

    async def expedite(self, destination: DestinationName, *, now: datetime) -> None:  # noqa: D102
        values = {
            "destination": destination,
            "now_ms": to_ms(now),
            "offset_ms": round(self.clock_steps.offset.total_seconds() * 1000),
            "most": MAX_EXPEDITED,
            "awaits": AWAITS_FULL,
            "limit": _EXPEDITE_SLICE,
        }
        await self.writer.ask(lambda connection: connection.execute(SQL["expedite_in_order"], values), apart=True)
        # In slices, so that a great backlog does not hold up the commits of fresh events.
        while await self.writer.ask(
            lambda connection: connection.execute(SQL["expedite"], values).rowcount, apart=True
        ):
            pass

    def expedite_held(self, delivery: Delivery) -> bool:  # noqa: D102
        row = self._hand.of(delivery)
        if row.expedited >= MAX_EXPEDITED:
            return False
        row.expedited += 1
        row.due_ms = to_ms(delivery.accepted_at)
        self._hand.change(row, keep=True)
        self.writer.wake()
        return True

    def need_history(self, since: datetime | None) -> None:
        """Let no delivered event accepted since then go to make room: a successor will know copies of it by that. `None`: any may go."""
        self._database.delivered_may_go = ANY_DELIVERED if since is None else delivered_before(since)

    # What outlasts a restart of a destination

    async def known_destinations(self) -> dict[DestinationName, Standing]:
        """Return what is kept of each destination that something is kept of."""
        return await self._database.read(known_standings)

    def note_destination(self, name: DestinationName, standing: Standing) -> None:
        """Keep it; written with the next commit."""
        self.writer.add_step(note_standing(name, standing))

    def note_revision(self, revision: Revision | None, *, now: datetime) -> None:
        """Keep it as the config in force from the next event on, written with the next commit; `None`: there is no file."""
        if revision is not None:
            next_seq = self.next_seq()
            self.writer.add_step(lambda plain: note_revision(plain, revision, next_seq=next_seq, now=now))

    # What a person asks for

    async def change(self, asked: Change) -> Changed:
        """Do one slice of it, and return once that is on disk.

        To resume a destination, or to drop dead letters, may be the way out of a full outbox.
        """
        is_way_out = isinstance(asked, PauseChange) or (isinstance(asked, Dead) and asked.verb == "dead_drop")
        return await self.writer.ask(lambda connection: apply(connection, asked), apart=is_way_out)

    # What the operator sees

    def health(self) -> dict[str, object]:
        """Return what `status` shows of the outbox."""
        lag = self.writer.commit_lag
        return {
            "health": "ok" if self.writer.trouble is None else "degraded",
            "trouble": self.writer.trouble,
            "events_in_memory": self.writer.waiting_events,
            "deliveries_in_memory": len(self._hand),
            "commits": self.writer.commits,
            "commit_lag_ms": {
                "count": lag.count,
                "sum": round(lag.sum_s * 1000, 2),
                "p50": round(lag.quantile_s(0.5) * 1000, 2),
                "p99": round(lag.quantile_s(0.99) * 1000, 2),
                "max": round(lag.longest_s * 1000, 2),
            },
            "wal_bytes": self._database.wal_size,
        }


def _set_aside(row: Row, *, now_ms: int) -> None:
    """Have a delivery whose event is not kept be a dead letter, unless a lane has it in memory, or it is none that is made."""
    if row.order_key is not None:
        row.order_key = row.order_key[:KEPT_CHARACTERS]
    if row.status == DeliveryStatus.PENDING:
        row.end(DeliveryStatus.DEAD, reason=NOT_KEPT, at_ms=now_ms)


def _waiting(connection: sqlite3.Connection) -> dict[DestinationName, int]:
    return {DestinationName(name): count for name, count in connection.execute(SQL["waiting"])}


def _release_all(connection: sqlite3.Connection) -> dict[DestinationName, int]:
    connection.execute(SQL["release_all"])
    return _waiting(connection)
