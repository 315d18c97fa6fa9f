"""`forwarder upgrade`: has the running daemon start its successor from the program on disk, and leave it the place."""

import argparse
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from forwarder.admin.client import DaemonRefusedError, NoDaemonError, control
from forwarder.cli import exit_codes
from forwarder.cli.places import add_config, places, told
from forwarder.cli.progress import waiting_for
from forwarder.core.changes import Status, Upgrade
from forwarder.core.durations import write_duration

_MAY_TAKE = timedelta(minutes=15)
"""A large outbox may have to be brought to another version."""
_HAND_OVER_WITHIN = timedelta(minutes=3)
"""The daemon itself gives its successor two."""
_LOOK_EVERY_S = 0.1


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "upgrade",
        help="have the running daemon hand over to the program that is on disk now",
        description="Have the running daemon hand over to the program that is on disk now. Its successor gets 3 minutes to take over, and 15 to "
        "open the outbox.",
    )
    add_config(parser)
    parser.set_defaults(handler=told(run))


def run(arguments: argparse.Namespace) -> int:
    """Return 0 once the successor is in charge, 1 where the one that runs goes on, 69 where no daemon runs."""
    found, began = places(arguments), time.monotonic()
    with control(found.socket) as daemon:
        try:
            answer = daemon.ask(Upgrade(), within=_HAND_OVER_WITHIN, waiting=waiting_for("the successor starts"))
        except DaemonRefusedError as refused:
            if "does not understand" not in str(refused):
                raise
            raise DaemonRefusedError(
                "the running forwarder is of a version that cannot hand over; restart it"
            ) from None
    successor = answer["successor"]
    print(f"process {successor} takes over from process {answer['pid']} (forwarder {answer['version']})", flush=True)
    status = _wait_for(successor, found.socket)
    if status is None:
        print(f"process {successor} does not answer at {found.socket}; the log says why", file=sys.stderr)
        return exit_codes.FAILURE
    print(f"forwarder {status['version']}, process {successor}, is in charge after {time.monotonic() - began:.1f} s")
    return exit_codes.OK


def _wait_for(pid: int, socket: Path) -> dict[str, Any] | None:
    """Return the status of that process once it answers at the socket; `None` where it has ended.

    Raises `NoDaemonError` where it takes too long.
    """
    began, waiting = time.monotonic(), waiting_for("the successor opens the outbox")
    silence: NoDaemonError | None = None
    while (elapsed_s := time.monotonic() - began) < _MAY_TAKE.total_seconds():
        waiting(elapsed_s)
        try:
            with control(socket) as daemon:
                status = daemon.ask(Status())
        except NoDaemonError as error:
            silence = error
            if not Path(f"/proc/{pid}").exists():
                return None
        else:
            if status["pid"] == pid:
                return status
        time.sleep(_LOOK_EVERY_S)
    raise silence or NoDaemonError(f"process {pid} has not taken over within {write_duration(_MAY_TAKE)}")
