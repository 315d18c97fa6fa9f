"""`forwarder status`: how a running daemon is."""

import argparse
from typing import Any

from forwarder.admin.client import control
from forwarder.cli import exit_codes
from forwarder.cli.places import add_config, places, told
from forwarder.cli.records import add_json, local, print_json, print_table
from forwarder.core.changes import Status
from forwarder.outbox.access import reading
from forwarder.outbox.history import waiting
from forwarder.outbox.problems import OutboxUnusableError


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("status", help="how the running daemon is, and what waits")
    add_config(parser)
    add_json(parser)
    parser.set_defaults(handler=told(run))


def run(arguments: argparse.Namespace) -> int:
    """Print it; exit code 69 where no daemon runs, 1 where its outbox is in trouble."""
    found = places(arguments)
    with control(found.socket) as daemon:
        status = daemon.ask(Status())
    try:
        with reading(found.outbox) as connection:
            status["waiting"] = waiting(connection)
    except OutboxUnusableError:  # why, the daemon's own words say
        status["waiting"] = None
    if arguments.json:
        print_json(status)
    else:
        _print(status)
    return exit_codes.OK if status["outbox"]["health"] == "ok" else exit_codes.FAILURE


def _print(status: dict[str, Any]) -> None:
    outbox, lag, since = status["outbox"], status["outbox"]["commit_lag_ms"], status["since_start"]
    print(
        f"forwarder {status['version']}, process {status['pid']}, {status['state']} since {local(status['started_at'])}"
    )
    print(f"outbox: {outbox['health']}" + (f" ({outbox['trouble']})" if outbox["trouble"] else ""))
    print(
        f"  in memory alone: {outbox['events_in_memory']} events; commit lag: {lag['p50']:g} ms median, {lag['p99']:g} ms p99"
    )
    counts = {name: number for name, number in since.items() if isinstance(number, int)}
    print("since the start: " + ", ".join(f"{name} {number:,}" for name, number in counts.items()))
    if status["waiting"] is None:
        print("what waits cannot be read now")
        return
    names = sorted({*status["destinations"], *status["waiting"]})
    rows = [
        (
            name,
            status["waiting"].get(name, 0),
            "" if name in status["destinations"] else "not in the config, or disabled",
        )
        for name in names
    ]
    print_table(("DESTINATION", "WAITING", ""), rows)
