"""`forwarder reconnect`: has the running daemon open a new connection for a stream, and close the old one once it is open."""

import argparse

from forwarder.admin.client import control
from forwarder.cli import exit_codes
from forwarder.cli.places import add_config, places, told
from forwarder.cli.records import add_json, print_json
from forwarder.core.changes import Reconnect


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the parser."""
    what = "open a new connection for a stream, whatever it waits for, and close the old one once that is open"
    parser = commands.add_parser("reconnect", help=what, description=f"{what[0].upper()}{what[1:]}.")
    parser.add_argument("stream", metavar="STREAM", nargs="?", help="left out: all of them")
    add_json(parser)
    add_config(parser)
    parser.set_defaults(handler=told(run))


def run(arguments: argparse.Namespace) -> int:
    """Ask for it; exit code 69 where no daemon runs, 1 where it has no such stream."""
    with control(places(arguments).socket) as daemon:
        answer = daemon.ask(Reconnect(stream=arguments.stream))
    if arguments.json:
        print_json(answer)
    else:
        names = ", ".join(answer["streams"])
        print(f"{names}: connecting anew; forwarder status shows how it goes.")
    return exit_codes.OK
