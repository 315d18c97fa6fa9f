"""What the outbox remembers: events, deliveries with every attempt, gaps, and both sides of the books."""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from forwarder.core.books import Audit
from forwarder.core.delivery import DestinationName, delivery_id, event_of
from forwarder.core.event import EventId
from forwarder.core.gaps import Gap
from forwarder.core.preference import AWAITS_FULL
from forwarder.outbox.clock_rows import clock_offset_ms
from forwarder.outbox.gap_rows import gap_of
from forwarder.outbox.statements import SQL, from_ms, load, to_ms

_SQL = load("history.sql") | {"waiting": SQL["waiting"]}
NO_LIMIT = -1
FOREVER_MS = 1 << 53
"""After the last moment there is."""

Record = dict[str, Any]
"""As a script reads it: names of columns to values of JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Which events or deliveries; what is `None` matches all. `since_ms` is included, `until_ms` is not."""

    since_ms: int = 0
    until_ms: int = FOREVER_MS
    source: str | None = None
    destination: str | None = None
    route: str | None = None
    status: str | None = None
    limit: int = NO_LIMIT

    def values(self) -> dict[str, int | str | None]:
        """Return the parameters of the statements."""
        return {name: getattr(self, name) for name in self.__slots__}


def events(connection: sqlite3.Connection, query: Query) -> Iterator[Record]:
    """Give the events, newest first, each with its deliveries."""
    for row in connection.execute(_SQL["events"], query.values()):
        yield _event(connection, row)


def find_events(connection: sqlite3.Connection, text: str) -> list[Record]:
    """Return the events with this id or the beginning of one; an id comes again when the dedupe window is over."""
    return [
        _event(connection, row)
        for row in connection.execute(_SQL["event"], {"low": text, "high": text + "g", "limit": 100})
    ]


def find_posts(connection: sqlite3.Connection, mid: str, *, source: str | None, limit: int) -> list[Record]:
    """Return the newest events with this `mid`, of one source or of all, oldest first."""
    values = {"mid": mid, "source": source, "limit": limit}
    return [_event(connection, row) for row in connection.execute(_SQL["events_of_mid"], values)][::-1]


def deliveries(connection: sqlite3.Connection, query: Query) -> Iterator[Record]:
    """Give the deliveries without their earlier attempts, newest event first."""
    ahead_ms = clock_offset_ms(connection)
    for row in connection.execute(_SQL["deliveries"], query.values()):
        yield _delivery(row, ahead_ms)


def dead_letters(connection: sqlite3.Connection, query: Query) -> Iterator[Record]:
    """Give the dead deliveries, by when they died, newest first."""
    for row in connection.execute(_SQL["dead"], query.values()):
        yield _delivery(row, 0)


def find_deliveries(connection: sqlite3.Connection, text: str) -> list[Record]:
    """Return the deliveries of a `webhook-id`, or of an event's id, with every attempt."""
    named = event_of(text)
    event_id, mark = named or (EventId(text.removeprefix("msg_")), "")
    return [
        delivery | {"attempts": _attempts(connection, delivery)}
        for event in connection.execute(_SQL["event"], {"low": event_id, "high": event_id + "g", "limit": 100})
        for row in connection.execute(_SQL["deliveries_of"], (event[0],))
        if (delivery := _delivery(row, clock_offset_ms(connection)))["delivery_id"].endswith(mark)
    ]


def dead_keys(connection: sqlite3.Connection, ids: list[str]) -> list[tuple[int, str]]:
    """Return the number of the event and the destination of the dead deliveries with these `webhook-id`s or events' ids."""
    marks: dict[str, set[str]] = {}
    for text in ids:
        event_id, mark = event_of(text) or (EventId(text), "")
        marks.setdefault(event_id, set()).add(mark)
    return [
        (event_seq, destination)
        for id_, event_seq, destination in connection.execute(_SQL["dead_of"], {"ids": json.dumps(list(marks))})
        if any(delivery_id(EventId(id_), DestinationName(destination)).endswith(mark) for mark in marks[id_])
    ]


def export(connection: sqlite3.Connection, query: Query) -> Iterator[Record]:
    """Give every event with its body, deliveries and attempts."""
    for event in events(connection, query):
        event["deliveries"] = [
            delivery | {"attempts": _attempts(connection, delivery)} for delivery in event["deliveries"]
        ]
        yield event


def count_replayable(connection: sqlite3.Connection, query: Query, *, to: str, missing: bool) -> int:
    """Return how many deliveries a replay would make."""
    values = query.values() | {"to": to, "missing": missing}
    return _count(connection, "replayable_count", values)


def count_dead(connection: sqlite3.Connection, query: Query) -> int:
    """Return how many dead letters there are."""
    return _count(connection, "dead_count", query.values())


def count_replaying(connection: sqlite3.Connection, to: str) -> int:
    """Return how many replayed deliveries still wait."""
    return _count(connection, "replaying", {"to": to})


def waiting(connection: sqlite3.Connection) -> dict[str, int]:
    """Return how many deliveries are still to be made, those under way included, by destination."""
    found = Counter[str]()
    for name in ("waiting", "under_way"):
        found.update(dict(connection.execute(_SQL[name]).fetchall()))
    return dict(found)


def dead_by_destination(connection: sqlite3.Connection) -> dict[str, int]:
    """Return how many dead letters there are, those that expired included, by destination."""
    return dict(connection.execute(_SQL["dead_by_destination"]).fetchall())


def audit(connection: sqlite3.Connection, *, since_ms: int = 0) -> tuple[Audit, list[Record]]:
    """Return the books since the minute of that moment, and each event that has not the deliveries planned for it.

    One read transaction, so both sides are of one moment.
    """
    minute = since_ms // 60_000
    values = {"since_ms": minute * 60_000, "since_minute": minute}
    connection.execute("BEGIN")
    try:
        incomplete = [
            {"event_id": id_, "planned": planned, "found": found}
            for id_, planned, found in connection.execute(_SQL["incomplete_events"], values)
        ]
        return Audit(
            entries=dict(connection.execute(_SQL["books"], values).fetchall()),
            events=_count(connection, "kept_events", values),
            deliveries=dict(connection.execute(_SQL["kept_deliveries"], values).fetchall()),
            incomplete_events=len(incomplete),
        ), incomplete
    finally:
        connection.execute("COMMIT")


def gaps(connection: sqlite3.Connection, query: Query, *, stream: str | None, that_last: bool) -> Iterator[Record]:
    """Give the gaps of that time, of one stream or of all, the last to begin first."""
    values = query.values() | {"stream": stream, "that_last": that_last}
    for row in connection.execute(_SQL["gaps"], values):
        yield _gap(gap_of(row))


def streams_of_gaps(connection: sqlite3.Connection) -> list[str]:
    """Return the names of the streams that gaps are kept of."""
    return [name for (name,) in connection.execute(_SQL["streams_of_gaps"])]


def last_heard(connection: sqlite3.Connection) -> str | None:
    """Return when a stream was last known to be open, if that is known."""
    row = connection.execute(SQL["last_heard"]).fetchone()
    return None if row is None else _when(row[0])


def _count(connection: sqlite3.Connection, name: str, values: dict[str, Any]) -> int:
    return int(connection.execute(_SQL[name], values).fetchone()[0])


def _event(connection: sqlite3.Connection, row: tuple[Any, ...]) -> Record:
    seq, id_, accepted_ms, timestamp_ms, source, mid, sid, planned, body, gap_id = row
    ahead_ms = clock_offset_ms(connection)
    return {
        "event_id": id_,
        "event_seq": seq,
        "accepted_at": _when(accepted_ms),
        "timestamp": timestamp_ms,
        "source": source,
        "mid": mid,
        "sid": sid,
        "planned": planned,
        "recovered": gap_id is not None,
        "gap_id": gap_id,
        "deliveries": [_delivery(found, ahead_ms) for found in connection.execute(_SQL["deliveries_of"], (seq,))],
        "body": body.decode("utf-8", "surrogateescape"),
    }


def _delivery(row: tuple[Any, ...], ahead_ms: int) -> Record:
    """Return a delivery; `ahead_ms` is what the wall clock is ahead of the steady one, by which it is due."""
    (
        id_,
        accepted_ms,
        source,
        mid,
        sid,
        is_recovered,
        seq,
        destination,
        routes,
        status,
        trigger,
        attempts,
        earlier,
        *rest,
    ) = row
    _expedited, due_ms, closed_ms, started_ms, duration_ms, http_status, reason, excerpt, _, order_key, _ = rest
    due_ms += ahead_ms
    return {
        "delivery_id": delivery_id(EventId(id_), DestinationName(destination)),
        "event_id": id_,
        "event_seq": seq,
        "source": source,
        "mid": mid,
        "sid": sid,
        "accepted_at": _when(accepted_ms),
        "recovered": bool(is_recovered),
        "destination": destination,
        "routes": json.loads(routes),
        "status": status,
        "trigger": trigger,
        "attempts_made": attempts + earlier,
        "order_key": order_key,
        "due_at": _when(due_ms) if status in {"pending", "in_flight"} else None,
        "closed_at": _when(closed_ms),
        "last_attempt_at": _when(started_ms),
        "duration_ms": duration_ms,
        "http_status": http_status,
        "reason": None if reason == AWAITS_FULL and due_ms <= now_ms() else reason,
        "excerpt": excerpt,
    }


def _attempts(connection: sqlite3.Connection, delivery: Record) -> list[Record]:
    key = delivery["event_seq"], delivery["destination"]
    found = [_attempt(row) for row in connection.execute(_SQL["attempts_of"], key)]
    if delivery["last_attempt_at"] is not None:
        last = {name: delivery[name] for name in ("duration_ms", "http_status", "reason", "excerpt")}
        found.append({"number": delivery["attempts_made"], "started_at": delivery["last_attempt_at"], **last})
    return found


def _attempt(row: tuple[Any, ...]) -> Record:
    number, started_ms, duration_ms, http_status, reason, excerpt = row
    return {
        "number": number,
        "started_at": _when(started_ms),
        "duration_ms": duration_ms,
        "http_status": http_status,
        "reason": reason,
        "excerpt": excerpt,
    }


def _gap(gap: Gap) -> Record:
    return {
        "gap_id": gap.id,
        "stream": gap.stream,
        "began_at": _when(to_ms(gap.began)),
        "noticed_at": _when(to_ms(gap.noticed)),
        "ended_at": None if gap.ended is None else _when(to_ms(gap.ended)),
        "length_s": None if gap.length is None else round(gap.length.total_seconds(), 3),
        "covered": gap.is_covered,
        "reason": gap.reason,
        "repair": str(gap.repair),
        "found": gap.found,
        "recovered": gap.recovered,
        "note": gap.note,
    }


def _when(ms: int | None) -> str | None:
    return None if ms is None else from_ms(ms).isoformat(timespec="milliseconds")


def now_ms() -> int:
    """Return the present moment."""
    return int(datetime.now(UTC).timestamp() * 1000)
