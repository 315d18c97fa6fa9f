"""The changes that a person asks for by a command. Each function applies one slice, inside a transaction."""

import json
import sqlite3
import time
from typing import assert_never

from forwarder.core.actions import action_of
from forwarder.core.commands import SLICE, Change, Changed, DeadLetterChange, Forget, PauseChange, Replay, Resend
from forwarder.core.delivery import Trigger
from forwarder.core.event import decode_event
from forwarder.core.ledger import NOT_MISSING, LedgerEntry
from forwarder.outbox.sqlite.action_rows import note_action
from forwarder.outbox.sqlite.batch import insert
from forwarder.outbox.sqlite.clock_rows import clock_offset_ms
from forwarder.outbox.sqlite.delivery_row import OPEN
from forwarder.outbox.sqlite.destination_rows import forget_stretch, note_pause_end, pause_end
from forwarder.outbox.sqlite.prune_slices import delete_events
from forwarder.outbox.sqlite.statements import MAX_EXPEDITED, load, storable

_SQL = load(__package__, "commands.sql")


def apply(connection: sqlite3.Connection, change: Change, *, person: str = "", is_alone: bool = False) -> Changed:
    """Apply one slice of a change, and note who asked for it, unless `person` is empty.

    `is_alone`: no daemon runs that has deliveries in memory.
    """
    done = _apply(connection, change, is_alone=is_alone)
    if person and done.changed:
        now_ms = time.time_ns() // 1_000_000
        note_action(connection, action_of(change, person=person), changed=done.changed, now_ms=now_ms)
    return done


def _apply(connection: sqlite3.Connection, change: Change, *, is_alone: bool) -> Changed:
    match change:
        case Replay():
            return _replay(connection, change)
        case DeadLetterChange():
            return _dead(connection, change)
        case Resend():
            return _resend(connection, change)
        case PauseChange():
            return _pause(connection, change)
        case Forget():
            return _forget(connection, change, is_alone=is_alone)
        case _:
            assert_never(change)


def _forget(connection: sqlite3.Connection, asked: Forget, *, is_alone: bool) -> Changed:
    """Delete events, and overwrite what they were: other deletes leave that to chance, because it costs writes."""
    if asked.bodies:
        return _rewrite(connection, asked)
    values = {"seqs": json.dumps(asked.seqs)}
    if is_alone:
        connection.execute(_SQL["skip_open"], values | {"now_ms": asked.now_ms - clock_offset_ms(connection)})
    seqs = [seq for (seq,) in connection.execute(_SQL["closed_of"], values)]
    connection.execute("PRAGMA secure_delete = ON")
    try:
        delete_events(connection, seqs)
    finally:
        connection.execute("PRAGMA secure_delete = FAST")
    found = int(connection.execute(_SQL["count_of"], values).fetchone()[0])
    return Changed(changed=len(seqs), left_alone=found, destinations=(), last_seq=0, is_last=True)


def _rewrite(connection: sqlite3.Connection, asked: Forget) -> Changed:
    """Replace the bodies of events, and forget what receivers answered to the earlier ones."""
    connection.execute("PRAGMA secure_delete = ON")
    try:
        for seq, text in zip(asked.seqs, asked.bodies, strict=True):
            body = text.encode()
            row = {"seq": seq, "id": decode_event(body).id, "body": body}
            connection.execute(_SQL["replace_body"], row)
            connection.execute(_SQL["forget_answers"], row)
            connection.execute(_SQL["forget_last_answers"], row)
    finally:
        connection.execute("PRAGMA secure_delete = FAST")
    return Changed(changed=len(asked.seqs), left_alone=0, destinations=(), last_seq=0, is_last=True)


def _pause(connection: sqlite3.Connection, asked: PauseChange) -> Changed:
    found = connection.execute(_SQL["is_paused"], (asked.destination,)).fetchone()
    is_paused, is_wanted = found is not None, asked.verb == "pause"
    has_other_end = is_paused and is_wanted and pause_end(connection, asked.destination) != asked.until_ms
    if is_paused != is_wanted:
        connection.execute(
            _SQL["pause" if is_wanted else "resume"],
            {"name": asked.destination, "now_ms": asked.now_ms, "why": storable(asked.why)},
        )
        if not is_wanted:
            forget_stretch(connection, asked.destination)
    is_changed = is_paused != is_wanted or has_other_end
    if is_changed:
        note_pause_end(connection, asked.destination, asked.until_ms)
    return Changed(
        changed=int(is_changed),
        left_alone=int(not is_changed),
        destinations=(asked.destination,),
        last_seq=0,
        is_last=True,
    )


def _replay(connection: sqlite3.Connection, asked: Replay) -> Changed:
    after = asked.after_seq
    if not after:
        (after,) = connection.execute(_SQL["first_seq_since"], {"since_ms": asked.since_ms}).fetchone()
    values = {"after_seq": after, "limit": SLICE} | asked.model_dump(include=_REPLAY_KEYS)
    found = connection.execute(_SQL["replayable"], values).fetchall()
    ahead_ms, changed, begins_ms = clock_offset_ms(connection), 0, asked.begins_ms
    for seq, accepted_ms, status, routes in found:
        if status in OPEN or (asked.missing and status in NOT_MISSING):
            continue
        begins_ms = accepted_ms if begins_ms is None else begins_ms
        if asked.speed is None:
            due_ms = asked.due_ms(changed)
        else:
            due_ms = asked.spaced_due_ms(accepted_ms, begins_ms=begins_ms, speed=asked.speed)
        row = {
            "event_seq": seq,
            "destination": asked.to,
            "due_ms": due_ms - ahead_ms,
            "expedited": MAX_EXPEDITED,
        }
        if status is None:
            add_delivery(connection, row | {"routes": routes, "trigger": Trigger.REPLAY}, accepted_ms=accepted_ms)
        else:
            connection.execute(_SQL["again"], row | {"trigger": Trigger.REPLAY})
        changed += 1
    return Changed(
        changed=changed,
        left_alone=len(found) - changed,
        destinations=(asked.to,) if changed else (),
        last_seq=found[-1][0] if found else after,
        is_last=len(found) < SLICE,
        begins_ms=None if asked.speed is None else begins_ms,
    )


_REPLAY_KEYS = {"to", "since_ms", "until_ms", "source", "route"}


def add_delivery(
    connection: sqlite3.Connection,
    row: dict[str, object],
    *,
    accepted_ms: int,
    entry: LedgerEntry = LedgerEntry.REPLAYED,
) -> None:
    """Add a delivery that no route has made, and account for it."""
    connection.execute(_SQL["add_delivery"], row)
    connection.execute(_SQL["plan_one_more"], (row["event_seq"],))
    insert(connection, "add_to_ledger", [(accepted_ms // 60_000, entry, 1)])


def _resend(connection: sqlite3.Connection, asked: Resend) -> Changed:
    due_ms = asked.now_ms - clock_offset_ms(connection)
    changed: list[tuple[int, str]] = []
    for event_seq, destination in dict.fromkeys(asked.keys):
        row = {
            "event_seq": event_seq,
            "destination": destination,
            "due_ms": due_ms,
            "expedited": MAX_EXPEDITED,
            "trigger": Trigger.RESEND,
        }
        found = connection.execute(_SQL["resendable"], row).fetchone()
        if found is None:  # it is not kept any more, or it is not for this destination
            continue
        accepted_ms, status, routes = found
        if status is None:
            add_delivery(connection, row | {"routes": routes}, accepted_ms=accepted_ms)
        elif status not in OPEN:
            connection.execute(_SQL["again"], row)
        elif not connection.execute(_SQL["bring_forward"], row).rowcount:
            continue
        changed.append((event_seq, destination))
    return Changed(
        changed=len(changed),
        left_alone=len(asked.keys) - len(changed),
        destinations=tuple(sorted({destination for _, destination in changed})),
        last_seq=0,
        is_last=True,
    )


def _dead(connection: sqlite3.Connection, asked: DeadLetterChange) -> Changed:
    values = {"limit": SLICE} | asked.model_dump(include={"since_ms", "until_ms", "destination", "route", "reason"})
    if asked.keys is not None:
        found = [
            row
            for event_seq, destination in asked.keys
            for row in connection.execute(
                _SQL["dead_one"], values | {"event_seq": event_seq, "key_destination": destination}
            )
        ]
    else:
        found = connection.execute(_SQL["dead"], values).fetchall()
    ahead_ms = clock_offset_ms(connection)
    for index, (event_seq, destination) in enumerate(found):
        if asked.verb == "dead_drop":
            connection.execute(_SQL["keep_last_attempt"], (event_seq, destination))
            connection.execute(_SQL["drop"], (event_seq, destination))
        else:
            row = {"event_seq": event_seq, "destination": destination, "due_ms": asked.due_ms(index) - ahead_ms}
            connection.execute(_SQL["again"], row | {"trigger": Trigger.MANUAL, "expedited": MAX_EXPEDITED})
    return Changed(
        changed=len(found),
        left_alone=0,
        destinations=tuple(sorted({destination for _, destination in found})),
        last_seq=0,
        is_last=asked.keys is not None or len(found) < SLICE,
    )
