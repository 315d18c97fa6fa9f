"""`forwarder dead`: lists, shows, replays and drops dead letters."""

import argparse

from forwarder.cli import exit_codes
from forwarder.cli.changer import changer
from forwarder.cli.history import print_deliveries
from forwarder.cli.listing import local, now_ms, print_json, print_table, query, require_period
from forwarder.cli.locations import UsageError, places, report_errors
from forwarder.cli.lookup import find, link_of
from forwarder.cli.names import require_names
from forwarder.cli.progress import progress
from forwarder.cli.waiting import require_daemon, wait_until_sent
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
        print_deliveries(found, as_json=arguments.json)
    elif arguments.json:
        for group in found:
            print_json(group)
    else:
        _print_groups(found)
        if found:
            print("\n--details lists each of them. forwarder dead replay --destination NAME delivers them after all.")
    return exit_codes.OK


def _print_groups(groups: list[Record]) -> None:
    rows = [
        (
            *(group["destination"], f"{group['count']:,}", group["status"]),
            *(local(group["first_at"]), local(group["last_at"]), group["reason"] or None),
        )
        for group in groups
    ]
    print_table(("DESTINATION", "COUNT", "STATUS", "FIRST", "LAST", "REASON"), rows)


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
    if arguments.wait:
        wait_until_sent(found, sorted(changed_at))
    return exit_codes.FAILURE if arguments.ids and not done else exit_codes.OK


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
    """Return the ids, with those of the events of a post in the place of its link. Raises `UsageError`."""
    ids: list[str] = []
    for text in texts:
        if link_of(text) is None:
            _require_id(text.lower())
            ids.append(text.lower())
            continue
        found = find(history, text)
        if found.uncertain:
            raise UsageError(
                f"{text!r} names a channel by its name, and the events have only its id; name the event by its id: "
                + ", ".join(event["event_id"] for event in found.uncertain)
            )
        ids += [event["event_id"] for event in found.events]
    return ids


def _require_id(text: str) -> None:
    if event_of(text) is None and (len(text) != 32 or set(text) - set("0123456789abcdef")):
        raise UsageError(
            f"{text!r} is neither a webhook-id (msg_ and 40 hex digits) nor an event's id (32 of them), nor a post's link"
        )
