"""`forwarder backtest`: compares what a changed config would have sent of the history with what was sent."""

import argparse
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from forwarder.cli import exit_codes
from forwarder.cli.listing import columns_of, cut_to, local, print_json, print_prose, print_table, screen_width, shown
from forwarder.cli.locations import UsageError, config_path, places_of, report_errors
from forwarder.cli.outbox_file import open_outbox_file
from forwarder.cli.progress import ProgressReporter, progress
from forwarder.configfile.read import read_routing
from forwarder.core.config.model.routing import RoutingConfig
from forwarder.core.config.runtime import disabled_in, on_full_of, router_of
from forwarder.core.counted import counted
from forwarder.core.event import Event, NotAnEventError, decode_event
from forwarder.core.history import History, HistorySpan, PastEvent, Record
from forwarder.core.routing.backtest import Comparison, Example, Moment, OfDestination, Simulation, looking_ahead
from forwarder.core.routing.folding_effect import FoldingEffect
from forwarder.outbox.open import open_history

_OWN = "forwarder"
_SHOW_EVERY = 500
_MOST_ROUTES = 30
_LEAST_TEXT = 20
"""A text of an example is not cut to fewer columns of the screen than this."""


@report_errors
def run(arguments: argparse.Namespace) -> int:
    """Compare and return the exit code."""
    if arguments.examples < 0:
        raise UsageError("--examples needs a number from 0 on")
    file = config_path(arguments)
    if arguments.folded:
        return _fold(file, arguments)
    with _history(arguments, file) as history:
        comparison, span = compare(
            read_routing(file), history, since_ms=arguments.since, limit=arguments.limit, examples=arguments.examples
        )
    if arguments.json:
        print_json(as_json(comparison, span))
    else:
        _print(comparison, span, file, width=_width(arguments))
    return exit_codes.FAILURE if arguments.fail_on_change and comparison.is_changed else exit_codes.OK


def _history(arguments: argparse.Namespace, file: Path) -> AbstractContextManager[History]:
    if arguments.outbox is not None:
        return open_outbox_file(arguments.outbox, option="--outbox")
    return open_history(places_of(arguments.against or file).outbox)


def compare(
    config: RoutingConfig, history: History, *, since_ms: int, limit: int | None, examples: int
) -> tuple[Comparison, HistorySpan]:
    """Compare what a config would have sent of the history with what was sent, and show how far that is."""
    simulation = Simulation(router_of(config), disabled=disabled_in(config), on_full=on_full_of(config))
    comparison = Comparison(examples=examples)
    span = history.span_of(since_ms=since_ms, limit=limit)
    with progress("events", span.count) as bar:
        _compare(comparison, simulation, history.past_events(span), bar)
    return comparison, span


def _compare(comparison: Comparison, simulation: Simulation, past: Iterable[PastEvent], bar: ProgressReporter) -> None:
    known: dict[int, PastEvent] = {}
    """Events that are read and not yet compared, by their identity."""

    def moments() -> Iterator[Moment]:
        for event, each in _decoded(past, comparison, bar):
            known[id(event)] = each
            yield event, each.accepted_at

    for (event, at), full in looking_ahead(moments(), simulation.longest_wait):
        each = known.pop(id(event))
        now = simulation.sent(event, event_seq=each.seq, now=at, full=full)
        comparison.add(event, at, then=each.chosen, now=now)


def _decoded(
    past: Iterable[PastEvent], counts: Comparison | FoldingEffect, bar: ProgressReporter
) -> Iterator[tuple[Event, PastEvent]]:
    for number, each in enumerate(past, 1):
        if number % _SHOW_EVERY == 0:
            bar.to(number)
        if each.source == _OWN:
            continue
        try:
            event = decode_event(each.body)
        except NotAnEventError:
            counts.unreadable += 1
            continue
        yield event, each


def _fold(file: Path, arguments: argparse.Namespace) -> int:
    """Compare folded and exact texts, and return the exit code."""
    exact, folded = (router_of(read_routing(file, exact=is_exact)) for is_exact in (True, False))
    effect = FoldingEffect(exact=exact, folded=folded, examples=arguments.examples)
    with _history(arguments, file) as history:
        span = history.span_of(since_ms=arguments.since, limit=arguments.limit)
        with progress("events", span.count) as bar:
            for event, each in _decoded(history.past_events(span), effect, bar):
                effect.add(event, each.accepted_at)
    if arguments.json:
        print_json(_effect_as_json(effect, span))
    else:
        _print_effect(effect, span, file, width=_width(arguments))
    return exit_codes.FAILURE if arguments.fail_on_change and effect.is_changed else exit_codes.OK


def _print_effect(effect: FoldingEffect, span: HistorySpan, file: Path, *, width: int | None) -> None:
    if not _print_head(effect, span, f"matched by the routes of {file} as exact texts and as folded ones"):
        return
    if not effect.is_changed:
        print("Every route matches the same events with folded texts.")
        return
    changed = [(name, found) for name, found in effect.routes.items() if found.more or found.less]
    print_table(
        ("ROUTE", "EXACT", "FOLDED", "MORE", "LESS"),
        [(name, each.exact, each.folded, f"+{each.more}", f"-{each.less}") for name, each in changed[:_MOST_ROUTES]],
        width=width,
        cut=("ROUTE",),
    )
    if len(changed) > _MOST_ROUTES:
        print(f"and {counted(len(changed) - _MOST_ROUTES, 'more route')} (--json has them)")
    for name, found in changed[:_MOST_ROUTES]:
        _print_examples(f"{name} matches with folded texts", found.more, found.would_match, width=width)
        _print_examples(f"{name} does not match with folded texts", found.less, found.would_not_match, width=width)


def _width(arguments: argparse.Namespace) -> int | None:
    """Return the columns that a line may take, or `None` if nothing is cut."""
    return None if arguments.wide else screen_width()


def _print(comparison: Comparison, span: HistorySpan, file: Path, *, width: int | None) -> None:
    if not _print_head(comparison, span, f"compared with what {file} would send"):
        return
    if not comparison.is_changed:
        print("Nothing would be sent differently.")
    rows = [
        (name, found.then, found.now, f"+{found.more}", f"-{found.less}", found.same)
        for name, found in sorted(comparison.destinations.items())
    ]
    print_table(
        ("DESTINATION", "THEN", "NOW", "MORE", "LESS", "SAME"),
        [*rows, _nowhere(comparison)],
        width=width,
        cut=("DESTINATION",),
    )
    _print_routes(comparison, width=width)
    for name, found in sorted(comparison.destinations.items()):
        _print_examples(f"{name} would get", found.more, found.would_get, width=width)
        _print_examples(f"{name} would not get", found.less, found.would_miss, width=width)


def _print_head(counts: Comparison | FoldingEffect, span: HistorySpan, what: str) -> bool:
    """Print which events were compared; return whether there are any."""
    if span.begins_at is None:
        print_prose("The outbox has no events of that time." + _pruned(span))
        return False
    print_prose(f"{counted(counts.events, 'event')} since {local(span.begins_at.isoformat())}, {what}.{_pruned(span)}")
    if counts.unreadable:
        print_prose(
            f"{counted(counts.unreadable, 'more is', 'more are')} left out: this version cannot read them as events."
        )
    return True


def _nowhere(comparison: Comparison) -> tuple[object, ...]:
    return ("(nowhere)", comparison.nowhere_then, comparison.nowhere_now, "", "", "")


def _pruned(span: HistorySpan) -> str:
    return (
        f" {counted(span.pruned, 'more event of that time is', 'more events of that time are')} no longer kept."
        if span.pruned
        else ""
    )


def _print_routes(comparison: Comparison, *, width: int | None) -> None:
    then, now = comparison.hits_then, comparison.hits_now
    changed = sorted(
        (name for name in {*then, *now} if then[name] != now[name]),
        key=lambda name: (-abs(now[name] - then[name]), name),
    )
    if changed:
        print()
        print_table(
            ("ROUTE", "THEN", "NOW"),
            [(name, then[name], now[name]) for name in changed[:_MOST_ROUTES]],
            width=width,
            cut=("ROUTE",),
        )
    if len(changed) > _MOST_ROUTES:
        print(f"and {counted(len(changed) - _MOST_ROUTES, 'more route')} (--json has them)")


def _print_examples(what: str, total: int, examples: list[Example], *, width: int | None) -> None:
    if not examples:
        return
    print(f"\n{shown(what)} {total:,}{', such as' if total > len(examples) else ''}:")
    for each in examples:
        of = f"  {local(each.at.isoformat())}  {shown(each.source)} {shown(each.mid)} of {shown(each.sid)}"
        said = shown(" ".join(each.text.split())) if each.text else "(no text)"
        by = f" [{shown(list(each.routes))}]"
        if width is None:
            print(f"{of}\n    {said}{by}")
            continue
        by = cut_to(by, width - 4 - _LEAST_TEXT)
        print(f"{cut_to(of, width)}\n    {cut_to(said, width - 4 - columns_of(by))}{by}")


def _head_as_json(counts: Comparison | FoldingEffect, span: HistorySpan) -> Record:
    return {
        "events": counts.events,
        "since": None if span.begins_at is None else span.begins_at.isoformat(),
        "pruned": span.pruned,
        "unreadable": counts.unreadable,
        "changed": counts.is_changed,
    }


def _effect_as_json(effect: FoldingEffect, span: HistorySpan) -> Record:
    return {
        **_head_as_json(effect, span),
        "routes": {
            name: {
                **{key: getattr(found, key) for key in ("exact", "folded", "more", "less")},
                "would_match": list(map(_example_as_json, found.would_match)),
                "would_not_match": list(map(_example_as_json, found.would_not_match)),
            }
            for name, found in effect.routes.items()
        },
    }


def as_json(comparison: Comparison, span: HistorySpan) -> Record:
    """Return what `--json` prints."""
    return {
        **_head_as_json(comparison, span),
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
