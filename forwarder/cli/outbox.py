"""`forwarder outbox`: checks, vacuums, backs up and exports the outbox file."""

import argparse
import sys

from forwarder.cli import exit_codes
from forwarder.cli.changer import SLICE_WITHIN
from forwarder.cli.listing import print_json, query
from forwarder.cli.locations import Places, UsageError, places, report_errors
from forwarder.cli.names import require_names
from forwarder.cli.progress import progress, waiting_for
from forwarder.control.client import control
from forwarder.control.errors import NoDaemonError
from forwarder.core.commands import Vacuum, VacuumAnswer
from forwarder.core.counted import counted
from forwarder.outbox.open import maintenance_of, open_history
from forwarder.outbox.problems import OutboxProblem, OutboxUnusableError


@report_errors
def check_file(arguments: argparse.Namespace) -> int:
    """Read every page; exit code 1 if something is wrong."""
    path = places(arguments).outbox
    findings = maintenance_of(path).check(waiting_for("reading every page"))
    with open_history(path) as history:
        audit, incomplete = history.audit()
    findings += [
        f"not accounted for: {line.what}: {line.expected} expected, {line.found} found" for line in audit.findings
    ]
    if arguments.json:
        print_json({"path": str(path), "sound": not findings, "findings": findings, "incomplete_events": incomplete})
    else:
        print(
            f"{path}: "
            + ("sound, and everything is accounted for" if not findings else counted(len(findings), "finding"))
        )
        for finding in findings:
            print(f"  {finding}")
    return exit_codes.FAILURE if findings else exit_codes.OK


@report_errors
def vacuum_file(arguments: argparse.Namespace) -> int:
    """Make the file smaller: at once if no daemon runs, else in small steps between deliveries."""
    found = places(arguments)
    before, after = vacuum(found)
    if arguments.json:
        print_json({"bytes_before": before, "bytes_after": after})
    else:
        print(f"{found.outbox}: {before / 1e6:,.1f} MB before, {after / 1e6:,.1f} MB now")
    return exit_codes.OK


def vacuum(found: Places) -> tuple[int, int]:
    """Give what is free in the file back to the disk; return how many bytes it took before, and how many it takes now."""
    maintenance = maintenance_of(found.outbox)
    before = maintenance.size()
    try:
        maintenance.vacuum(waiting_for(f"vacuum of {before / 1e6:,.1f} MB"))
    except OutboxUnusableError as error:
        if error.problem is not OutboxProblem.IN_USE:
            raise
        _vacuum_through_daemon(found, free_bytes=maintenance.free_bytes())
    return before, maintenance.size()


def _vacuum_through_daemon(found: Places, *, free_bytes: int) -> None:
    freed = 0
    waiting = waiting_for("the daemon frees a slice")
    try:
        with control(found.socket, outbox=found.outbox) as daemon, progress("bytes freed", free_bytes) as bar:
            while step := daemon.ask_for(VacuumAnswer, Vacuum(), within=SLICE_WITHIN, waiting=waiting).freed_bytes:
                freed += step
                bar.to(freed)
    except NoDaemonError as error:
        raise type(error)(
            f"{error}. {freed / 1e6:,.1f} MB were freed before; run the same command again to free the rest"
        ) from error


@report_errors
def backup_file(arguments: argparse.Namespace) -> int:
    """Copy the outbox as it is at one moment. The copy is checked, and gets its name only when it is complete."""
    path, copy = places(arguments).outbox, arguments.file
    try:
        if copy.exists():
            raise UsageError(f"{copy} exists already; name a file that does not")
        with progress("pages copied", None) as bar:
            maintenance_of(path).back_up(copy, bar.to)
    except OSError as error:
        print(f"{copy}: cannot be written: {error.strerror or error}", file=sys.stderr)
        return exit_codes.OUTBOX_UNWRITABLE
    size = copy.stat().st_size
    if arguments.json:
        print_json({"path": str(copy), "bytes": size})
    else:
        print(
            f"{copy}: {size / 1e6:,.1f} MB, checked. To use it: stop forwarder, delete {path.name}-wal and {path.name}-shm if "
            f"they exist (they belong to the old file), replace {path} with the copy, give it the same owner, and start forwarder."
        )
    return exit_codes.OK


@report_errors
def export_file(arguments: argparse.Namespace) -> int:
    """Print every event as a line of JSON."""
    found, is_empty = places(arguments), True
    with open_history(found.outbox) as history:
        for event in history.export(query(arguments)):
            is_empty = False
            print_json(event)
        if is_empty:
            filters = {name: getattr(arguments, name, None) for name in ("destination", "route")}
            require_names(found, history, **filters)
    return exit_codes.OK
