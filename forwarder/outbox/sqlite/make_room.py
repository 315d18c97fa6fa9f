"""Makes room in a full outbox: outcomes of events on disk are written, and finished events are deleted.

New events wait for room, and nothing here waits for them. The work is done in pieces, with the reserve, in one of three ways:

1. The outcomes are written and the events that are finished by them are deleted, in one transaction.
2. Where there is no room even for that (an outcome is longer than what was there before), finished events are deleted without it:
   their outcomes are only counted in the ledger. That needs no room in the file.
3. Where the WAL has no room for a piece, smaller pieces are tried, down to one event.

An event with a delivery that still waits stays. Its other outcomes are written where there is room; otherwise they stay in memory.
"""

import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic

import structlog

from forwarder.outbox.sqlite.batch import Batch, PendingBatch, answer, insert
from forwarder.outbox.sqlite.delivery_row import RowKey
from forwarder.outbox.sqlite.file.database import Database
from forwarder.outbox.sqlite.file.disk_space import RESERVE_BYTES, move_wal_if_short
from forwarder.outbox.sqlite.file.problems import WriteFault, classify
from forwarder.outbox.sqlite.prune_slices import ANY_CLOSED, delete_events
from forwarder.outbox.sqlite.row_cache import RowCache
from forwarder.outbox.sqlite.statements import SQL
from forwarder.outbox.sqlite.transactions import Step, in_transaction, transaction

log = structlog.get_logger(__name__)

_NO_SEQ = 1 << 62
_COUNT_EVERY_S = 10.0
_NAMED = 3
"""How many destinations are named as those that a full outbox waits for."""
_PIECE = 500
"""Outcomes that are written at once where room is short: less than the reserve."""
_SMALLER = 8
"""By this a piece is divided where there is no room for it."""
_IS_THROUGH = frozenset({"delivered", "skipped"})
"""The ends of a delivery that need not be kept. Dead and expired ones are: a person may still want them."""


class RoomMaker:
    """Makes room where there is none for the next batch, and names what a full outbox waits for."""

    def __init__(self, database: Database, rows: RowCache) -> None:
        self._database = database
        self._rows = rows
        self._pruned_to = 0
        """The event up to which nothing is left to prune while the outage lasts."""
        self._counted_at: float | None = None
        self._counted = ""
        """The words for what waits on disk, as it was last counted."""

    def forget(self) -> None:
        """Start the next search for finished events at the oldest one again: a batch could be written."""
        self._pruned_to = 0

    async def make_room(self, waiting: Sequence[PendingBatch], *, is_memory_full: bool) -> tuple[bool, int]:
        """Make room by every means; return whether something could be done, and how many events were deleted.

        `waiting` are the batches that are not on disk; there is no room for the first of them.
        """
        has_answered = await self._answer_apart(waiting)
        batch = waiting[0].batch
        if pruned := await self._make_room(batch.size):
            return True, pruned
        new = [each.batch.events[0][0] for each in waiting if each.batch.events]
        freed = await _write_outcomes(self._database, self._rows, batch, before_seq=min(new, default=_NO_SEQ))
        pruned = freed.events + await self._make_room(batch.size)
        if not (pruned or freed.outcomes) and batch.events and (is_memory_full or not await self._waits()):
            pruned = await self._prune_dead(batch.size)
        return bool(has_answered or freed.outcomes or pruned), pruned

    async def _answer_apart(self, waiting: Sequence[PendingBatch]) -> bool:
        """Carry out the steps that need not wait, each in a transaction of its own; return whether one could be."""
        has_answered = False
        for each in waiting:
            batch = each.batch
            while batch.steps_apart:
                step, asked = batch.steps_apart[0], each.apart[0]
                try:
                    result = await self._database.run_in_excess(
                        in_transaction(step, before_commit=self._database.require_movable)
                    )
                except sqlite3.Error:
                    return has_answered
                del batch.steps_apart[0], each.apart[0]
                answer([asked], [result])
                has_answered = True
        return has_answered

    async def _make_room(self, size: int) -> int:
        try:
            made = await self._database.make_room(size=size, after_seq=self._pruned_to)
        except sqlite3.Error:
            return 0
        self._pruned_to = made.last_seq
        return made.pruned

    async def _waits(self) -> bool:
        """Return whether something waits on disk, so that there will be room when it has ended.

        A first word that a full text has replaced ends only when the full text is written, and so waits for room itself.
        """
        replaced = self._rows.replaced

        def look(connection: sqlite3.Connection) -> bool:
            found = connection.execute(SQL["keys_of_waiting"], (len(replaced) + 1,))
            return any(key not in replaced for key in found)

        try:
            return await self._database.run(look)
        except sqlite3.Error:
            return True

    async def _prune_dead(self, size: int) -> int:
        """Delete the oldest dead letters, where room can come from nothing else: they were given up, new events were not.

        Where something waits on disk, this is done only when the streams could not be read any more.
        """
        try:
            made = await self._database.make_room(size=size, cutoff=ANY_CLOSED)
        except sqlite3.Error:
            return 0
        if made.pruned:
            log.error(
                "outbox.dead_pruned_for_room",
                pruned=made.pruned,
                note="the oldest dead letters, before keep_dead: nothing else was left to make room for new events",
            )
        return made.pruned

    async def waiting_for(self) -> str:
        """Return what fills the outbox, for the log and `status`; it is counted every ten seconds at most."""
        now = monotonic()
        if self._counted_at is None or now - self._counted_at > _COUNT_EVERY_S:
            self._counted_at, self._counted = now, ""
            with suppress(sqlite3.Error):
                total, moved = await self._database.move_unread_wal()
                if (total - moved) * self._database.page_size > RESERVE_BYTES:
                    self._counted = "; another program keeps a read of the outbox open, and the WAL grows until it ends"
                counts = await self._database.run(lambda connection: connection.execute(SQL["waiting"]).fetchall())
                most = sorted(counts, key=lambda found: -found[1])[:_NAMED]
                if most:
                    named = ", ".join(name for name, _count in most)
                    self._counted += f"; there is room again when what waits for {named} is delivered"
        return self._counted


@dataclass(slots=True)
class Freed:
    """How much writing outcomes has freed."""

    outcomes: int = 0
    """How many outcomes are no longer only in memory."""
    events: int = 0
    """How many events were deleted."""


async def _write_outcomes(database: Database, rows: RowCache, batch: Batch, *, before_seq: int) -> Freed:
    """Write the outcomes that `batch` and `rows` have of events before that number, which are on disk."""
    batch.add_rows(rows.collect(before_seq=before_seq))
    keys = batch.ended(before_seq=before_seq)
    freed, at, size, is_lean = Freed(), 0, _PIECE, False
    while at < len(keys):
        piece_keys = _whole_events(keys, at, size)
        piece = batch.take_out(piece_keys)
        freed_rows = list(piece.rows.values())
        try:
            done = None if is_lean else await database.run_in_excess(_write_and_delete(piece, database))
            if is_lean:
                done = await database.run_in_excess(_delete(piece, database))
                through = set(done or ())
                batch.put_back(piece.take_out([key for key in piece.rows if key[0] not in through]))
                freed_rows = [row for row in freed_rows if row.event_seq in through]
                is_lean = not through  # there is room for the next one now
        except sqlite3.Error as error:
            batch.put_back(piece)
            if classify(error) is not WriteFault.FULL:
                break
            if is_lean and size == 1:
                break
            if is_lean:
                size = max(size // _SMALLER, 1)
            is_lean = True
            continue
        rows.written(freed_rows)
        at += len(piece_keys)
        freed.outcomes += len(freed_rows)
        freed.events += len(done or ())
    return freed


def _whole_events(keys: Sequence[RowKey], at: int, size: int) -> Sequence[RowKey]:
    """Return about `size` keys from there on, with all keys of each event."""
    end = min(at + size, len(keys))
    while end < len(keys) and keys[end][0] == keys[end - 1][0]:
        end += 1
    return keys[at:end]


def _write_and_delete(piece: Batch, database: Database) -> Step[list[int]]:
    """Return a step that writes the piece, and deletes the events that are finished by it; it returns their numbers."""
    before_ms = database.delivered_may_go.delivered_before_ms

    def write(connection: sqlite3.Connection) -> list[int]:
        with transaction(connection, before_commit=database.require_movable):
            piece.write_rows(connection)
            seqs = json.dumps(sorted({seq for seq, _ in piece.rows}))
            through = [
                seq for (seq,) in connection.execute(SQL["through_with"], {"seqs": seqs, "before_ms": before_ms})
            ]
            delete_events(connection, through)
        move_wal_if_short(connection, database.reserve)
        return through

    return write


def _delete(piece: Batch, database: Database) -> Step[list[int]]:
    """Return a step that deletes the events of the piece that are finished by what is on disk and in the piece."""
    before_ms = database.delivered_may_go.delivered_before_ms

    def delete(connection: sqlite3.Connection) -> list[int]:
        entries: defaultdict[int, list[str]] = defaultdict(list)
        open_ = set[int]()
        seqs = json.dumps(sorted({seq for seq, _ in piece.rows}))
        with transaction(connection, before_commit=database.require_movable):
            accepted = dict(connection.execute(SQL["accepted_of"], {"seqs": seqs}).fetchall())
            for seq, destination, status, reason in connection.execute(SQL["ends_of"], {"seqs": seqs}):
                now = piece.outcome_of((seq, destination)) or (status, reason)
                if now[0] not in _IS_THROUGH:
                    open_.add(seq)
                entries[seq].append(f"pruned {now[1] if now[0] == 'skipped' else now[0]!s}")
            through = sorted(seq for seq, at_ms in accepted.items() if seq not in open_ and at_ms < before_ms)
            counts = Counter(
                (accepted[seq] // 60_000, entry) for seq in through for entry in ("pruned event", *entries[seq])
            )
            insert(connection, "add_to_ledger", [(*key, count) for key, count in counts.items()])
            delete_events(connection, through, is_noted=True)
        move_wal_if_short(connection, database.reserve)
        return through

    return delete
