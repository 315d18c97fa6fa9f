"""`forwarder events` and `forwarder deliveries`: what came in, and what became of it."""

import argparse
import sys
from collections import Counter
from datetime import UTC, datetime

from forwarder.cli import exit_codes
from forwarder.cli.places import Handler, add_config, places, told
from forwarder.cli.records import add_filters, add_json, add_list, local, print_json, print_table, query, shown
from forwarder.core.preference import AWAITS_FULL
from forwarder.outbox.access import reading
from forwarder.outbox.history import Record, deliveries, events, find_deliveries, find_events


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add both commands to the parser."""
    parser = commands.add_parser("events", help="the events in the outbox; `events show ID`: one, with its body")
    add_filters(parser)
    add_list(parser)
    add_config(parser)
    parser.set_defaults(handler=told(list_events))
    _add_show(parser, "an event's id, or the beginning of one", show_event)

    parser = commands.add_parser("deliveries", help="the deliveries; `deliveries show ID`: one, with every attempt")
    add_filters(parser, with_status=True)
    add_list(parser)
    add_config(parser)
    parser.set_defaults(handler=told(list_deliveries))
    _add_show(parser, "a webhook-id, or an event's id for all of its deliveries", show_deliveries)


def _add_show(parser: argparse.ArgumentParser, what: str, handler: Handler) -> None:
    show = parser.add_subparsers(metavar="show").add_parser("show", help=what)
    show.add_argument("id", help=what)
    add_json(show, default=argparse.SUPPRESS)
    add_config(show, default=argparse.SUPPRESS)
    show.set_defaults(handler=told(handler))


def list_events(arguments: argparse.Namespace) -> int:
    """Print events, newest first."""
    with reading(places(arguments).outbox) as connection:
        found = events(connection, query(arguments))
        if arguments.json:
            for event in found:
                print_json(event)
            return exit_codes.OK
        rows = [
            (local(event["accepted_at"]), event["event_id"], event["source"], event["mid"], event["sid"], _ends(event))
            for event in found
        ]
    print_table(("ACCEPTED", "EVENT", "SOURCE", "MID", "SID", "DELIVERIES"), rows)
    return exit_codes.OK


def _ends(event: Record) -> str:
    ends = Counter(delivery["status"] for delivery in event["deliveries"])
    told = ", ".join(f"{number} {status}" for status, number in ends.items()) or "unmatched"
    return f"{told} (recovered)" if event["recovered"] else told


def list_deliveries(arguments: argparse.Namespace) -> int:
    """Print deliveries, newest event first."""
    with reading(places(arguments).outbox) as connection:
        print_deliveries(list(deliveries(connection, query(arguments))), as_json=arguments.json)
    return exit_codes.OK


def print_deliveries(found: list[Record], *, as_json: bool) -> None:
    """Print a list of deliveries."""
    if as_json:
        for delivery in found:
            print_json(delivery)
        return
    rows = [
        (
            local(delivery["accepted_at"]),
            delivery["delivery_id"],
            delivery["destination"],
            delivery["status"],
            delivery["attempts_made"],
            delivery["http_status"],
            None if delivery["duration_ms"] is None else f"{delivery['duration_ms']:.1f}",
            _reason(delivery),
        )
        for delivery in found
    ]
    print_table(("ACCEPTED", "DELIVERY", "DESTINATION", "STATUS", "ATTEMPTS", "HTTP", "MS", "REASON"), rows)


def _reason(delivery: Record) -> str | None:
    """Return its reason; of what waits for its full text also for how long it still does."""
    reason: str | None = delivery["reason"]
    if reason != AWAITS_FULL:
        return reason
    left = datetime.fromisoformat(delivery["due_at"]) - datetime.now(UTC)
    return f"{reason}; due in {max(left.total_seconds(), 0):.1f} s"


def show_event(arguments: argparse.Namespace) -> int:
    """Print one event with its body and its deliveries."""
    with reading(places(arguments).outbox) as connection:
        found = find_events(connection, arguments.id.removeprefix("msg_")[:32])
    if not found:
        return _none("event", arguments.id)
    for event in found:
        if arguments.json:
            print_json(event)
            continue
        print(
            f"event {event['event_id']}: {shown(event['source'])}, mid {shown(event['mid'])}, sid {shown(event['sid'])}"
        )
        print(f"accepted {local(event['accepted_at'])}, {event['planned']} deliveries")
        if event["recovered"]:
            print(f"recovered: no stream brought it, the repair of gap {event['gap_id']} did (forwarder gaps)")
        for delivery in event["deliveries"]:
            print(f"  {delivery['destination']}: {end_of(delivery)} (routes: {shown(delivery['routes'])})")
        print(shown(event["body"]) if sys.stdout.isatty() else event["body"].encode("utf-8", "replace").decode())
    return exit_codes.OK


def show_deliveries(arguments: argparse.Namespace) -> int:
    """Print deliveries with every attempt."""
    with reading(places(arguments).outbox) as connection:
        found = find_deliveries(connection, arguments.id)
    if not found:
        return _none("delivery", arguments.id)
    for delivery in found:
        if arguments.json:
            print_json(delivery)
            continue
        print(f"delivery {delivery['delivery_id']} to {delivery['destination']}: {end_of(delivery)}")
        print(
            f"  event {delivery['event_id']}: {shown(delivery['source'])}, mid {shown(delivery['mid'])}, "
            f"accepted {local(delivery['accepted_at'])}"
        )
        print(f"  routes: {shown(delivery['routes'])}")
        if delivery["recovered"]:
            print("  recovered by the repair of a gap")
        for attempt in delivery["attempts"]:
            said = "no answer" if attempt["http_status"] is None else f"HTTP {attempt['http_status']}"
            why = "" if attempt["reason"] is None else f": {shown(attempt['reason']).removeprefix(f'{said}: ')}"
            print(
                f"  attempt {attempt['number']}  {local(attempt['started_at'])}  {attempt['duration_ms']:.1f} ms  {said}{why}"
            )
            if attempt["excerpt"]:
                print(f"    answer: {shown(attempt['excerpt'])}")
    return exit_codes.OK


def end_of(delivery: Record) -> str:
    """Return how a delivery stands, in words."""
    match delivery["status"]:
        case "pending" if delivery["reason"] == AWAITS_FULL:
            return f"{AWAITS_FULL}, due {local(delivery['due_at'])}"
        case "pending":
            return f"waiting, due {local(delivery['due_at'])}, {delivery['attempts_made']} attempts so far"
        case "in_flight":
            return "in flight: being sent, or next in line (forwarder status tells how the destination is)"
        case "delivered":
            return f"delivered {local(delivery['closed_at'])} (HTTP {delivery['http_status']})"
        case status:
            return f"{status} {local(delivery['closed_at'])}: {shown(delivery['reason'])}"


def _none(what: str, id_: str) -> int:
    print(
        f"no {what} {id_!r} in the outbox: it may be older than outbox.keep_delivered, or not in an id's form",
        file=sys.stderr,
    )
    return exit_codes.FAILURE
