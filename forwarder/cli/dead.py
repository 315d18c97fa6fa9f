"""`forwarder dead`: lists, shows, replays and drops dead letters."""

import argparse

from forwarder.cli import exit_codes
from forwarder.cli.changer import changer
from forwarder.cli.history import print_deliveries
from forwarder.cli.listing import now_ms, query
from forwarder.cli.locations import UsageError, places, report_errors
from forwarder.cli.lookup import find, link_of
from forwarder.cli.names import require_names
from forwarder.cli.progress import progress
from forwarder.control.errors import NoDaemonError
from forwarder.core.commands import SLICE, DeadLetterChange
from forwarder.core.counted import counted
from forwarder.core.delivery import event_of
from forwarder.core.history import History, Query
from forwarder.outbox.open import open_history


@report_errors
def list_dead(arguments: argparse.Namespace) -> int:
    """Print dead letters."""
    where = places(arguments)
    with open_history(where.outbox) as history:
        found = list(history.dead_letters(query(arguments)))
        if not found:
            require_names(
                where, history, destination=arguments.destination, route=arguments.route, source=arguments.source
            )
    print_deliveries(found, as_json=arguments.json)
    return exit_codes.OK


@report_errors
def change_dead(arguments: argparse.Namespace) -> int:
    """Replay dead letters, or drop them."""
    is_narrowed = arguments.ids or arguments.destination or arguments.since or arguments.until < now_ms()
    if not is_narrowed and not arguments.all:
        raise UsageError("name dead letters by ID, narrow them with --destination or --since, or use --all")
    begin_ms = now_ms()
    found = places(arguments)
    narrowed = Query(
        since_ms=arguments.since, until_ms=min(arguments.until, begin_ms + 1), destination=arguments.destination
    )
    with open_history(found.outbox) as history:
        keys = history.dead_keys(_ids(history, arguments.ids)) if arguments.ids else None
        total = history.count_dead(narrowed) if keys is None else len(keys)
        if not total:
            require_names(found, history, destination=arguments.destination)
    done = 0
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
                            since_ms=narrowed.since_ms,
                            until_ms=narrowed.until_ms,
                            start_ms=begin_ms,
                            rate=arguments.rate,
                            position=done,
                        )
                    )
                    done, is_last = done + changed.changed, changed.is_last
                    bar.to(done)
    except NoDaemonError as error:
        raise type(error)(
            f"{error}. {counted(done, 'dead letter was', 'dead letters were')} changed before; run the same command again to change the rest"
        ) from error
    what = "queued for delivery" if arguments.verb == "dead_replay" else "dropped"
    say(arguments, done, what)
    return exit_codes.FAILURE if arguments.ids and not done else exit_codes.OK


def say(arguments: argparse.Namespace, done: int, what: str) -> None:
    """Print how many were changed."""
    print(f'{{"changed": {done}}}' if arguments.json else f"{done:,} {what}.")


def _ids(history: History, texts: list[str]) -> list[str]:
    """Return the ids, with those of the events of a post in the place of its link. Raises `UsageError`."""
    ids: list[str] = []
    for text in texts:
        if link_of(text) is None:
            _require_id(text)
            ids.append(text)
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
