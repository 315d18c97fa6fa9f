"""`forwarder backtest`: what a changed config would have sent of the history, beside what was sent."""

import argparse
from collections.abc import Iterable, Iterator
from pathlib import Path

from forwarder.cli import exit_codes
from forwarder.cli.config_file import read_routing
from forwarder.cli.places import UsageError, add_config, config_path, places_of, told
from forwarder.cli.progress import Progress, progress
from forwarder.cli.records import add_json, count, local, moment, print_json, print_table, shown
from forwarder.core.backtest import Comparison, Example, Moment, OfDestination, Simulation, looking_ahead
from forwarder.core.event import NotAnEventError, decode_event
from forwarder.outbox.access import reading
from forwarder.outbox.history import Record
from forwarder.outbox.past import PastEvent, Span, in_order, span_of
from forwarder.parts import disabled_in, on_full_of, router_of

_OWN = "forwarder"
_SHOW_EVERY = 500
_MOST_ROUTES = 30


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "backtest",
        help="run a changed config over the history: what would have been sent differently",
        description="Run a changed config over the history in the outbox, and show what it would have sent differently. Nothing is sent, "
        "and nothing is written; the daemon may run meanwhile.",
    )
    add_config(parser)
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--outbox", type=Path, metavar="FILE", help="the history; default: the outbox of the config")
    where.add_argument(
        "--against", type=Path, metavar="CONFIG", help="the config in force, whose outbox has the history"
    )
    parser.add_argument("--since", type=moment, default=0, metavar="WHEN", help="30m, 24h, 7d ago; or an ISO time")
    parser.add_argument("--limit", type=count, metavar="N", help="the newest N events")
    parser.add_argument("--examples", type=int, default=5, metavar="N", help="of each kind; default: 5")
    parser.add_argument(
        "--fail-on-change", action="store_true", help="exit with 1 where anything would be sent differently"
    )
    add_json(parser)
    parser.set_defaults(handler=told(run))


def run(arguments: argparse.Namespace) -> int:
    """Compare and return the exit code."""
    if arguments.examples < 0:
        raise UsageError("--examples takes a number from 0 on")
    file = config_path(arguments)
    config = read_routing(file)
    simulation = Simulation(router_of(config), disabled=disabled_in(config), on_full=on_full_of(config))
    outbox = arguments.outbox or places_of(arguments.against or file).outbox
    comparison = Comparison(examples=arguments.examples)
    with reading(outbox) as connection:
        span = span_of(connection, since_ms=arguments.since, limit=arguments.limit)
        with progress("events", span.count) as bar:
            _compare(comparison, simulation, in_order(connection, span), bar)
    if arguments.json:
        print_json(_as_json(comparison, span))
    else:
        _print(comparison, span, file)
    return exit_codes.FAILURE if arguments.fail_on_change and comparison.is_changed else exit_codes.OK


def _compare(comparison: Comparison, simulation: Simulation, past: Iterable[PastEvent], bar: Progress) -> None:
    known: dict[int, PastEvent] = {}
    """Those that are read and not yet compared, by the identity of their events."""

    def moments() -> Iterator[Moment]:
        for number, each in enumerate(past, 1):
            if number % _SHOW_EVERY == 0:
                bar.to(number)
            if each.source == _OWN:
                continue
            try:
                event = decode_event(each.body)
            except NotAnEventError:
                comparison.unreadable += 1
                continue
            known[id(event)] = each
            yield event, each.accepted_at

    for (event, at), full in looking_ahead(moments(), simulation.longest_wait):
        each = known.pop(id(event))
        now = simulation.sent(event, event_seq=each.seq, now=at, full=full)
        comparison.add(event, at, then=each.chosen, now=now)


def _print(comparison: Comparison, span: Span, file: Path) -> None:
    if span.begins_at is None:
        print("There is no history of that time." + _pruned(span))
        return
    print(
        f"{comparison.events:,} events since {local(span.begins_at.isoformat())}, as {file} would send them.{_pruned(span)}"
    )
    if comparison.unreadable:
        print(f"{comparison.unreadable:,} more are no events by what this version reads, and are left out.")
    if not comparison.is_changed:
        print("Nothing would be sent differently.")
    rows = [
        (name, found.then, found.now, f"+{found.more}", f"-{found.less}", found.same)
        for name, found in sorted(comparison.destinations.items())
    ]
    print_table(("DESTINATION", "THEN", "NOW", "MORE", "LESS", "SAME"), [*rows, _nowhere(comparison)])
    _print_routes(comparison)
    for name, found in sorted(comparison.destinations.items()):
        _print_examples(f"{name} would get", found.more, found.would_get)
        _print_examples(f"{name} would not get", found.less, found.would_miss)


def _nowhere(comparison: Comparison) -> tuple[object, ...]:
    return ("(nowhere)", comparison.nowhere_then, comparison.nowhere_now, "", "", "")


def _pruned(span: Span) -> str:
    return f" {span.pruned:,} events of that time are not kept any more, and are not in it." if span.pruned else ""


def _print_routes(comparison: Comparison) -> None:
    then, now = comparison.hits_then, comparison.hits_now
    changed = sorted(
        (name for name in {*then, *now} if then[name] != now[name]),
        key=lambda name: (-abs(now[name] - then[name]), name),
    )
    if changed:
        print()
        print_table(("ROUTE", "THEN", "NOW"), [(name, then[name], now[name]) for name in changed[:_MOST_ROUTES]])
    if len(changed) > _MOST_ROUTES:
        print(f"and {len(changed) - _MOST_ROUTES:,} more routes (--json has them)")


def _print_examples(what: str, total: int, examples: list[Example]) -> None:
    if not examples:
        return
    print(f"\n{shown(what)} {total:,}{', such as' if total > len(examples) else ''}:")
    for each in examples:
        print(
            f"  {local(each.at.isoformat())}  {shown(each.source)} {shown(each.mid)} of {shown(each.sid)}: "
            f"{shown(each.text) if each.text else '(no text)'} [{shown(list(each.routes))}]"
        )


def _as_json(comparison: Comparison, span: Span) -> Record:
    return {
        "events": comparison.events,
        "since": None if span.begins_at is None else span.begins_at.isoformat(),
        "pruned": span.pruned,
        "unreadable": comparison.unreadable,
        "changed": comparison.is_changed,
        "nowhere": {"then": comparison.nowhere_then, "now": comparison.nowhere_now},
        "destinations": {name: _destination_as_json(found) for name, found in comparison.destinations.items()},
        "routes": {
            name: {"then": comparison.hits_then[name], "now": comparison.hits_now[name]}
            for name in sorted({*comparison.hits_then, *comparison.hits_now})
        },
    }


def _destination_as_json(found: OfDestination) -> Record:
    return {
        **{name: getattr(found, name) for name in ("then", "now", "more", "less", "same")},
        "would_get": [_example_as_json(each) for each in found.would_get],
        "would_miss": [_example_as_json(each) for each in found.would_miss],
    }


def _example_as_json(each: Example) -> Record:
    return {
        **{name: getattr(each, name) for name in ("event_id", "source", "mid", "sid", "text")},
        "accepted_at": each.at.isoformat(timespec="milliseconds"),
        "routes": list(each.routes),
    }
