"""The read port of the outbox on an SQLite file."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import msgspec

from forwarder.core.delivery import DestinationName, delivery_id, event_of
from forwarder.core.event import EventId
from forwarder.core.history import HistorySpan, PastEvent, Query, QueueDepth, Record, StoredRevision
from forwarder.core.ledger import NOT_MISSING, Audit
from forwarder.outbox.problems import ReadGivenUpError
from forwarder.outbox.sqlite.access import reading
from forwarder.outbox.sqlite.action_rows import actions
from forwarder.outbox.sqlite.clock_rows import clock_offset_ms
from forwarder.outbox.sqlite.destination_rows import pause_ends
from forwarder.outbox.sqlite.file.problems import error_code
from forwarder.outbox.sqlite.file.read_connection import connect_to_read
from forwarder.outbox.sqlite.gap_rows import GapRow, gap_of
from forwarder.outbox.sqlite.history import replay
from forwarder.outbox.sqlite.history.records import SQL as _SQL
from forwarder.outbox.sqlite.history.records import (
    attempt_records,
    counts_of,
    dead_group_record,
    delivery_record,
    event_record,
    gap_record,
    last_failure,
    queues_of,
    readable,
    text_of,
)
from forwarder.outbox.sqlite.history.search import register
from forwarder.outbox.sqlite.revisions import revision_at
from forwarder.outbox.sqlite.statements import SQL

_ASK_EVERY = 1_000
"""After so many instructions of SQLite's machine it is asked whether a read is given up."""
_MOST_SAME = 100
"""The most events that are looked up by one id."""


@contextmanager
def open_history(path: Path, *, give_up: Callable[[], bool] | None = None) -> Iterator["SqliteHistory"]:
    """Open the history. Close it soon while a daemon runs: an open read holds up checkpoints.

    `give_up` is asked again and again during a read, and ends it once it returns true. Raises `OutboxUnusableError` where there is no
    outbox, or none of this version, and `ReadGivenUpError`.
    """
    with reading(path) as connection:
        connection.set_progress_handler(give_up, _ASK_EVERY)
        try:
            yield SqliteHistory(connection)
        except sqlite3.OperationalError as error:
            if error_code(error) == sqlite3.SQLITE_INTERRUPT:
                raise ReadGivenUpError from error
            raise


def count_waiting(path: Path) -> dict[str, int]:
    """Return how many deliveries wait, by destination, for the daemon itself: in a thread, on a second connection.

    Empty where the file cannot be read. SQLite alone opens the file: to close another descriptor of it would release the locks of
    this process.
    """
    try:
        with closing(connect_to_read(path)) as connection:
            return SqliteHistory(connection).waiting()
    except sqlite3.Error:
        return {}


class SqliteHistory:
    """Answers the questions of `core.ports.history.History` from one connection, which is read only."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        register(connection)

    # The contract of core.ports.history.History; its docstrings are there.

    def events(self, query: Query) -> Iterator[Record]:
        yield from self._events("events", _values(query))

    def find_events(self, text: str) -> list[Record]:
        return list(self._events("event", _beginning_with(text)))

    def event_at(self, event_seq: int) -> Record | None:
        return next((self._with_attempts(event) for event in self._events("event_at", {"seq": event_seq})), None)

    def find_posts(self, mid: str, *, source: str | None, limit: int) -> list[Record]:
        return list(self._events("events_of_mid", {"mid": mid, "source": source, "limit": limit}))[::-1]

    def deliveries(self, query: Query) -> Iterator[Record]:
        ahead_ms = clock_offset_ms(self._connection)
        for row in self._connection.execute(_SQL["deliveries"], _values(query)):
            delivery = delivery_record(row, ahead_ms)
            if query.failed:
                delivery["last_failure"] = last_failure(self._connection, delivery)
            yield delivery

    def find_deliveries(self, text: str) -> list[Record]:
        event_id, mark = event_of(text) or (EventId(text.removeprefix("msg_")), "")
        ahead_ms = clock_offset_ms(self._connection)
        return [
            delivery | {"attempts": attempt_records(self._connection, delivery)}
            for event in self._connection.execute(_SQL["event"], _beginning_with(event_id))
            for row in self._connection.execute(_SQL["deliveries_of"], (event[0],))
            if (delivery := delivery_record(row, ahead_ms))["delivery_id"].endswith(mark)
        ]

    def dead_letters(self, query: Query) -> Iterator[Record]:
        for row in self._connection.execute(_SQL["dead"], _values(query)):
            yield delivery_record(row, 0)

    def dead_groups(self, query: Query) -> Iterator[Record]:
        for row in self._connection.execute(_SQL["dead_groups"], _values(query)):
            yield dead_group_record(row)

    def dead_keys(self, ids: list[str]) -> list[tuple[int, str]]:
        marks: dict[str, set[str]] = {}
        for text in ids:
            event_id, mark = event_of(text) or (EventId(text), "")
            marks.setdefault(event_id, set()).add(mark)
        return [
            (event_seq, destination)
            for id_, event_seq, destination in self._connection.execute(
                _SQL["dead_of"], {"ids": json.dumps(list(marks))}
            )
            if any(delivery_id(EventId(id_), DestinationName(destination)).endswith(mark) for mark in marks[id_])
        ]

    def export(self, query: Query) -> Iterator[Record]:
        yield from map(self._with_attempts, self.events(query))

    def count_replayable(self, query: Query, *, to: str, missing: bool) -> int:
        return self._count(
            "replayable_count",
            _values(query) | {"to": to, "left_alone": json.dumps(sorted(NOT_MISSING) if missing else [])},
        )

    def count_dead(self, query: Query) -> int:
        return self._count("dead_count", _values(query))

    def count_replaying(self, to: str) -> int:
        return self._count("replaying", {"to": to})

    def paused(self) -> dict[str, str]:
        return {name: text_of(ms) or "" for name, ms in self._connection.execute(_SQL["paused"])}

    def pause_ends(self) -> dict[str, str]:
        return {name: text_of(ms) or "" for name, ms in pause_ends(self._connection).items()}

    def waiting(self) -> dict[str, int]:
        return {name: queue.count for name, queue in self.queues().items()}

    def queues(self) -> dict[str, QueueDepth]:
        return queues_of(self._connection.execute(_SQL["queues"]))

    def file_bytes(self) -> int:
        return self._count("file_bytes", {})

    def first_in_order(self, destination: str, order_key: str) -> int | None:
        values = {"destination": destination, "key": order_key}
        first: int | None = self._connection.execute(_SQL["first_in_order"], values).fetchone()[0]
        return first

    def dead_by_destination(self) -> dict[str, int]:
        return counts_of(self._connection.execute(_SQL["dead_by_destination"]))

    def audit(self, *, since_ms: int = 0) -> tuple[Audit, list[Record]]:
        minute = since_ms // 60_000
        values = {"since_ms": minute * 60_000, "since_minute": minute}
        self._connection.execute("BEGIN")  # one read transaction, so that both sides are of the same moment
        try:
            incomplete = [
                {"event_id": id_, "planned": planned, "found": found}
                for id_, planned, found in self._connection.execute(_SQL["incomplete_events"], values)
            ]
            return Audit(
                entries=counts_of(self._connection.execute(_SQL["ledger"], values)),
                events=self._count("kept_events", values),
                deliveries=counts_of(self._connection.execute(_SQL["kept_deliveries"], values)),
                incomplete_events=len(incomplete),
            ), incomplete
        finally:
            self._connection.execute("COMMIT")

    def actions(self, query: Query) -> Iterator[Record]:
        found = actions(self._connection, since_ms=query.since_ms, until_ms=query.until_ms, limit=query.limit)
        for at_ms, person, verb, what, changed in found:
            yield {"at": text_of(at_ms), "person": person, "verb": verb, "what": what, "changed": changed}

    def gaps(self, query: Query, *, stream: str | None, only_open: bool) -> Iterator[Record]:
        values = _values(query) | {"stream": stream, "only_open": only_open}
        for row in self._connection.execute(_SQL["gaps"], values):
            with readable(f"the gap of number {row[0]}"):
                record = gap_record(gap_of(msgspec.convert(row, GapRow)))
            yield record

    def streams_of_gaps(self) -> list[str]:
        return [name for (name,) in self._connection.execute(_SQL["streams_of_gaps"])]

    def last_heard(self) -> str | None:
        row = self._connection.execute(SQL["last_heard"]).fetchone()
        with readable("the time of the last stream"):
            return None if row is None else text_of(row[0])

    def revision_at(self, event_seq: int) -> StoredRevision | None:
        with readable(f"the config for the event of number {event_seq}"):
            return revision_at(self._connection, event_seq)

    def span_of(self, *, since_ms: int, limit: int | None) -> HistorySpan:
        return replay.span_of(self._connection, since_ms=since_ms, limit=limit)

    def past_events(self, span: HistorySpan) -> Iterator[PastEvent]:
        return replay.past_events(self._connection, span)

    def _events(self, statement: str, values: dict[str, Any]) -> Iterator[Record]:
        ahead_ms = clock_offset_ms(self._connection)
        for row in self._connection.execute(_SQL[statement], values):
            yield event_record(self._connection, row, ahead_ms)

    def _with_attempts(self, event: Record) -> Record:
        deliveries = [each | {"attempts": attempt_records(self._connection, each)} for each in event["deliveries"]]
        return event | {"deliveries": deliveries}

    def _count(self, statement: str, values: dict[str, Any]) -> int:
        return int(self._connection.execute(_SQL[statement], values).fetchone()[0])


def _values(query: Query) -> dict[str, int | str | None]:
    """Return the parameters of the statements."""
    values = {name: getattr(query, name) for name in query.__struct_fields__ if name != "after"}
    after = query.after
    if after is None:
        return values | {"after_ms": None, "after_seq": None, "after_destination": None}
    # what lies after the end of a page is not newer than it: the index finds the place
    until_ms = min(query.until_ms, after.at_ms + 1)
    return values | {
        "after_ms": after.at_ms,
        "after_seq": after.seq,
        "after_destination": after.destination,
        "until_ms": until_ms,
    }


def _beginning_with(event_id: str) -> dict[str, int | str]:
    return {"low": event_id, "high": event_id + "g", "limit": _MOST_SAME}
