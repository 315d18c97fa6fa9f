"""`forwarder status`: shows the state of a running daemon."""

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from forwarder.cli import exit_codes
from forwarder.cli.disk_watch import DiskSilentError, read_apart
from forwarder.cli.listing import print_json, screen_width
from forwarder.cli.locations import places_of_running, report_errors
from forwarder.cli.status_lines import is_replaced, lines_of
from forwarder.control.client import control
from forwarder.control.errors import NoDaemonError
from forwarder.core.commands import StatusRequest
from forwarder.core.monitoring.status import Backlog, StatusReport, UnreadableStatusError, decode_status
from forwarder.outbox.open import open_history
from forwarder.outbox.problems import OutboxUnusableError


@report_errors
def run(arguments: argparse.Namespace) -> int:
    """Print the status; exit code 69 if no daemon or no disk answers, 1 if the outbox cannot be written or a stream was replaced."""
    found = places_of_running(arguments)
    try:
        with control(found.socket, outbox=found.outbox) as daemon:
            answer = daemon.ask(StatusRequest())
    except NoDaemonError:
        if arguments.prometheus:  # a file that is not written again would look like a daemon that runs
            _print_metrics(None, None)
        raise
    status = decode_status(answer)
    code = exit_codes.OK if _is_well(status) else exit_codes.FAILURE
    backlog: Backlog | None = None
    try:
        waiting_now, dead_now = read_apart(lambda: _count(found.outbox))
        backlog = Backlog(waiting=waiting_now, dead=dead_now)
    except OutboxUnusableError:  # the daemon's own words say why
        pass
    except DiskSilentError as silent:
        print(silent, file=sys.stderr)
        code = exit_codes.DISK_SILENT
    if arguments.prometheus:
        _print_metrics(status, backlog)
    elif arguments.json:  # with the keys that only the daemon's version knows
        counts = {"waiting": None, "dead": None} if backlog is None else msgspec.to_builtins(backlog)
        print_json(answer | counts)
    else:
        with _readable():
            text = "\n".join(lines_of(status, backlog, width=screen_width()))
        print(text)
    return code


@contextmanager
def _readable() -> Iterator[None]:
    """Raise `UnreadableStatusError` where a value of the status is of the right type and means nothing."""
    try:
        yield
    except (ValueError, ArithmeticError) as error:  # such as a moment that is none
        raise UnreadableStatusError(str(error)) from error


def _print_metrics(status: StatusReport | None, backlog: Backlog | None) -> None:
    from forwarder.core import metrics  # only with --prometheus

    with _readable():
        text = metrics.write(metrics.DOWN if status is None else metrics.families_of(status, backlog))
    print(text, end="")


def _is_well(status: StatusReport) -> bool:
    return status.outbox.is_ok and not any(map(is_replaced, status.streams.values()))


def _count(outbox: Path) -> tuple[dict[str, int], dict[str, int]]:
    """Return how many deliveries wait and are dead, by destination."""
    with open_history(outbox) as history:
        return history.waiting(), history.dead_by_destination()
