"""The records of the history: rows of the file as a script reads them. A damaged row raises `DamagedRowError`."""

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from forwarder.clocks.wall_clock import utc_now
from forwarder.core.delivery import DestinationName, delivery_id
from forwarder.core.event import EventId
from forwarder.core.gaps.gap import Gap
from forwarder.core.history import WAITS, QueueDepth, Record
from forwarder.outbox.sqlite.file.problems import DamagedRowError
from forwarder.outbox.sqlite.history.search import heading
from forwarder.outbox.sqlite.statements import from_ms, load, ms_or_none, to_ms

SQL = load(__package__, "queries.sql")

_EventRow = tuple[int, str, int, float, str, str, str, int, bytes, int | None]
# fmt: off
_DeliveryRow = tuple[
    str, int, str, str, str, int, bytes,  # of the event
    int, str, str, str, str, int, int, int, int, int | None,
    int | None, float | None, int | None, str | None, str | None,
    int, str | None, str | None, int, int | None, int,
]
# fmt: on
_DeadGroupRow = tuple[str, str, str, int, int, int]
_AttemptRow = tuple[int, int, float, int | None, str | None, str | None]


@contextmanager
def readable(what: str) -> Iterator[None]:
    """Raise `DamagedRowError` for what the block meets in a row that was never written there; `what` names the row."""
    try:
        yield
    except (ValueError, TypeError, OverflowError, OSError, msgspec.MsgspecError) as error:
        raise DamagedRowError(f"{what} cannot be read: {error}") from error


def counts_of(rows: Iterable[tuple[Any, ...]]) -> dict[str, int]:
    """Return counts by name."""
    with readable("a count"):
        return dict(msgspec.convert(list(rows), list[tuple[str, int]]))


def queues_of(rows: Iterable[tuple[Any, ...]]) -> dict[str, QueueDepth]:
    """Return what waits, by destination."""
    with readable("a count"):
        found = msgspec.convert(list(rows), list[tuple[str, int, int | None]])
        return {name: QueueDepth(count=count, oldest_at=text_of(oldest_ms) or "") for name, count, oldest_ms in found}


def event_record(connection: sqlite3.Connection, row: tuple[Any, ...], ahead_ms: int) -> Record:
    """Return an event with its deliveries; `ahead_ms` as in `delivery_record`."""
    with readable(f"the event of number {row[0]}"):
        row = msgspec.convert(row, _EventRow)
        seq, id_, accepted_ms, timestamp_ms, source, mid, sid, planned, body, gap_id = row
        accepted_at = text_of(accepted_ms)
    shown = heading(body)
    return {
        "event_id": id_,
        "event_seq": seq,
        "accepted_at": accepted_at,
        "timestamp": timestamp_ms,
        "source": source,
        "mid": mid,
        "sid": sid,
        "author": shown.author,
        "text": shown.text,
        "planned": planned,
        "recovered": gap_id is not None,
        "gap_id": gap_id,
        "deliveries": [delivery_record(found, ahead_ms) for found in connection.execute(SQL["deliveries_of"], (seq,))],
        "body": body.decode("utf-8", "surrogateescape"),
    }


def delivery_record(row: tuple[Any, ...], ahead_ms: int) -> Record:
    """Return a delivery without its attempts.

    `ahead_ms` is how far the wall clock is ahead of the steady clock, by which deliveries are due.
    """
    with readable(f"a delivery of the event of number {row[7]}"):
        return _delivery_record(msgspec.convert(row, _DeliveryRow), ahead_ms)


def _delivery_record(row: tuple[Any, ...], ahead_ms: int) -> Record:
    (
        id_,
        accepted_ms,
        source,
        mid,
        sid,
        is_recovered,
        body,
        seq,
        destination,
        routes,
        status,
        trigger,
        attempts,
        earlier,
        *rest,
    ) = row
    (
        _expedited,
        due_ms,
        closed_ms,
        started_ms,
        duration_ms,
        http_status,
        reason,
        excerpt,
        _,
        order_key,
        _,
        awaits_full,
        _,
        priority,
    ) = rest
    due_ms += ahead_ms
    shown = heading(body)
    return {
        "delivery_id": delivery_id(EventId(id_), DestinationName(destination)),
        "event_id": id_,
        "event_seq": seq,
        "source": source,
        "mid": mid,
        "sid": sid,
        "author": shown.author,
        "text": shown.text,
        "accepted_at": text_of(accepted_ms),
        "recovered": bool(is_recovered),
        "destination": destination,
        "routes": msgspec.convert(json.loads(routes), list[str]),
        "status": status,
        "trigger": trigger,
        "attempts_made": attempts + earlier,
        "order_key": order_key,
        "priority": "high" if priority else "normal",
        "due_at": text_of(due_ms) if status in {"pending", "in_flight"} else None,
        "closed_at": text_of(closed_ms),
        "last_attempt_at": text_of(started_ms),
        "duration_ms": duration_ms,
        "http_status": http_status,
        "reason": WAITS.get(awaits_full, reason) if status == "pending" and due_ms > to_ms(utc_now()) else reason,
        "excerpt": excerpt,
    }


def attempt_records(connection: sqlite3.Connection, delivery: Record) -> list[Record]:
    """Return every attempt of a delivery, oldest first."""
    key = delivery["event_seq"], delivery["destination"]
    found = [_attempt_record(row) for row in connection.execute(SQL["attempts_of"], key)]
    if delivery["last_attempt_at"] is not None:
        last = {name: delivery[name] for name in ("duration_ms", "http_status", "reason", "excerpt")}
        found.append({"number": delivery["attempts_made"], "started_at": delivery["last_attempt_at"], **last})
    return found


def last_failure(connection: sqlite3.Connection, delivery: Record) -> str | None:
    """Return what the last attempt of a delivery that failed has failed with."""
    reasons = (each["reason"] for each in reversed(attempt_records(connection, delivery)))
    return next((reason for reason in reasons if reason is not None), None)


def _attempt_record(row: tuple[Any, ...]) -> Record:
    with readable("an attempt"):
        number, started_ms, duration_ms, http_status, reason, excerpt = msgspec.convert(row, _AttemptRow)
        started_at = text_of(started_ms)
    return {
        "number": number,
        "started_at": started_at,
        "duration_ms": duration_ms,
        "http_status": http_status,
        "reason": reason,
        "excerpt": excerpt,
    }


def dead_group_record(row: tuple[Any, ...]) -> Record:
    """Return a group of dead letters."""
    with readable("a group of dead letters"):
        destination, status, reason, count, first_ms, last_ms = msgspec.convert(row, _DeadGroupRow)
        first_at, last_at = text_of(first_ms), text_of(last_ms)
    return {
        "destination": destination,
        "status": status,
        "reason": reason,
        "count": count,
        "first_at": first_at,
        "last_at": last_at,
    }


def gap_record(gap: Gap) -> Record:
    """Return a gap."""
    return {
        "gap_id": gap.id,
        "stream": gap.stream,
        "began_at": text_of(to_ms(gap.began)),
        "noticed_at": text_of(to_ms(gap.noticed)),
        "ended_at": text_of(ms_or_none(gap.ended)),
        "length_s": None if gap.length is None else round(gap.length.total_seconds(), 3),
        "covered": gap.is_covered,
        "reason": gap.reason,
        "repair": str(gap.repair),
        "found": gap.found,
        "recovered": gap.recovered,
        "note": gap.note,
    }


def text_of(ms: int | None) -> str | None:
    """Return a time in ISO 8601, to the millisecond."""
    return None if ms is None else from_ms(ms).isoformat(timespec="milliseconds")
