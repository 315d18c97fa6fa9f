"""`forwarder reconnect`: has the running daemon reconnect a stream without a gap."""

import argparse

from forwarder.cli import exit_codes
from forwarder.cli.listing import print_json
from forwarder.cli.locations import places_of_running, report_errors
from forwarder.cli.names import require_stream
from forwarder.control.client import control
from forwarder.control.errors import DaemonRefusedError
from forwarder.core.commands import Reconnect, ReconnectResult


@report_errors
def run(arguments: argparse.Namespace) -> int:
    """Ask for it; exit code 69 if no daemon runs, 2 if there is no such stream, 1 if only the config has it."""
    found = places_of_running(arguments)
    with control(found.socket, outbox=found.outbox) as daemon:
        try:
            answer = daemon.ask_for(ReconnectResult, Reconnect(stream=arguments.stream))
        except DaemonRefusedError:
            require_stream(found, arguments.stream, ())  # a name that the config has not is a wrong argument
            raise
    if arguments.json:
        print_json(answer.model_dump())
    else:
        names = ", ".join(answer.streams)
        print(f"{names}: reconnecting; forwarder status shows the progress.")
    return exit_codes.OK
