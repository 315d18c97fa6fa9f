"""`forwarder events` and `forwarder deliveries`: lists events and deliveries, and shows one with its details."""

import argparse
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import chain

from forwarder.cli import exit_codes
from forwarder.cli.listing import (
    cut_to,
    local,
    local_exact,
    moments,
    print_json,
    print_prose,
    print_table,
    query,
    screen_width,
    short_id,
    shown,
)
from forwarder.cli.locations import Places, places, report_errors
from forwarder.cli.lookup import Found, find, headline, print_uncertain, said
from forwarder.cli.names import REMOVED, absent, require_names
from forwarder.cli.waits import WaitingReasons
from forwarder.core.counted import counted
from forwarder.core.delivery import event_of
from forwarder.core.history import (
    AWAITS_FULL,
    KEPT_BY_QUIET,
    KEPT_FOR_DIGEST,
    WAITING,
    WAITING_STATUSES,
    WAITS,
    History,
    Record,
)
from forwarder.core.monitoring.waiting_reason import NEXT_ATTEMPT
from forwarder.outbox.open import open_history

_NAMED = 20
"""How many ids, or deliveries, are named in a message."""
_ENDS = 20
"""How many columns the outcome of the deliveries of an event may take; the author and the text are cut before it."""
_LAST = {"skipped": 1, "delivered": 2}
_SHORT = 30
"""The most characters of a text in a list that has more columns after it."""


@report_errors
def list_events(arguments: argparse.Namespace) -> int:
    """Print events, newest first; with `--follow` oldest first, and then what comes."""
    where = places(arguments)
    if arguments.follow:
        from forwarder.cli.follow import follow_events  # only then

        return follow_events(where, arguments, print_list=lambda: _list_events(where, arguments))
    return _list_events(where, arguments)


def _list_events(where: Places, arguments: argparse.Namespace) -> int:
    with open_history(where.outbox) as history:
        reasons = WaitingReasons(where, history)
        named = _not_of_unknown_names(history.events(query(arguments)), where, history, arguments)
        found: Iterator[Record] = map(reasons.of_event, named)
        if arguments.follow:
            found = reversed(list(found))
        if arguments.json:
            for event in found:
                print_json(event)
            return exit_codes.OK
        _print_events(list(found), is_wide=arguments.wide)
    return exit_codes.OK


def _print_events(found: list[Record], *, is_wide: bool) -> None:
    accepted, times = moments("ACCEPTED", [event["accepted_at"] for event in found])
    rows = [
        (
            *(time, short_id(event["event_id"], is_wide=is_wide), event["source"]),
            *((event["mid"], event["sid"]) if is_wide else ()),
            *(_ends(event) if is_wide else cut_to(_ends(event), _ENDS), event["author"] or None, said(event)),
        )
        for time, event in zip(times, found, strict=True)
    ]
    names = (accepted, "EVENT", "SOURCE", *(("MID", "SID") if is_wide else ()), "DELIVERIES", "AUTHOR", "TEXT")
    print_table(names, rows, width=None if is_wide else screen_width(), cut=("SOURCE", "AUTHOR", "TEXT"))


def _ends(event: Record) -> str:
    ends = Counter(_status(delivery) for delivery in event["deliveries"])
    # What is not delivered comes first: the end of the cell may be cut.
    in_order = sorted(ends.items(), key=lambda end: _LAST.get(end[0], 0))
    ends_text = ", ".join(f"{number} {status}" for status, number in in_order) or "unmatched"
    return f"{ends_text} (recovered)" if event["recovered"] else ends_text


@report_errors
def list_deliveries(arguments: argparse.Namespace) -> int:
    """Print deliveries, newest event first; with `--follow` oldest first, and then every attempt that is made."""
    where = places(arguments)
    if arguments.follow:
        from forwarder.cli.follow import follow_deliveries  # only then

        return follow_deliveries(where, arguments, print_list=lambda: _list_deliveries(where, arguments))
    return _list_deliveries(where, arguments)


def _list_deliveries(where: Places, arguments: argparse.Namespace) -> int:
    with open_history(where.outbox) as history:
        reasons = WaitingReasons(where, history)
        named = _not_of_unknown_names(history.deliveries(query(arguments)), where, history, arguments)
        found = list(map(reasons.of_delivery, named))
        if arguments.follow:
            found.reverse()
        print_deliveries(found, as_json=arguments.json, is_wide=arguments.wide)
    if not arguments.json and not arguments.follow:
        _print_why_kept(where, found)
    return exit_codes.OK


def _not_of_unknown_names(
    found: Iterator[Record], where: Places, history: History, arguments: argparse.Namespace
) -> Iterator[Record]:
    """Return what was found. Raises `UsageError` if nothing was, because a name in the filters does not exist."""
    first = next(found, None)
    if first is None:
        require_names(where, history, destination=arguments.destination, route=arguments.route, source=arguments.source)
        return iter(())
    return chain((first,), found)


def _print_why_kept(where: Places, deliveries: list[Record]) -> None:
    """Print which destinations of these deliveries get nothing because of the config, and what to do about what waits for them."""
    waiting = Counter(each["destination"] for each in deliveries if each["status"] in {"pending", "in_flight"})
    for name, why in absent(where, waiting).items():
        them = "it" if waiting[name] == 1 else "them"
        deliver = "put it back under this name" if why == REMOVED else "set enabled: true"
        print()
        print_prose(
            f"{shown(name)} is {why}. {counted(waiting[name], 'delivery', 'deliveries')} of these "
            f"{'is' if waiting[name] == 1 else 'are'} kept for it. To have {them} delivered, {deliver}. "
            "To send to another destination: forwarder replay --to NAME, or forwarder resend --to NAME for one event."
        )


def print_deliveries(found: list[Record], *, as_json: bool, is_wide: bool = False) -> None:
    """Print a list of deliveries; if it is not wide, each is named by the beginning of its event's id and by its destination."""
    if as_json:
        for delivery in found:
            print_json(delivery)
        return
    accepted, times = moments("ACCEPTED", [delivery["accepted_at"] for delivery in found])
    if not is_wide:
        rows = [
            (
                *(time, short_id(delivery["event_id"], is_wide=False), delivery["destination"], _status(delivery)),
                _reason(delivery) or headline(delivery),
            )
            for time, delivery in zip(times, found, strict=True)
        ]
        names = (accepted, "EVENT", "DESTINATION", "STATUS", "REASON OR POST")
        print_table(names, rows, width=screen_width(), cut=("DESTINATION", "REASON OR POST"))
        return
    wide_rows = [
        (
            time,
            delivery["delivery_id"],
            delivery["destination"],
            _status(delivery),
            delivery["attempts_made"],
            delivery["http_status"],
            None if delivery["duration_ms"] is None else f"{delivery['duration_ms']:.1f}",
            delivery["author"] or None,
            said(delivery, limit=_SHORT),
            _reason(delivery),
        )
        for time, delivery in zip(times, found, strict=True)
    ]
    wide_names = (accepted, "DELIVERY", "DESTINATION", "STATUS", "ATTEMPTS", "HTTP", "MS", "AUTHOR", "TEXT", "REASON")
    print_table(wide_names, wide_rows)


def _status(delivery: Record) -> str:
    """Return the status of a delivery in a word: `waiting` for one that is not made yet, which the outbox has as one of two."""
    status: str = delivery["status"]
    return WAITING if status in WAITING_STATUSES else status


def _reason(delivery: Record) -> str | None:
    """Return the reason of a delivery, and what, how much longer or until when it waits, if it waits."""
    reason: str | None = delivery["reason"] or delivery.get("last_failure")
    waits_for: str | None = delivery.get("waits_for")
    if waits_for is not None and waits_for != reason:
        return waits_for if reason is None else f"{waits_for}; {reason}"
    if reason in {KEPT_BY_QUIET, KEPT_FOR_DIGEST}:
        return f"{reason}; due {local(delivery['due_at'])}"
    if reason != AWAITS_FULL:
        return reason
    left = datetime.fromisoformat(delivery["due_at"]) - datetime.now(UTC)
    return f"{reason}; due in {max(left.total_seconds(), 0):.1f} s"


@report_errors
def show_event(arguments: argparse.Namespace) -> int:
    """Print one event with its body and its deliveries."""
    where = places(arguments)
    with open_history(where.outbox) as history:
        meant = find(history, arguments.id)
        events = list(map(WaitingReasons(where, history).of_event, meant.events))
    if meant.uncertain:
        print_uncertain(arguments.id, meant.uncertain)
        return exit_codes.FAILURE
    if not meant.events:
        return _none("event", arguments.id)
    if not meant.is_post and is_ambiguous(events, arguments.id):
        return exit_codes.FAILURE
    for event in events:
        if arguments.json:
            print_json(event)
            continue
        print(f"event {event['event_id']}")
        print(f"  {shown(event['source'])}, mid {shown(event['mid'])}, sid {shown(event['sid'])}")
        print(f"  accepted {local_exact(event['accepted_at'])}, {counted(event['planned'], 'delivery', 'deliveries')}")
        if event["recovered"]:
            print(f"  recovered: no stream brought it; the repair of gap {event['gap_id']} fetched it (forwarder gaps)")
        for delivery in event["deliveries"]:
            print(f"  {delivery['destination']}: {end_of(delivery)} (routes: {shown(delivery['routes'])})")
        print(event["body"].encode("utf-8", "replace").decode())
    return exit_codes.OK


def is_ambiguous(found: list[Record], id_: str) -> bool:
    """Return whether the id is the beginning of several; if it is, they are printed on standard error."""
    ids = list(dict.fromkeys(record["event_id"] for record in found))
    if len(ids) == 1:
        return False
    more = f" and {len(ids) - _NAMED:,} more" if len(ids) > _NAMED else ""
    print(
        f"{id_!r} is the beginning of {len(ids):,} ids of events: {', '.join(ids[:_NAMED])}{more}. Write more of it",
        file=sys.stderr,
    )
    return True


@report_errors
def show_deliveries(arguments: argparse.Namespace) -> int:
    """Print deliveries with every attempt."""
    where = places(arguments)
    with open_history(where.outbox) as history:
        meant, found = _deliveries_of(history, arguments.id)
        found = list(map(WaitingReasons(where, history).of_delivery, found))
    if meant.uncertain:
        print_uncertain(arguments.id, meant.uncertain)
        return exit_codes.FAILURE
    if not found:
        return _none("delivery", arguments.id)
    code = _show(found, arguments, is_post=meant.is_post)
    if not arguments.json and code == exit_codes.OK:
        _print_why_kept(where, found)
    return code


def _deliveries_of(history: History, text: str) -> tuple[Found, list[Record]]:
    """Return the events that a text means, and their deliveries with every attempt: of a `webhook-id`, its own."""
    meant = find(history, text)
    named = text if event_of(text) is not None else None
    found = {
        (each["event_seq"], each["destination"]): each
        for event in meant.events
        for each in history.find_deliveries(named or event["event_id"])
        if each["event_seq"] == event["event_seq"]
    }
    return meant, list(found.values())


@report_errors
def show_dead(arguments: argparse.Namespace) -> int:
    """Print dead letters with every attempt."""
    with open_history(places(arguments).outbox) as history:
        meant, found = _deliveries_of(history, arguments.id)
    if meant.uncertain:
        print_uncertain(arguments.id, meant.uncertain)
        return exit_codes.FAILURE
    dead = [delivery for delivery in found if delivery["status"] in {"dead", "expired"}]
    if dead or not found:
        return _show(dead, arguments, is_post=meant.is_post) if dead else _none("dead letter", arguments.id)
    ends = ", ".join(f"{shown(delivery['destination'])}: {delivery['status']}" for delivery in found[:_NAMED])
    print(
        f"no dead letter {arguments.id!r} ({ends}). forwarder deliveries show shows deliveries that are not dead",
        file=sys.stderr,
    )
    return exit_codes.FAILURE


def _show(found: list[Record], arguments: argparse.Namespace, *, is_post: bool) -> int:
    if not is_post and is_ambiguous(found, arguments.id):
        return exit_codes.FAILURE
    for delivery in found:
        if arguments.json:
            print_json(delivery)
            continue
        print(f"delivery {delivery['delivery_id']}")
        print(f"  to {shown(delivery['destination'])}: {end_of(delivery)}")
        print(f"  event {delivery['event_id']}")
        print(
            f"  {shown(delivery['source'])}, mid {shown(delivery['mid'])}, accepted {local_exact(delivery['accepted_at'])}"
        )
        print(f"  {headline(delivery)}")
        print(f"  routes: {shown(delivery['routes'])}")
        if delivery["recovered"]:
            print("  recovered by the repair of a gap")
        for attempt in delivery["attempts"]:
            print(
                f"  attempt {attempt['number']}  {local_exact(attempt['started_at'])}  {attempt['duration_ms']:.1f} ms  "
                f"{shown(attempt_result(attempt))}"
            )
            if attempt["excerpt"]:
                print(f"    answer: {shown(attempt['excerpt'])}")
    return exit_codes.OK


def attempt_result(attempt: Record) -> str:
    """Return what an attempt came to: the status of the answer, and why it failed where that says more."""
    result = "no answer" if attempt["http_status"] is None else f"HTTP {attempt['http_status']}"
    why = (attempt["reason"] or "").removeprefix(result).removeprefix(": ")
    return f"{result}: {why}" if why else result


def end_of(delivery: Record) -> str:
    """Return the state of a delivery in words."""
    waits_for = delivery.get("waits_for")
    match delivery["status"]:
        case "pending" | "in_flight" if waits_for is not None and waits_for not in WAITS.values():
            # The time of the next attempt means something only where nothing else holds it up.
            due = f", due {local(delivery['due_at'])}" if waits_for == NEXT_ATTEMPT else ""
            return f"waiting{due}, {counted(delivery['attempts_made'], 'attempt')} so far: {shown(waits_for)}"
        case "pending" if delivery["reason"] in WAITS.values():
            return f"{delivery['reason']}, due {local(delivery['due_at'])}"
        case "pending" if delivery["due_at"] and datetime.fromisoformat(delivery["due_at"]) < datetime.now(UTC):
            return (
                f"waiting since {local(delivery['due_at'])}, {counted(delivery['attempts_made'], 'attempt')} so far "
                "(forwarder status shows what it waits for)"
            )
        case "pending":
            return f"waiting, due {local(delivery['due_at'])}, {counted(delivery['attempts_made'], 'attempt')} so far"
        case "in_flight":
            return "waiting: being sent, or next in line (forwarder status shows the state of the destination)"
        case "delivered":
            return f"delivered {local(delivery['closed_at'])} (HTTP {delivery['http_status']})"
        case status:
            return f"{status} {local(delivery['closed_at'])}: {shown(delivery['reason'])}"


def _none(what: str, id_: str) -> int:
    print(
        f"no {what} {id_!r} in the outbox: it may be older than outbox.keep_delivered, or the id is not complete",
        file=sys.stderr,
    )
    return exit_codes.FAILURE
