"""`forwarder pause` and `forwarder resume`: a destination that gets nothing for a while, and loses nothing."""

import argparse
from contextlib import suppress

from forwarder.cli import exit_codes
from forwarder.cli.places import add_config, changer, places, told
from forwarder.cli.records import add_json, print_json
from forwarder.core.changes import PauseChange
from forwarder.outbox.access import reading
from forwarder.outbox.history import now_ms, waiting
from forwarder.outbox.problems import OutboxUnusableError


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add both commands to the parser."""
    for verb, what in (
        ("pause", "send nothing to a destination until it is resumed; what is meant for it is kept"),
        ("resume", "send to a paused destination again, what waited for it included"),
    ):
        parser = commands.add_parser(verb, help=what, description=f"{what[0].upper()}{what[1:]}.")
        parser.add_argument("destination", metavar="DESTINATION")
        if verb == "pause":
            parser.add_argument("--why", default="", metavar="TEXT", help="shown by status, up to 500 characters")
        add_json(parser)
        add_config(parser)
        parser.set_defaults(handler=told(run), verb=verb, why="")


def run(arguments: argparse.Namespace) -> int:
    """Do it, with or without a running daemon; it outlasts a restart."""
    found, name = places(arguments), arguments.destination
    asked = PauseChange(verb=arguments.verb, destination=name, why=arguments.why[:500], now_ms=now_ms())
    with changer(found) as change:
        is_changed = bool(change(asked).changed)
    count: int | None = None
    with (
        suppress(OutboxUnusableError),
        reading(found.outbox) as connection,
    ):  # it may not be ours to read: see admin.group
        count = waiting(connection).get(name, 0)
    if arguments.json:
        print_json({"destination": name, "paused": arguments.verb == "pause", "changed": is_changed, "waiting": count})
    else:
        done = "is paused" if arguments.verb == "pause" else "is resumed"
        already = "" if is_changed else " already"
        queued = "" if count is None else f"; {count:,} deliveries wait for it"
        print(f"{name} {done}{already}{queued}.")
    return exit_codes.OK
