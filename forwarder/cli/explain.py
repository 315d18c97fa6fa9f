"""`forwarder explain`: which routes an event meets and why, for an event of a file or of the history."""

import argparse
import os
import sqlite3
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from forwarder.cli import exit_codes
from forwarder.cli.config_file import read_routing, read_text
from forwarder.cli.event_file import NoEventError, read_event
from forwarder.cli.history import end_of
from forwarder.cli.places import UsageError, add_config, config_path, places, told
from forwarder.cli.records import add_json, local, print_json, shown
from forwarder.cli.traces import Line, Mark, lines_of, of_route
from forwarder.core.config import Config
from forwarder.core.config.outline import load_outline
from forwarder.core.config.routing import load_revision
from forwarder.core.durations import write_duration
from forwarder.core.event import Event, NotAnEventError, decode_event
from forwarder.core.explaining import AtRoute, Explanation, difference, explain_walk
from forwarder.core.revision import NotARevisionError
from forwarder.outbox.access import reading
from forwarder.outbox.history import Record, find_events, find_posts
from forwarder.outbox.revisions import Kept, revision_at
from forwarder.parts import disabled_in, router_of

_MOST_EVENTS = 20
_OWN = "forwarder"
"""The source of our own events, which no route sees."""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "explain",
        help="show which routes an event meets, and why the others not",
        description="Show which routes an event meets, with every condition that decided and the value it saw. For an event of the "
        "history also what became of it, and whether the config of its time and that of today differ.",
    )
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--event", metavar="FILE", help="an event as JSON; - reads standard input")
    which.add_argument("--mid", help="of the history: the events of this post")
    which.add_argument(
        "--id", metavar="EVENT", help="of the history: an event's id, the beginning of one, or a webhook-id"
    )
    parser.add_argument("--source", metavar="NAME", help="with --mid: x, fast-x, telegram, discord")
    parser.add_argument("--route", metavar="NAME", help="this route alone")
    parser.add_argument("--all", action="store_true", help="also the conditions that did not decide")
    add_json(parser)
    add_config(parser)
    parser.set_defaults(handler=told(run))


def run(arguments: argparse.Namespace) -> int:
    """Explain and return the exit code."""
    if arguments.source is not None and arguments.mid is None:
        raise UsageError("--source goes with --mid")
    config = read_routing(config_path(arguments))
    names = [route.name for route in config.routes]
    if arguments.event is None:
        return _explain_history(arguments, config)
    if arguments.route is not None and arguments.route not in names:
        raise UsageError(f"{config_path(arguments)} has no route {arguments.route!r}; it has {', '.join(names[:20])}")
    try:
        event = read_event(arguments.event)
    except NoEventError as error:
        print(error, file=sys.stderr)
        return exit_codes.FAILURE
    walk = _walk(config, event, datetime.now(UTC))
    if arguments.json:
        print_json({"event_id": event.id, "today": _as_json(walk, config, arguments.route)})
        return exit_codes.OK
    _print_lines(lines_of(walk, route=arguments.route, is_all=arguments.all))
    _print_ways(walk, config)
    return exit_codes.OK


def _walk(config: Config, event: Event, now: datetime) -> Explanation:
    return explain_walk(router_of(config), event, now, names=[route.name for route in config.routes])


def _explain_history(arguments: argparse.Namespace, today: Config) -> int:
    with reading(places(arguments).outbox) as connection:
        if arguments.mid is not None:
            found = find_posts(connection, arguments.mid, source=arguments.source, limit=_MOST_EVENTS)
        else:
            found = find_events(connection, arguments.id.removeprefix("msg_")[:32])
        past = [_Past(event, *_then(connection, event["event_seq"])) for event in found]
    if not past:
        _print_none(arguments)
        return exit_codes.FAILURE
    for number, each in enumerate(past):
        if not arguments.json:
            print("" if number == 0 else "\n", end="")
        _explain_one(each, today, arguments)
    return exit_codes.OK


@dataclass(frozen=True, slots=True)
class _Past:
    """An event of the history, the config of its time, or why that is not known."""

    record: Record
    kept: Kept | None
    config: Config | None
    why_not: str


def _then(connection: sqlite3.Connection, event_seq: int) -> tuple[Kept | None, Config | None, str]:
    kept = revision_at(connection, event_seq)
    if kept is None:
        return None, None, "the config of its time was not kept"
    try:
        return kept, load_revision(kept.revision.data), ""
    except NotARevisionError as error:
        return kept, None, f"the config of its time is not understood by this version: {error}"


def _print_none(arguments: argparse.Namespace) -> None:
    config = config_path(arguments)
    outbox = load_outline(read_text(config), name=str(config), env=os.environ).outbox
    what = f"with the mid {arguments.mid!r}" if arguments.mid is not None else f"{arguments.id!r}"
    of_source = f" of {arguments.source}" if arguments.source is not None else ""
    print(
        f"no event {what}{of_source} in the outbox: it did not come, or it is not kept any more. What is delivered or unmatched is kept "
        f"for {write_duration(outbox.keep_delivered)} (outbox.keep_delivered), what died for {write_duration(outbox.keep_dead)} "
        "(outbox.keep_dead); less where the file is full",
        file=sys.stderr,
    )


def _explain_one(past: _Past, today: Config, arguments: argparse.Namespace) -> None:
    record = past.record
    event, why_none = _event_of(record)
    now = datetime.fromisoformat(record["accepted_at"])
    after = None if event is None else _walk(today, event, now)
    before = None if event is None or past.config is None else _walk(past.config, event, now)
    is_same = past.config is not None and past.config.revision == today.revision
    if arguments.json:
        changes = None if before is None or after is None else list(difference(before, after).sentences)
        print_json(
            {
                **{name: record[name] for name in ("event_id", "source", "mid", "sid", "accepted_at", "deliveries")},
                "config_then": None
                if past.kept is None
                else {"digest": past.kept.revision.digest, "loaded_at": past.kept.loaded_at.isoformat()},
                "then": None if before is None else _as_json(before, past.config, arguments.route),
                "today": None if after is None else _as_json(after, today, arguments.route),
                "is_same_config": is_same,
                "differences": changes,
            }
        )
        return
    print(
        f"event {record['event_id']}: {shown(record['source'])}, mid {shown(record['mid'])}, sid {shown(record['sid'])}"
    )
    print(f"accepted {local(record['accepted_at'])}")
    if after is None:
        print(why_none)
    elif before is None or past.config is None or past.kept is None:
        print(f"\n{past.why_not[0].upper()}{past.why_not[1:]}; with {config_path(arguments)} as it is now:")
        _print_lines(lines_of(after, route=arguments.route, is_all=arguments.all))
        _print_ways(after, today)
    else:
        loaded = local(past.kept.loaded_at.isoformat())
        print(f"\nWith the config that was in force then (loaded {loaded}, {past.kept.revision.digest}):")
        _print_lines(lines_of(before, route=arguments.route, is_all=arguments.all))
        _print_ways(before, past.config)
    _print_ends(record)
    if before is not None and after is not None:
        _print_difference(before, after, today, is_same=is_same, arguments=arguments)


def _event_of(record: Record) -> tuple[Event | None, str]:
    """Return the event for the routes, or why they are not asked."""
    if record["source"] == _OWN:
        return None, "An event of forwarder's own: no route is asked."
    try:
        return decode_event(record["body"].encode("utf-8", "surrogateescape")), ""
    except NotAnEventError as error:
        return None, f"No event by what this version reads: {error.detail}"


def _print_difference(
    before: Explanation, after: Explanation, today: Config, *, is_same: bool, arguments: argparse.Namespace
) -> None:
    file = config_path(arguments)
    if is_same:
        print(f"\n{file} routes as it did then.")
        return
    found = difference(before, after)
    if not found.sentences:
        print(f"\n{file} has other routes now, and this event would go the same way.")
        return
    print(f"\nWith {file} as it is now it would go another way:")
    for sentence in found.sentences:
        print(f"  {shown(sentence)}")
    differing = [route for route in after.routes if route.name in found.routes]
    _print_lines(line for route in differing for line in of_route(route, is_all=arguments.all))
    _print_ways(after, today)


def _print_ways(walk: Explanation, config: Config) -> None:
    """Print where the event goes in the end."""
    for destination, routes in walk.sampled.items():
        print(f"It is not in the sample of {shown(list(routes))}, so {shown(destination)} does not get it.")
    if not walk.chosen:
        print(
            "It goes nowhere: no route matches, and unmatched is drop." if not walk.is_matched else "It goes nowhere."
        )
        return
    disabled = disabled_in(config)
    print("It goes to:")
    for destination, routes in walk.chosen.items():
        note = " — disabled, so it is skipped" if destination in disabled else ""
        print(f"  {shown(destination)}, by {shown(list(routes))}{note}")


def _print_ends(record: Record) -> None:
    """Print what really became of it."""
    print("\nWhat became of it:" if record["deliveries"] else "\nWhat became of it: no delivery was made.")
    for delivery in record["deliveries"]:
        print(f"  {shown(delivery['destination'])}: {end_of(delivery)} (routes: {shown(delivery['routes'])})")


_COLOURS = {Mark.YES: "\x1b[32m", Mark.NO: "\x1b[31m", Mark.NEITHER: "\x1b[2m"}
_PLAIN = "\x1b[0m"


def _print_lines(lines: Iterable[Line]) -> None:
    is_coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    for line in lines:
        text = str(line)
        print(text.replace(line.mark, f"{_COLOURS[line.mark]}{line.mark}{_PLAIN}", 1) if is_coloured else text)


def _as_json(walk: Explanation, config: Config | None, route: str | None) -> Record:
    disabled = frozenset() if config is None else disabled_in(config)
    return {
        "routes": [_route_as_json(each) for each in walk.routes if route in {None, each.name}],
        "destinations": {name: list(routes) for name, routes in walk.chosen.items()},
        "sampled": {name: list(routes) for name, routes in walk.sampled.items()},
        "disabled": [name for name in walk.chosen if name in disabled],
        "is_matched": walk.is_matched,
    }


def _route_as_json(route: AtRoute) -> Record:
    return {
        "name": route.name,
        "outcome": str(route.outcome),
        "to": list(route.to),
        "notes": list(route.notes),
        "stopped_by": route.stopped_by or None,
        "condition": None if route.trace is None else route.trace.as_json(),
    }
