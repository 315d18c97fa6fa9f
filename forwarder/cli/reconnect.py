"""`forwarder reconnect`: has the running daemon reconnect a stream without a gap."""

import argparse

from forwarder.cli import exit_codes
from forwarder.cli.listing import print_json
from forwarder.cli.locations import places_of_running, report_errors
from forwarder.control.client import control
from forwarder.core.commands import Reconnect, ReconnectAnswer


@report_errors
def run(arguments: argparse.Namespace) -> int:
    """Ask for it; exit code 69 if no daemon runs, 1 if it has no such stream."""
    found = places_of_running(arguments)
    with control(found.socket, outbox=found.outbox) as daemon:
        answer = daemon.ask_for(ReconnectAnswer, Reconnect(stream=arguments.stream))
    if arguments.json:
        print_json(answer.model_dump())
    else:
        names = ", ".join(answer.streams)
        print(f"{names}: reconnecting; forwarder status shows the progress.")
    return exit_codes.OK
