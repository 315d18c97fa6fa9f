"""`forwarder outbox`: check, vacuum, backup and export of the file itself."""

import argparse
import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

from forwarder.admin.client import NoDaemonError, control
from forwarder.cli import exit_codes
from forwarder.cli.places import SLICE_WITHIN, Places, UsageError, add_config, places, told
from forwarder.cli.progress import progress, waiting_for
from forwarder.cli.records import add_filters, add_json, print_json, query
from forwarder.core.changes import Vacuum
from forwarder.outbox.access import reading, writing
from forwarder.outbox.history import audit, export
from forwarder.outbox.lock import sync_folder
from forwarder.outbox.problems import OutboxProblem, OutboxUnusableError, unwritable

_PAGES_A_STEP = 1_000
_STEPS = 100_000
"""Of SQLite's machine, between two looks at the clock."""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("outbox", help="the file itself: check, vacuum, backup FILE, export")
    verbs = parser.add_subparsers(metavar="VERB", required=True)

    check = verbs.add_parser("check", help="is every page of it sound, and do the books balance?")
    check.set_defaults(handler=told(check_file))

    vacuum = verbs.add_parser("vacuum", help="give room that is free in the file back to the disk")
    vacuum.set_defaults(handler=told(vacuum_file))

    backup = verbs.add_parser("backup", help="copy it, of one moment, while the daemon runs")
    backup.add_argument("file", type=Path, metavar="FILE", help="must not exist yet")
    backup.set_defaults(handler=told(backup_file))

    exporting = verbs.add_parser("export", help="every event with its deliveries and attempts, as JSON lines")
    add_filters(exporting)
    exporting.set_defaults(handler=told(export_file))

    for verb in (check, vacuum, backup, exporting):  # the export is JSON with or without
        add_json(verb)
        add_config(verb)


def check_file(arguments: argparse.Namespace) -> int:
    """Read every page; exit code 1 where something is wrong."""
    path = places(arguments).outbox
    with reading(path) as connection:
        with _showing(connection, "every page is read"):
            findings = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(20)")]
            findings = [] if findings == ["ok"] else findings
            findings += [
                f"a row of {table} belongs to none of {parent}"
                for table, _, parent, _ in connection.execute("PRAGMA foreign_key_check")
            ]
        books, incomplete = audit(connection)
    findings += [f"the books: {line.what}: {line.expected} against {line.found}" for line in books.findings]
    if arguments.json:
        print_json({"path": str(path), "sound": not findings, "findings": findings, "incomplete_events": incomplete})
    else:
        print(f"{path}: " + ("sound, and the books balance" if not findings else f"{len(findings)} findings"))
        for finding in findings:
            print(f"  {finding}")
    return exit_codes.FAILURE if findings else exit_codes.OK


def vacuum_file(arguments: argparse.Namespace) -> int:
    """Make the file smaller: wholly where no daemon runs, and in small steps, between deliveries, where one does."""
    found = places(arguments)
    before = _size(found)
    try:
        with writing(found.outbox) as connection:
            with _showing(connection, f"vacuum of {before / 1e6:,.1f} MB"):
                connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    except OutboxUnusableError as error:
        if error.problem is not OutboxProblem.IN_USE:
            raise
        _vacuum_through_daemon(found)
    after = _size(found)
    if arguments.json:
        print_json({"bytes_before": before, "bytes_after": after})
    else:
        print(f"{found.outbox}: {before / 1e6:,.1f} MB before, {after / 1e6:,.1f} MB now")
    return exit_codes.OK


@contextmanager
def _showing(connection: sqlite3.Connection, what: str) -> Iterator[None]:
    """Show how long a statement takes that says nothing itself, for the length of the block."""
    began, note = monotonic(), waiting_for(what)
    connection.set_progress_handler(lambda: note(monotonic() - began), _STEPS)
    try:
        yield
    finally:
        connection.set_progress_handler(None, 0)


def _vacuum_through_daemon(found: Places) -> None:
    with reading(found.outbox) as connection:
        (free,) = connection.execute("PRAGMA freelist_count").fetchone()
        (page_size,) = connection.execute("PRAGMA page_size").fetchone()
    freed = 0
    waiting = waiting_for("the daemon gives back a slice")
    try:
        with control(found.socket) as daemon, progress("bytes given back", free * page_size) as bar:
            while step := daemon.ask(Vacuum(), within=SLICE_WITHIN, waiting=waiting)["freed_bytes"]:
                freed += step
                bar.to(freed)
    except NoDaemonError as error:
        raise type(error)(
            f"{error}. {freed / 1e6:,.1f} MB were given back before; the same command again goes on"
        ) from error


def _size(found: Places) -> int:
    wal = found.outbox.with_name(found.outbox.name + "-wal")
    return sum(path.stat().st_size for path in (found.outbox, wal) if path.exists())


def backup_file(arguments: argparse.Namespace) -> int:
    """Copy the outbox of one moment; the copy is checked, and has its name only when it is whole."""
    path, copy = places(arguments).outbox, arguments.file
    if copy.exists():
        raise UsageError(f"{copy} exists already; name a file that does not")
    part = copy.with_name(copy.name + ".part")
    try:
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
        try:
            _copy(path, part)
            part.rename(copy)
        finally:
            part.unlink(missing_ok=True)
        sync_folder(copy.parent)
    except OSError as error:
        print(f"{copy}: cannot be written: {error.strerror or error}", file=sys.stderr)
        return exit_codes.OUTBOX_UNWRITABLE
    size = copy.stat().st_size
    if arguments.json:
        print_json({"path": str(copy), "bytes": size})
    else:
        print(
            f"{copy}: {size / 1e6:,.1f} MB, checked. To use it: stop forwarder, delete {path.name}-wal and {path.name}-shm if "
            f"they are there (they belong to the old file), put the copy in the place of {path} with the same owner, start."
        )
    return exit_codes.OK


def _copy(path: Path, part: Path) -> None:
    with reading(path) as source:
        # A read transaction over the whole copy: what the daemon writes meanwhile is not in it, and does not begin it anew.
        source.execute("BEGIN")
        source.execute("SELECT count(*) FROM state").fetchone()
        target = sqlite3.connect(part, isolation_level=None)
        try:
            with progress("pages copied", None) as bar:
                source.backup(target, pages=_PAGES_A_STEP, progress=lambda _, left, total: bar.to(total - left))
            target.execute("PRAGMA journal_mode = DELETE")  # one file, with nothing beside it
            if (found := target.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
                raise unwritable(part, OSError(f"the copy is not sound: {found}"))
        except sqlite3.Error as error:
            raise unwritable(part, error) from error
        finally:
            target.close()
    descriptor = os.open(part, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def export_file(arguments: argparse.Namespace) -> int:
    """Print every event as a line of JSON."""
    with reading(places(arguments).outbox) as connection:
        for event in export(connection, query(arguments)):
            print_json(event)
    return exit_codes.OK
