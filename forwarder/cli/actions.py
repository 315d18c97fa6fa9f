"""`forwarder actions`: lists what people did: pauses, replays, resends, edits of the config, and by which user."""

import argparse

from forwarder.cli import exit_codes
from forwarder.cli.listing import moments, print_json, print_table, query, screen_width
from forwarder.cli.locations import places, report_errors
from forwarder.outbox.open import open_history


@report_errors
def run(arguments: argparse.Namespace) -> int:
    """Print the actions, the latest first."""
    with open_history(places(arguments).outbox) as history:
        found = list(history.actions(query(arguments)))
    if arguments.json:
        for action in found:
            print_json(action)
        return exit_codes.OK
    if not found:
        print("Nobody has changed anything in the time that is kept.")
        return exit_codes.OK
    name, times = moments("AT", [action["at"] for action in found])
    rows = [
        (time, action["person"], action["verb"], action["changed"], action["what"])
        for time, action in zip(times, found, strict=True)
    ]
    width = None if arguments.wide else screen_width()
    print_table((name, "USER", "ACTION", "CHANGED", "WHAT"), rows, width=width, cut=("USER", "WHAT"))
    return exit_codes.OK
