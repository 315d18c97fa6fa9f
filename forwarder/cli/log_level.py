"""`forwarder log-level`: shows or changes what the running daemon logs."""

import argparse

from forwarder.cli import exit_codes
from forwarder.cli.listing import local, print_json
from forwarder.cli.locations import places_of_running, report_errors
from forwarder.control.client import control
from forwarder.core.commands import LogLevelAnswer, LogLevelChange


@report_errors
def run(arguments: argparse.Namespace) -> int:
    """Change it, or only show it; exit code 69 if no daemon runs."""
    if arguments.level is None and arguments.seconds is not None:
        arguments.parser.error("argument --for: needs a level, such as forwarder log-level debug --for 10m")
    found = places_of_running(arguments)
    asked = LogLevelChange(level=arguments.level, for_s=arguments.seconds)
    with control(found.socket, outbox=found.outbox) as daemon:
        answer = daemon.ask_for(LogLevelAnswer, asked)
    if arguments.json:
        print_json(answer.model_dump())
        return exit_codes.OK
    end = (
        ""
        if answer.level == answer.at_start
        else f" until it is changed or the daemon is started again, then {answer.at_start}"
    )
    if answer.until is not None:
        end = f" until {local(answer.until)}, then {answer.at_start}"
    print(f"The log has lines at {answer.level} and above{end}.")
    return exit_codes.OK
