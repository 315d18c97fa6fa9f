"""`forwarder dead`: lists, shows, replays and drops dead letters."""

import argparse
import sys

from forwarder.cli import exit_codes
from forwarder.cli.changer import changer
from forwarder.cli.history import print_deliveries
from forwarder.cli.listing import (
    moments,
    now_ms,
    print_json,
    print_prose,
    print_table,
    query,
    require_period,
    screen_width,
    shown,
)
from forwarder.cli.locations import UsageError, places, report_errors
from forwarder.cli.lookup import HEX_DIGITS, ID_LENGTH, LEAST_DIGITS, find, link_of
from forwarder.cli.names import absent, require_names
from forwarder.cli.progress import progress
from forwarder.cli.waiting import report_end, require_daemon, wait_until_sent
from forwarder.control.errors import NoDaemonError
from forwarder.core.commands import SLICE, DeadLetterChange
from forwarder.core.counted import counted
from forwarder.core.delivery import event_of
from forwarder.core.history import History, Query, Record
from forwarder.outbox.open import open_history


@report_errors
def list_dead(arguments: argparse.Namespace) -> int:
    """Print how many died for which reason, or each of them."""
    where = places(arguments)
    is_grouped = arguments.groups or not (arguments.details or arguments.json)
    with open_history(where.outbox) as history:
        asked = query(arguments)
        found = list(history.dead_groups(asked) if is_grouped else history.dead_letters(asked))
        if not found:
            require_names(
                where, history, destination=arguments.destination, route=arguments.route, source=arguments.source
            )
    if not is_grouped:
        print_deliveries(found, as_json=arguments.json, is_wide=arguments.wide)
    elif arguments.json:
        for group in found:
            print_json(group)
    else:
        _print_groups(found, is_wide=arguments.wide)
        if found:
            print()
            print_prose("--details lists each. forwarder dead replay --destination NAME delivers them.")
    if not arguments.json:
        for name, why in absent(where, {each["destination"] for each in found}).items():
            print_prose(
                f"{shown(name)} is {why}, so dead replay delivers nothing to it. forwarder replay --to NAME sends to another "
                f"destination, forwarder dead drop --destination {shown(name)} gives them up."
            )
    return exit_codes.OK


def _print_groups(groups: list[Record], *, is_wide: bool = False) -> None:
    first, first_times = moments("FIRST", [group["first_at"] for group in groups])
    last, last_times = moments("LAST", [group["last_at"] for group in groups])
    rows = [
        (
            *(group["destination"], f"{group['count']:,}", group["status"]),
            *((first_at, last_at) if is_wide else (last_at,)),
            group["reason"] or None,
        )
        for group, first_at, last_at in zip(groups, first_times, last_times, strict=True)
    ]
    names = ("DESTINATION", "COUNT", "STATUS", *((first, last) if is_wide else (last,)), "REASON")
    print_table(names, rows, width=None if is_wide else screen_width(), cut=("DESTINATION", "REASON"))


@report_errors
def change_dead(arguments: argparse.Namespace) -> int:
    """Replay dead letters, or drop them."""
    is_narrowed = (
        arguments.ids or arguments.destination or arguments.route or arguments.since or arguments.until < now_ms()
    )
    if not is_narrowed and not arguments.all:
        raise UsageError("name dead letters by ID, narrow them with --destination, --route or --since, or use --all")
    require_period(arguments)
    begin_ms = now_ms()
    found = places(arguments)
    if arguments.wait and not arguments.dry_run:
        require_daemon(found)  # without one nothing is delivered
    narrowed = Query(
        since_ms=arguments.since,
        until_ms=min(arguments.until, begin_ms + 1),
        destination=arguments.destination,
        route=arguments.route,
    )
    with open_history(found.outbox) as history:
        keys = history.dead_keys(_ids(history, arguments.ids)) if arguments.ids else None
        total = history.count_dead(narrowed) if keys is None else len(keys)
        if not total:
            require_names(found, history, destination=arguments.destination, route=arguments.route)
        if arguments.dry_run:
            return _show_what_would_change(history, narrowed, keys, arguments)
    done = 0
    changed_at: set[str] = set()
    try:
        with changer(found) as change, progress(arguments.verb.replace("_", " "), total) as bar:
            for some in [None] if keys is None else [keys[at : at + SLICE] for at in range(0, len(keys), SLICE)]:
                is_last = False
                while not is_last:
                    changed = change(
                        DeadLetterChange(
                            verb=arguments.verb,
                            keys=None if some is None else tuple(some),
                            destination=narrowed.destination,
                            route=narrowed.route,
                            since_ms=narrowed.since_ms,
                            until_ms=narrowed.until_ms,
                            start_ms=begin_ms,
                            rate=arguments.rate,
                            position=done,
                        )
                    )
                    done, is_last = done + changed.changed, changed.is_last
                    changed_at.update(changed.destinations)
                    bar.to(done)
    except NoDaemonError as error:
        raise type(error)(
            f"{error}. {counted(done, 'dead letter was', 'dead letters were')} changed before; run the same command again to change the rest"
        ) from error
    what = "queued for delivery" if arguments.verb == "dead_replay" else "dropped"
    say(arguments, done, what)
    kept = absent(found, changed_at) if arguments.verb == "dead_replay" else {}
    for name, why in kept.items():
        print(f"note: {shown(name)} is {why}: what is queued for it waits until that changes", file=sys.stderr)
    if arguments.wait:
        wait_until_sent(found, sorted(changed_at - kept.keys()))
        if done:
            return report_end(found, sorted(changed_at), since_ms=begin_ms, as_json=arguments.json)
    if arguments.ids and not done:
        print(f"not dead: forwarder deliveries show {arguments.ids[0]} says how it is", file=sys.stderr)
        return exit_codes.FAILURE
    return exit_codes.OK


def _show_what_would_change(
    history: History, narrowed: Query, keys: list[tuple[int, str]] | None, arguments: argparse.Namespace
) -> int:
    """Print how many dead letters are meant, and why they died. Nothing is changed."""
    if keys is None:
        total, letters = history.count_dead(narrowed), []
    else:
        letters = [each for each in history.dead_letters(narrowed) if (each["event_seq"], each["destination"]) in keys]
        total = len(letters)
    if arguments.json:
        print_json({"would_change": total})
    else:
        if keys is None:
            _print_groups(list(history.dead_groups(narrowed)))
        else:
            print_deliveries(letters, as_json=False)
        what = "queued for delivery" if arguments.verb == "dead_replay" else "dropped"
        print(f"{counted(total, 'dead letter')} would be {what}.")
    return exit_codes.FAILURE if arguments.ids and not total else exit_codes.OK


def say(arguments: argparse.Namespace, done: int, what: str) -> None:
    """Print how many were changed."""
    print(f'{{"changed": {done}}}' if arguments.json else f"{done:,} {what}.")


def _ids(history: History, texts: list[str]) -> list[str]:
    """Return the ids, with those of the events of a post in the place of its link, and whole ones for beginnings. Raises `UsageError`."""
    ids: list[str] = []
    for text in texts:
        if link_of(text) is None:
            ids.append(_whole_id(history, text.lower()))
            continue
        found = find(history, text)
        if found.uncertain:
            raise UsageError(
                f"{text!r} names a channel by its name, and the events have only its id; name the event by its id: "
                + ", ".join(event["event_id"] for event in found.uncertain)
            )
        ids += [event["event_id"] for event in found.events]
    return ids


def _whole_id(history: History, text: str) -> str:
    """Return the id that a text is, or the only one that begins so. Raises `UsageError`."""
    if event_of(text) is not None:
        return text
    if not LEAST_DIGITS <= len(text) <= ID_LENGTH or set(text) - HEX_DIGITS:
        raise UsageError(
            f"{text!r} is neither a webhook-id (msg_ and 40 hex digits), nor an event's id (32 of them) or the beginning of one "
            f"(at least {LEAST_DIGITS}), nor a post's link"
        )
    if len(text) == ID_LENGTH:
        return text
    found: list[str] = sorted({event["event_id"] for event in history.find_events(text)})
    if len(found) > 1:
        raise UsageError(f"{text!r} is the beginning of several ids: {', '.join(found)}. Write more of it")
    if not found:
        raise UsageError(f"no id in the outbox begins with {text!r}. forwarder dead list --details lists dead letters")
    return found[0]
