"""The way out of a full outbox: what ended of the events on disk is written, and events that are through are deleted.

New events wait for room, and nothing here waits for them. It goes in pieces, with the reserve, and ends in one of three ways:

1. The outcomes are written, and the events that are through with them deleted, in one transaction.
2. Where there is no room even for that (an outcome is longer than what stood there before), events that are through are deleted
   without it: their outcomes are entered in the books alone. That needs no room in the file.
3. Where the WAL has no room for a piece, smaller pieces are tried, down to one event.

An event of which a delivery still waits stays. Its other outcomes are written where there is room; else they stay in memory.
"""

import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import TypeVar

import structlog

from forwarder.outbox.batch import Batch, Step, Waiting, answer, transaction
from forwarder.outbox.database import Database
from forwarder.outbox.problems import WriteFault, classify
from forwarder.outbox.retention import ANY_CLOSED, delete_events
from forwarder.outbox.room import move_wal_if_short
from forwarder.outbox.rows import Hand, Key
from forwarder.outbox.statements import SQL

log = structlog.get_logger(__name__)

_T = TypeVar("_T")
_NO_SEQ = 1 << 62
_COUNT_EVERY_S = 10.0
_NAMED = 3
"""Destinations that are named as those that a full outbox waits for."""
_PIECE = 500
"""Outcomes written at once where room is short: less than the reserve."""
_SMALLER = 8
_IS_THROUGH = frozenset({"delivered", "skipped"})
"""What is dead or expired is kept: a person may still want it."""


class WayOut:
    """What the writer does where there is no room for a batch."""

    def __init__(self, database: Database, hand: Hand) -> None:
        self._database = database
        self._hand = hand
        self._pruned_to = 0
        """Up to this event nothing is left to prune, for as long as the trouble lasts."""
        self._counted_at: float | None = None
        self._counted = ""
        """What waits on disk."""

    def forget(self) -> None:
        """There was room: what comes to an end from now on is to be looked for from the start."""
        self._pruned_to = 0

    async def go(self, waiting: Sequence[Waiting], *, is_memory_full: bool) -> tuple[bool, int]:
        """Do all of it; return whether something could be done, and how many events were deleted.

        `waiting` are the batches, the first of them the one that there is no room for.
        """
        has_answered = await self._answer_apart(waiting)
        batch = waiting[0].batch
        if pruned := await self._make_room(batch.size):
            return True, pruned
        new = [each.batch.events[0][0] for each in waiting if each.batch.events]
        freed = await _write_outcomes(self._database, self._hand, batch, before_seq=min(new, default=_NO_SEQ))
        pruned = freed.events + await self._make_room(batch.size)
        if not (pruned or freed.outcomes) and batch.events and (is_memory_full or not await self._waits()):
            pruned = await self._prune_dead(batch.size)
        return bool(has_answered or freed.outcomes or pruned), pruned

    async def _answer_apart(self, waiting: Sequence[Waiting]) -> bool:
        """Carry out, each in a transaction of its own, the steps that need not wait; return whether one could be."""
        has_answered = False
        for each in waiting:
            batch = each.batch
            while batch.steps_apart:
                step, asked = batch.steps_apart[0], each.apart[0]
                try:
                    result = await self._database.run_in_excess(_in_transaction(step))
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
        """Whether something waits on disk, so that there will be room when it has ended."""
        try:
            return bool(await self._database.run(lambda connection: connection.execute(SQL["waiting"]).fetchall()))
        except sqlite3.Error:
            return True

    async def _prune_dead(self, size: int) -> int:
        """Let the oldest dead letters go, where no room would come otherwise: they were given up, what is new was not.

        Where something waits on disk this is put off until the streams could not be read any more.
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
        """Return, for the log and `status`, what fills the outbox; it is counted now and then."""
        now = monotonic()
        if self._counted_at is None or now - self._counted_at > _COUNT_EVERY_S:
            self._counted_at, self._counted = now, ""
            with suppress(sqlite3.Error):
                counts = await self._database.run(lambda connection: connection.execute(SQL["waiting"]).fetchall())
                most = sorted(counts, key=lambda found: -found[1])[:_NAMED]
                if most:
                    named = ", ".join(f"{count} deliveries for {name}" for name, count in most)
                    self._counted = f"; on disk wait {named}"
        return self._counted


def _in_transaction(step: Step[_T]) -> Step[_T]:
    def run(connection: sqlite3.Connection) -> _T:
        with transaction(connection):
            return step(connection)

    return run


@dataclass(slots=True)
class Freed:
    """What came of it."""

    outcomes: int = 0
    """That are in memory alone no more."""
    events: int = 0
    """Deleted."""


async def _write_outcomes(database: Database, hand: Hand, batch: Batch, *, before_seq: int) -> Freed:
    """Write what `batch` and `hand` have of outcomes of events before that number, which are on disk."""
    batch.add_rows(hand.collect(before_seq=before_seq))
    keys = batch.ended(before_seq=before_seq)
    freed, at, size, is_lean = Freed(), 0, _PIECE, False
    while at < len(keys):
        piece_keys = _whole_events(keys, at, size)
        piece = batch.take_out(piece_keys)
        rows = list(piece.rows.values())
        try:
            done = None if is_lean else await database.run_in_excess(_write_and_delete(piece, database))
            if is_lean:
                done = await database.run_in_excess(_delete(piece, database))
                through = set(done or ())
                batch.put_back(piece.take_out([key for key in piece.rows if key[0] not in through]))
                rows = [row for row in rows if row.event_seq in through]
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
        hand.written(rows)
        at += len(piece_keys)
        freed.outcomes += len(rows)
        freed.events += len(done or ())
    return freed


def _whole_events(keys: Sequence[Key], at: int, size: int) -> Sequence[Key]:
    """Return about so many keys from there on, and all of each event."""
    end = min(at + size, len(keys))
    while end < len(keys) and keys[end][0] == keys[end - 1][0]:
        end += 1
    return keys[at:end]


def _write_and_delete(piece: Batch, database: Database) -> Step[list[int]]:
    before_ms = database.delivered_may_go.delivered_before_ms

    def write(connection: sqlite3.Connection) -> list[int]:
        with transaction(connection):
            piece.write_rows(connection)
            seqs = json.dumps(sorted({seq for seq, _ in piece.rows}))
            through = [
                seq for (seq,) in connection.execute(SQL["through_with"], {"seqs": seqs, "before_ms": before_ms})
            ]
            delete_events(connection, through)
        move_wal_if_short(connection, database.path.parent)
        return through

    return write


def _delete(piece: Batch, database: Database) -> Step[list[int]]:
    """Delete those of its events of which nothing waits any more, by what is on disk and in the piece."""
    before_ms = database.delivered_may_go.delivered_before_ms

    def delete(connection: sqlite3.Connection) -> list[int]:
        entries: defaultdict[int, list[str]] = defaultdict(list)
        open_ = set[int]()
        seqs = json.dumps(sorted({seq for seq, _ in piece.rows}))
        with transaction(connection):
            accepted = dict(connection.execute(SQL["accepted_of"], {"seqs": seqs}).fetchall())
            for seq, destination, status, reason in connection.execute(SQL["standings_of"], {"seqs": seqs}):
                now = piece.outcome_of((seq, destination)) or (status, reason)
                if now[0] not in _IS_THROUGH:
                    open_.add(seq)
                entries[seq].append(f"pruned {now[1] if now[0] == 'skipped' else now[0]!s}")
            through = sorted(seq for seq, at_ms in accepted.items() if seq not in open_ and at_ms < before_ms)
            counts = Counter(
                (accepted[seq] // 60_000, entry) for seq in through for entry in ("pruned event", *entries[seq])
            )
            connection.executemany(SQL["add_to_books"], [(*key, count) for key, count in counts.items()])
            delete_events(connection, through, is_noted=True)
        move_wal_if_short(connection, database.path.parent)
        return through

    return delete
