"""`forwarder explain`: shows which routes match an event and why, for an event of a file or of the history."""

import argparse
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from forwarder.cli import exit_codes
from forwarder.cli.event_file import NoEventError, read_event
from forwarder.cli.history import end_of, is_ambiguous
from forwarder.cli.listing import local, local_exact, print_json, shown
from forwarder.cli.locations import UsageError, config_path, places, report_errors
from forwarder.cli.lookup import MOST_EVENTS, Found, find, link_of, print_uncertain
from forwarder.cli.names import require_names, require_source
from forwarder.cli.terminal import with_colours
from forwarder.cli.traces import Line, Mark, lines_of, of_route
from forwarder.configfile.locations import read_text
from forwarder.configfile.read import read_routing
from forwarder.core.config.model.routing import RoutingConfig
from forwarder.core.config.partial import load_outline
from forwarder.core.config.revision import NotARevisionError
from forwarder.core.config.routing_only import load_revision
from forwarder.core.config.runtime import disabled_in, quiet_of, router_of
from forwarder.core.durations import write_duration
from forwarder.core.event import Event, NotAnEventError, decode_event
from forwarder.core.history import History, Record, StoredRevision
from forwarder.core.posts.pieces import event_of_pieces
from forwarder.core.routing.explain import AtRoute, Explanation, difference, explain_walk
from forwarder.core.routing.quiet import Kept, Then
from forwarder.core.visible import escaped
from forwarder.core.yaml.problems import no_such
from forwarder.logs.colour import takes_colour
from forwarder.outbox.open import open_history

_OWN = "forwarder"
"""The source of forwarder's own events, which no route sees."""


@report_errors
def run(arguments: argparse.Namespace) -> int:
    """Explain and return the exit code."""
    if arguments.source is not None and arguments.mid is None and arguments.text is None:
        raise UsageError("--source goes with --mid and --text")
    if arguments.text is None and (arguments.author or arguments.at is not None):
        raise UsageError("--author and --at go with --text")
    config = read_routing(config_path(arguments))
    names = [route.name for route in config.routes]
    if arguments.event is None and arguments.text is None:
        return _explain_history(arguments, config)
    if arguments.route is not None and arguments.route not in names:
        raise UsageError(f"{config_path(arguments)} has no route {arguments.route!r}; it has {', '.join(names[:20])}")
    now = datetime.now(UTC)
    if arguments.text is not None:
        require_source(config_path(arguments), arguments.source)
        now = now if arguments.at is None else datetime.fromtimestamp(arguments.at / 1000, UTC)
        event = _of_pieces(arguments, now)
    else:
        try:
            event = read_event(arguments.event)
        except NoEventError as error:
            print(error, file=sys.stderr)
            return exit_codes.FAILURE
    walk = _walk(config, event, now)
    if arguments.json:
        print_json({"event_id": event.id, "today": _as_json(walk, config, arguments.route)})
        return exit_codes.OK
    _print_lines(lines_of(walk, route=arguments.route, is_all=arguments.all))
    _print_ways(walk, config, now)
    return exit_codes.OK


def _of_pieces(arguments: argparse.Namespace, now: datetime) -> Event:
    """Return the event that `--text`, `--author`, `--source` and `--at` describe."""
    body = event_of_pieces(
        source=arguments.source or "x",
        text=arguments.text,
        author=arguments.author,
        timestamp_ms=round(now.timestamp() * 1000),
    )
    return decode_event(body)


def _walk(config: RoutingConfig, event: Event, now: datetime) -> Explanation:
    return explain_walk(router_of(config), event, now, names=[route.name for route in config.routes])


def _explain_history(arguments: argparse.Namespace, today: RoutingConfig) -> int:
    with open_history(places(arguments).outbox) as history:
        meant = _meant(history, arguments)
        found = meant.events
        if meant.uncertain:
            print_uncertain(arguments.mid or arguments.id, meant.uncertain)
            return exit_codes.FAILURE
        if not found and arguments.mid is not None:
            require_names(places(arguments), history, source=arguments.source)
        past = [_Past(event, *_then(history, event["event_seq"])) for event in found]
    if not past:
        _print_none(arguments)
        return exit_codes.FAILURE
    if arguments.mid is None and not meant.is_post and is_ambiguous(found, arguments.id):
        return exit_codes.FAILURE
    names = dict.fromkeys(
        route.name for config in (today, *(each.config for each in past)) if config for route in config.routes
    )
    if arguments.route is not None and arguments.route not in names:
        raise UsageError(no_such("route", arguments.route, tuple(names)))
    for number, each in enumerate(past):
        if not arguments.json:
            print("" if number == 0 else "\n", end="")
        _explain_one(each, today, arguments)
    return exit_codes.OK


def _meant(history: History, arguments: argparse.Namespace) -> Found:
    """Return the events that `--mid` or `--id` means. A link means a post with either."""
    if arguments.mid is None:
        return find(history, arguments.id)
    posts = history.find_posts(arguments.mid, source=arguments.source, limit=MOST_EVENTS)
    if posts or link_of(arguments.mid) is None:
        return Found(events=posts, is_post=True, uncertain=[])
    return find(history, arguments.mid, source=arguments.source)


@dataclass(frozen=True, slots=True)
class _Past:
    """An event of the history with the config of its time, or the reason why that config is not known."""

    record: Record
    kept: StoredRevision | None
    config: RoutingConfig | None
    why_not: str


def _then(history: History, event_seq: int) -> tuple[StoredRevision | None, RoutingConfig | None, str]:
    kept = history.revision_at(event_seq)
    if kept is None:
        return None, None, "the config of that time was not kept"
    try:
        return kept, load_revision(kept.data), ""
    except NotARevisionError as error:
        return kept, None, f"this version cannot read the config of that time: {error}"


def _print_none(arguments: argparse.Namespace) -> None:
    config = config_path(arguments)
    outbox = load_outline(read_text(config), name=str(config), env=os.environ).outbox
    what = f"with the mid {arguments.mid!r}" if arguments.mid is not None else f"{arguments.id!r}"
    of_source = f" of {arguments.source}" if arguments.source is not None else ""
    print(
        f"no event {what}{of_source} in the outbox: it did not come, or it is no longer kept. Delivered and unmatched events are kept "
        f"for {write_duration(outbox.keep_delivered)} (outbox.keep_delivered), dead letters for {write_duration(outbox.keep_dead)} "
        "(outbox.keep_dead), or less if the file is full",
        file=sys.stderr,
    )


def _explain_one(past: _Past, today: RoutingConfig, arguments: argparse.Namespace) -> None:
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
                else {"digest": past.kept.digest, "loaded_at": past.kept.loaded_at.isoformat()},
                "then": None if before is None else _as_json(before, past.config, arguments.route),
                "today": None if after is None else _as_json(after, today, arguments.route),
                "is_same_config": is_same,
                "differences": changes,
            }
        )
        return
    print(f"event {record['event_id']}")
    print(f"  {shown(record['source'])}, mid {shown(record['mid'])}, sid {shown(record['sid'])}")
    print(f"  accepted {local_exact(record['accepted_at'])}")
    if after is None:
        print(why_none)
    elif before is None or past.config is None or past.kept is None:
        print(f"\n{past.why_not[0].upper()}{past.why_not[1:]}. With today's {config_path(arguments)}:")
        _print_lines(lines_of(after, route=arguments.route, is_all=arguments.all))
        _print_ways(after, today, now)
    else:
        loaded = local(past.kept.loaded_at.isoformat())
        print(f"\nWith the config that was active then (loaded {loaded}, {past.kept.digest}):")
        _print_lines(lines_of(before, route=arguments.route, is_all=arguments.all))
        _print_ways(before, past.config, now)
    _print_ends(record)
    if before is not None and after is not None:
        _print_difference(before, after, today, now, is_same=is_same, arguments=arguments)


def _event_of(record: Record) -> tuple[Event | None, str]:
    """Return the event for the routes, or why they do not apply."""
    if record["source"] == _OWN:
        return None, "This is an event of forwarder itself; routes do not apply to it."
    try:
        return decode_event(record["body"].encode("utf-8", "surrogateescape")), ""
    except NotAnEventError as error:
        return None, f"This version cannot read it as an event: {error.detail}"


def _print_difference(
    before: Explanation,
    after: Explanation,
    today: RoutingConfig,
    now: datetime,
    *,
    is_same: bool,
    arguments: argparse.Namespace,
) -> None:
    file = config_path(arguments)
    if is_same:
        print(f"\nToday's {file} routes it the same way.")
        return
    found = difference(before, after)
    if not found.sentences:
        print(f"\nToday's {file} has other routes, but routes this event the same way.")
        return
    print(f"\nToday's {file} routes it differently:")
    for sentence in found.sentences:
        print(f"  {shown(sentence)}")
    differing = [route for route in after.routes if route.name in found.routes]
    _print_lines(line for route in differing for line in of_route(route, is_all=arguments.all))
    _print_ways(after, today, now)


def _print_ways(walk: Explanation, config: RoutingConfig, at: datetime) -> None:
    """Print the destinations of an event that came at this time."""
    for destination, routes in walk.sampled.items():
        print(f"{shown(destination)} does not get it: it is not in the sample of {shown(list(routes))}.")
    if not walk.chosen:
        print(
            "It goes nowhere: no route matches, and unmatched is drop." if not walk.is_matched else "It goes nowhere."
        )
        return
    disabled, quiet = disabled_in(config), quiet_of(config)
    print("It goes to:")
    for destination, routes in walk.chosen.items():
        note = " — disabled, so it is skipped"
        if destination not in disabled:
            kept = None if quiet is None else quiet.keep(destination, routes, at)
            note = _limit_note(config, destination) + ("" if kept is None else _quiet_note(kept))
        print(f"  {shown(destination)}, by {shown(list(routes))}{note}")


def _quiet_note(kept: Kept) -> str:
    what = "listed in a digest" if kept.then is Then.DIGEST else "sent"
    return f" — in quiet hours: kept until {local(kept.until.isoformat())}, then {what}"


def _limit_note(config: RoutingConfig, destination: str) -> str:
    settings = config.destinations.get(destination)
    if settings is None or settings.limit is None:
        return ""
    return f" — unless its limit is reached ({settings.limit.value([destination])})"


def _print_ends(record: Record) -> None:
    """Print the deliveries that were really made."""
    print("\nDeliveries:" if record["deliveries"] else "\nDeliveries: none")
    for delivery in record["deliveries"]:
        print(f"  {shown(delivery['destination'])}: {end_of(delivery)} (routes: {shown(delivery['routes'])})")


_COLOURS = {Mark.YES: "\x1b[32m", Mark.NO: "\x1b[31m", Mark.NEITHER: "\x1b[2m"}
_PLAIN = "\x1b[0m"


def _print_lines(lines: Iterable[Line]) -> None:
    is_coloured = sys.stdout.isatty() and takes_colour(sys.stdout.fileno())
    for line in lines:
        text = escaped(str(line))
        coloured = text.replace(line.mark, f"{_COLOURS[line.mark]}{line.mark}{_PLAIN}", 1) if is_coloured else text
        print(coloured, file=with_colours(sys.stdout))


def _as_json(walk: Explanation, config: RoutingConfig | None, route: str | None) -> Record:
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
