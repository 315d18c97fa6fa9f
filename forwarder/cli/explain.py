"""`forwarder explain`: shows which routes match an event and why, for an event of a file or of the history."""

import argparse
import os
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple

from forwarder.cli import exit_codes
from forwarder.cli.event_file import NoEventError, read_event
from forwarder.cli.history import end_of, is_ambiguous
from forwarder.cli.listing import local, local_exact, print_json, print_prose, screen_width, shown, wrapped
from forwarder.cli.locations import UsageError, config_path, places, report_errors
from forwarder.cli.lookup import MOST_EVENTS, Found, find, link_of, print_uncertain
from forwarder.cli.names import require_names, require_source
from forwarder.cli.terminal import with_colours
from forwarder.cli.traces import Line, Mark, lines_of, of_route
from forwarder.configfile.locations import read_text
from forwarder.configfile.read import read_routing
from forwarder.core.config.model.routing import RoutingConfig
from forwarder.core.config.partial import load_outline
from forwarder.core.config.runtime import disabled_in, quiet_of
from forwarder.core.durations import write_duration
from forwarder.core.event import Event, decode_event
from forwarder.core.history import History, Record
from forwarder.core.past_routing import AnyConfig, ConfigThen, PastRouting, config_then, explain_past, walk
from forwarder.core.posts.pieces import event_of_pieces
from forwarder.core.routing.explain import AtRoute, Explanation, difference
from forwarder.core.routing.quiet import Kept, Then
from forwarder.core.visible import escaped
from forwarder.core.yaml.problems import no_such
from forwarder.logs.colour import takes_colour
from forwarder.outbox.open import open_history


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
    found = walk(config, event, now)
    if arguments.json:
        print_json({"event_id": event.id, "today": _as_json(found, config, arguments.route)})
        return exit_codes.OK
    _print_lines(lines_of(found, route=arguments.route, is_all=arguments.all))
    _print_ways(found, config, now)
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


def _explain_history(arguments: argparse.Namespace, today: RoutingConfig) -> int:
    with open_history(places(arguments).outbox) as history:
        meant = _meant(history, arguments)
        found = meant.events
        if meant.uncertain:
            print_uncertain(arguments.mid or arguments.id, meant.uncertain)
            return exit_codes.FAILURE
        if not found and arguments.mid is not None:
            require_names(places(arguments), history, source=arguments.source)
        past = [_Past(event, config_then(history.revision_at(event["event_seq"]), today)) for event in found]
    if not past:
        _print_none(arguments)
        return exit_codes.FAILURE
    if arguments.mid is None and not meant.is_post and is_ambiguous(found, arguments.id):
        return exit_codes.FAILURE
    names = dict.fromkeys(
        route.name for config in (today, *(each.then.config for each in past)) if config for route in config.routes
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


class _Past(NamedTuple):
    """An event of the history with the config of its time."""

    record: Record
    then: ConfigThen


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
    record, kept, config_of_then = past.record, past.then.kept, past.then.config
    now = datetime.fromisoformat(record["accepted_at"])
    found = explain_past(record, past.then, today)
    before, after = found.then, found.today
    if arguments.json:
        print_json(
            {
                **{name: record[name] for name in ("event_id", "source", "mid", "sid", "accepted_at", "deliveries")},
                "config_then": None
                if kept is None
                else {"digest": kept.digest, "loaded_at": kept.loaded_at.isoformat()},
                "then": None if before is None else _as_json(before, config_of_then, arguments.route),
                "today": None if after is None else _as_json(after, today, arguments.route),
                "is_same_config": found.is_same_config,
                "differences": None if found.differences is None else list(found.differences),
            }
        )
        return
    print(f"event {record['event_id']}")
    print_prose(f"  {shown(record['source'])}, mid {shown(record['mid'])}, sid {shown(record['sid'])}")
    print(f"  accepted {local_exact(record['accepted_at'])}")
    if after is None:
        print_prose(found.why_not)
    elif before is None or config_of_then is None or kept is None:
        print()
        print_prose(f"{found.why_not_then[0].upper()}{found.why_not_then[1:]}. With today's {config_path(arguments)}:")
        _print_lines(lines_of(after, route=arguments.route, is_all=arguments.all))
        _print_ways(after, today, now)
    else:
        loaded = local(kept.loaded_at.isoformat())
        print()
        print_prose(
            f"With the config that was active then (loaded {loaded}, digest of its routing part {kept.digest}):"
        )
        _print_lines(lines_of(before, route=arguments.route, is_all=arguments.all))
        _print_ways(before, config_of_then, now)
    _print_ends(record)
    if before is not None and after is not None:
        _print_difference(found, before, after, today, now, arguments=arguments)


def _print_difference(
    past: PastRouting,
    before: Explanation,
    after: Explanation,
    today: RoutingConfig,
    now: datetime,
    *,
    arguments: argparse.Namespace,
) -> None:
    file = config_path(arguments)
    if past.is_same_config:
        print()
        print_prose(f"Today's {file} routes it the same way.")
        return
    found = difference(before, after)
    if not found.sentences:
        print()
        print_prose(f"Today's {file} {_what_changed(past)}, but routes this event the same way.")
        return
    print()
    print_prose(f"Today's {file} routes it differently:")
    for sentence in found.sentences:
        print_prose(f"  {shown(sentence)}", hanging=2)
    differing = [route for route in after.routes if route.name in found.routes]
    _print_lines(line for route in differing for line in of_route(route, is_all=arguments.all))
    _print_ways(after, today, now)


def _what_changed(past: PastRouting) -> str:
    settings = f"other settings of {', '.join(map(shown, past.changed_destinations))}"
    if past.is_same_routes and past.changed_destinations:
        return f"has the same routes and {settings}"
    if past.is_same_routes is None and past.changed_destinations:
        return f"has other routes, or only {settings}"
    return "has other routes"


def _print_ways(found: Explanation, config: AnyConfig, at: datetime) -> None:
    """Print the destinations of an event that came at this time."""
    for destination, routes in found.sampled.items():
        print_prose(f"{shown(destination)} does not get it: it is not in the sample of {shown(list(routes))}.")
    if not found.chosen:
        print(
            "It goes nowhere: no route matches, and unmatched is drop." if not found.is_matched else "It goes nowhere."
        )
        return
    disabled, quiet = disabled_in(config), quiet_of(config)
    print("It goes to:")
    for destination, routes in found.chosen.items():
        note = " — disabled, so it is skipped"
        if destination not in disabled:
            kept = None if quiet is None else quiet.keep(destination, routes, at)
            note = _limit_note(config, destination) + ("" if kept is None else _quiet_note(kept))
        print_prose(f"  {shown(destination)}, by {shown(list(routes))}{note}", hanging=2)


def _quiet_note(kept: Kept) -> str:
    what = "listed in a digest" if kept.then is Then.DIGEST else "sent"
    return f" — in quiet hours: kept until {local(kept.until.isoformat())}, then {what}"


def _limit_note(config: AnyConfig, destination: str) -> str:
    settings = config.destinations.get(destination)
    if settings is None or settings.limit is None:
        return ""
    return f" — unless its limit is reached ({settings.limit.value([destination])})"


def _print_ends(record: Record) -> None:
    """Print the deliveries that were really made."""
    print()
    print("Deliveries:" if record["deliveries"] else "Deliveries: none")
    for delivery in record["deliveries"]:
        print_prose(
            f"  {shown(delivery['destination'])}: {end_of(delivery)} (routes: {shown(delivery['routes'])})", hanging=2
        )


_COLOURS = {Mark.YES: "\x1b[32m", Mark.NO: "\x1b[31m", Mark.NEITHER: "\x1b[2m"}
_PLAIN = "\x1b[0m"


def _print_lines(lines: Iterable[Line]) -> None:
    is_coloured = sys.stdout.isatty() and takes_colour(sys.stdout.fileno())
    for line in lines:
        text = escaped(str(line))
        if sys.stdout.isatty():
            text = "\n".join(wrapped(text, screen_width()))
        coloured = text.replace(line.mark, f"{_COLOURS[line.mark]}{line.mark}{_PLAIN}", 1) if is_coloured else text
        print(coloured, file=with_colours(sys.stdout))


def _as_json(found: Explanation, config: AnyConfig | None, route: str | None) -> Record:
    disabled = frozenset() if config is None else disabled_in(config)
    return {
        "routes": [_route_as_json(each) for each in found.routes if route in {None, each.name}],
        "destinations": {name: list(routes) for name, routes in found.chosen.items()},
        "sampled": {name: list(routes) for name, routes in found.sampled.items()},
        "disabled": [name for name in found.chosen if name in disabled],
        "is_matched": found.is_matched,
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
