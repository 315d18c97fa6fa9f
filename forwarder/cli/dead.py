"""`forwarder dead`: what was given up, to look at, try again or drop."""

import argparse

from forwarder.admin.client import NoDaemonError
from forwarder.cli import exit_codes
from forwarder.cli.history import print_deliveries, show_deliveries
from forwarder.cli.places import UsageError, add_config, changer, places, told
from forwarder.cli.progress import progress
from forwarder.cli.records import add_filters, add_json, add_list, add_period, query, rate
from forwarder.core.changes import SLICE, Dead
from forwarder.core.delivery import event_of
from forwarder.outbox.access import reading
from forwarder.outbox.history import Query, count_dead, dead_keys, dead_letters, now_ms


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("dead", help="dead letters: list, show, replay, drop")
    verbs = parser.add_subparsers(metavar="VERB", required=True)

    listing = verbs.add_parser("list", help="the dead letters, the last to die first")
    add_filters(listing)
    add_list(listing)
    add_config(listing)
    listing.set_defaults(handler=told(list_dead))

    show = verbs.add_parser("show", help="one, with every attempt")
    show.add_argument("id", help="a webhook-id, or an event's id")
    add_json(show)
    add_config(show)
    show.set_defaults(handler=told(show_deliveries))

    for verb, what in (("replay", "deliver them after all"), ("drop", "never deliver them; they stay in the history")):
        change = verbs.add_parser(verb, help=what)
        change.add_argument("ids", nargs="*", metavar="ID", help="webhook-ids or event ids")
        add_period(change)
        change.add_argument("--destination", metavar="NAME")
        change.add_argument("--all", action="store_true", help="all of them, where no ID and no filter is given")
        if verb == "replay":
            change.add_argument("--rate", type=rate, default=50.0, metavar="N/s", help="default: 50/s")
        add_json(change)
        add_config(change)
        change.set_defaults(handler=told(change_dead), verb=f"dead_{verb}", rate=50.0)


def list_dead(arguments: argparse.Namespace) -> int:
    """Print dead letters."""
    with reading(places(arguments).outbox) as connection:
        print_deliveries(list(dead_letters(connection, query(arguments))), as_json=arguments.json)
    return exit_codes.OK


def change_dead(arguments: argparse.Namespace) -> int:
    """Try dead letters again, or drop them."""
    is_narrowed = arguments.ids or arguments.destination or arguments.since or arguments.until < now_ms()
    if not is_narrowed and not arguments.all:
        raise UsageError("name dead letters by ID, narrow them with --destination or --since, or say --all")
    begin_ms = now_ms()
    found = places(arguments)
    narrowed = Query(
        since_ms=arguments.since, until_ms=min(arguments.until, begin_ms + 1), destination=arguments.destination
    )
    for id_ in arguments.ids:
        _require_id(id_)
    with reading(found.outbox) as connection:
        keys = dead_keys(connection, arguments.ids) if arguments.ids else None
        total = count_dead(connection, narrowed) if keys is None else len(keys)
    done = 0
    try:
        with changer(found) as change, progress(arguments.verb.replace("_", " "), total) as bar:
            for some in [None] if keys is None else [keys[at : at + SLICE] for at in range(0, len(keys), SLICE)]:
                is_last = False
                while not is_last:
                    changed = change(
                        Dead(
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
            f"{error}. {done:,} dead letters were changed before; the same command again goes on"
        ) from error
    what = "queued to be delivered" if arguments.verb == "dead_replay" else "dropped"
    say(arguments, done, what)
    return exit_codes.FAILURE if arguments.ids and not done else exit_codes.OK


def say(arguments: argparse.Namespace, done: int, what: str) -> None:
    """Print how many."""
    print(f'{{"changed": {done}}}' if arguments.json else f"{done:,} {what}.")


def _require_id(text: str) -> None:
    if event_of(text) is None and (len(text) != 32 or set(text) - set("0123456789abcdef")):
        raise UsageError(f"{text!r} is neither a webhook-id (msg_ and 40 hex digits) nor an event's id (32 of them)")
