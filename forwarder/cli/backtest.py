"""`forwarder backtest`: compares what a changed config would have sent of the history with what was sent."""

import argparse
from collections.abc import Iterable, Iterator
from pathlib import Path

from forwarder.cli import exit_codes
from forwarder.cli.listing import local, print_json, print_table, shown
from forwarder.cli.locations import UsageError, config_path, places_of, report_errors
from forwarder.cli.progress import ProgressReporter, progress
from forwarder.configfile.read import read_routing
from forwarder.core.config.runtime import disabled_in, on_full_of, router_of
from forwarder.core.counted import counted
from forwarder.core.event import NotAnEventError, decode_event
from forwarder.core.history import HistorySpan, PastEvent, Record
from forwarder.core.routing.backtest import Comparison, Example, Moment, OfDestination, Simulation, looking_ahead
from forwarder.outbox.open import open_history

_OWN = "forwarder"
_SHOW_EVERY = 500
_MOST_ROUTES = 30


@report_errors
def run(arguments: argparse.Namespace) -> int:
    """Compare and return the exit code."""
    if arguments.examples < 0:
        raise UsageError("--examples needs a number from 0 on")
    file = config_path(arguments)
    config = read_routing(file)
    simulation = Simulation(router_of(config), disabled=disabled_in(config), on_full=on_full_of(config))
    outbox = arguments.outbox or places_of(arguments.against or file).outbox
    comparison = Comparison(examples=arguments.examples)
    with open_history(outbox) as history:
        span = history.span_of(since_ms=arguments.since, limit=arguments.limit)
        with progress("events", span.count) as bar:
            _compare(comparison, simulation, history.past_events(span), bar)
    if arguments.json:
        print_json(_as_json(comparison, span))
    else:
        _print(comparison, span, file)
    return exit_codes.FAILURE if arguments.fail_on_change and comparison.is_changed else exit_codes.OK


def _compare(comparison: Comparison, simulation: Simulation, past: Iterable[PastEvent], bar: ProgressReporter) -> None:
    known: dict[int, PastEvent] = {}
    """Events that are read and not yet compared, by their identity."""

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


def _print(comparison: Comparison, span: HistorySpan, file: Path) -> None:
    if span.begins_at is None:
        print("The outbox has no events of that time." + _pruned(span))
        return
    print(
        f"{counted(comparison.events, 'event')} since {local(span.begins_at.isoformat())}, compared with what {file} would send.{_pruned(span)}"
    )
    if comparison.unreadable:
        print(
            f"{counted(comparison.unreadable, 'more is', 'more are')} left out: this version cannot read them as events."
        )
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


def _pruned(span: HistorySpan) -> str:
    return (
        f" {counted(span.pruned, 'more event of that time is', 'more events of that time are')} no longer kept."
        if span.pruned
        else ""
    )


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
        print(f"and {counted(len(changed) - _MOST_ROUTES, 'more route')} (--json has them)")


def _print_examples(what: str, total: int, examples: list[Example]) -> None:
    if not examples:
        return
    print(f"\n{shown(what)} {total:,}{', such as' if total > len(examples) else ''}:")
    for each in examples:
        print(
            f"  {local(each.at.isoformat())}  {shown(each.source)} {shown(each.mid)} of {shown(each.sid)}: "
            f"{shown(each.text) if each.text else '(no text)'} [{shown(list(each.routes))}]"
        )


def _as_json(comparison: Comparison, span: HistorySpan) -> Record:
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
