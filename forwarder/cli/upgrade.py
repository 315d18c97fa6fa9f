"""`forwarder upgrade`: has the running daemon hand over to the version on disk."""

import argparse
import sys
import time
from datetime import timedelta
from pathlib import Path

from forwarder.cli import exit_codes
from forwarder.cli.locations import Places, places, report_errors
from forwarder.cli.progress import waiting_for
from forwarder.control.client import control
from forwarder.control.errors import DaemonRefusedError, NoDaemonError
from forwarder.core.commands import StatusRequest, Upgrade, UpgradeAnswer
from forwarder.core.durations import write_duration
from forwarder.core.monitoring.status import StatusReport, decode_status

_MAY_TAKE = timedelta(minutes=15)
"""A large outbox may have to be brought to another version."""
_HAND_OVER_WITHIN = timedelta(minutes=3)
"""The daemon itself gives its successor two."""
_LOOK_EVERY_S = 0.1


@report_errors
def run(arguments: argparse.Namespace) -> int:
    """Return 0 once the new process delivers, 1 if the old one stays, 69 if no daemon runs."""
    found, began = places(arguments), time.monotonic()
    with control(found.socket, outbox=found.outbox) as daemon:
        try:
            waiting = waiting_for("the new process starts")
            answer = daemon.ask_for(UpgradeAnswer, Upgrade(), within=_HAND_OVER_WITHIN, waiting=waiting)
        except DaemonRefusedError as refused:
            if "does not understand" not in str(refused):
                raise
            raise DaemonRefusedError(
                "the running forwarder is of a version that cannot hand over; restart it"
            ) from None
    successor = answer.successor
    print(f"process {successor} takes over from process {answer.pid} (forwarder {answer.version})", flush=True)
    status = _wait_for(successor, found)
    if status is None:
        print(f"process {successor} does not answer at {found.socket}; the log says why", file=sys.stderr)
        return exit_codes.FAILURE
    print(f"forwarder {status.version}, process {successor}, is in charge after {time.monotonic() - began:.1f} s")
    return exit_codes.OK


def _wait_for(pid: int, found: Places) -> StatusReport | None:
    """Return the status of that process once it answers at the socket; `None` if it has ended.

    Raises `NoDaemonError` if it takes too long.
    """
    began, waiting = time.monotonic(), waiting_for("the new process opens the outbox")
    silence: NoDaemonError | None = None
    while (elapsed_s := time.monotonic() - began) < _MAY_TAKE.total_seconds():
        waiting(elapsed_s)
        try:
            with control(found.socket, outbox=found.outbox) as daemon:
                status = decode_status(daemon.ask(StatusRequest()))
        except NoDaemonError as error:
            silence = error
            if not Path(f"/proc/{pid}").exists():
                return None
        else:
            if status.pid == pid:
                return status
        time.sleep(_LOOK_EVERY_S)
    raise silence or NoDaemonError(f"process {pid} has not taken over within {write_duration(_MAY_TAKE)}")
