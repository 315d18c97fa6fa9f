"""`forwarder status`: shows the state of a running daemon, and whether it is well."""

import argparse
import io
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from datetime import UTC, datetime
from time import sleep
from typing import Any, NamedTuple

import msgspec

from forwarder.cli import exit_codes
from forwarder.cli.disk_watch import DiskSilentError, read_apart
from forwarder.cli.listing import print_json, screen_width
from forwarder.cli.locations import Places, places_of_running, report_errors
from forwarder.cli.status_lines import lines_of, verdict_lines
from forwarder.cli.status_values import StatusLine
from forwarder.cli.terminal import output_escaped, with_colours
from forwarder.control.client import control
from forwarder.control.errors import NoDaemonError
from forwarder.core.commands import MetricsAnswer, MetricsRequest, StatusRequest
from forwarder.core.monitoring.status import Backlog, StatusReport, UnreadableStatusError, decode_status
from forwarder.core.monitoring.verdict import HealthLevel, Verdict, judge
from forwarder.core.monitoring.whole_backlog import whole_backlog
from forwarder.core.visible import escaped
from forwarder.outbox.open import read_backlog
from forwarder.outbox.problems import OutboxUnusableError

_CODES = {HealthLevel.OK: exit_codes.OK, HealthLevel.DEGRADED: exit_codes.DEGRADED, HealthLevel.DOWN: exit_codes.DOWN}
_COLOURS = {HealthLevel.OK: "32", HealthLevel.DEGRADED: "33", HealthLevel.DOWN: "1;31"}
"""The colour of the verdict on a terminal (ECMA-48): green, yellow, bold red."""
_HOME, _END_OF_LINE, _END_OF_SCREEN = "\x1b[H", "\x1b[K", "\x1b[J"
"""Move to the first line; clear what is left of a line, and of the screen."""


class _Found(NamedTuple):
    answer: dict[str, Any]
    """The answer of the daemon, with the keys that only its version knows."""
    status: StatusReport
    backlog: Backlog | None
    """`None` if the outbox cannot be read."""
    verdict: Verdict
    code: int


@report_errors
def run(arguments: argparse.Namespace) -> int:
    """Print the status once, or again and again; the exit code is that of the last verdict, or 69 if no daemon or no disk answers."""
    where = places_of_running(arguments)
    if arguments.watch is None:
        return _show_once(arguments, where)
    try:
        while True:
            _show_next(arguments, where)
            sleep(arguments.watch)
    except KeyboardInterrupt:
        if _is_screen():
            print()  # the terminal shows ^C
        raise


def _show_next(arguments: argparse.Namespace, where: Places) -> None:
    """Print the status, on a terminal in place of the one before it. A daemon that does not answer is no reason to end: it may come back."""
    if not _is_screen() or arguments.json or arguments.prometheus:
        _show_or_say(arguments, where)
        return
    frame = _Frame()
    with redirect_stdout(frame), redirect_stderr(frame if sys.stderr.isatty() else sys.stderr), output_escaped():
        _show_or_say(arguments, where)
    terminal = with_colours(sys.stdout)
    lines = frame.getvalue().replace("\n", f"{_END_OF_LINE}\n")
    terminal.write(f"{_HOME}{lines}{_END_OF_SCREEN}")
    terminal.flush()


def _show_or_say(arguments: argparse.Namespace, where: Places) -> None:
    try:
        _show_once(arguments, where)
    except NoDaemonError as error:
        print(error, file=sys.stderr)
    sys.stdout.flush()


class _Frame(io.StringIO):
    """Keeps what is written for a terminal until all of it is there, so that nothing flickers."""

    def isatty(self) -> bool:
        """Return that it has colours."""
        return True


def _show_once(arguments: argparse.Namespace, where: Places) -> int:
    if arguments.prometheus:
        return _print_metrics(where)
    found = _ask(where)
    if arguments.json:
        missing = dict.fromkeys(Backlog.__struct_fields__)
        backlog = missing if found.backlog is None else msgspec.to_builtins(found.backlog)
        concerns = msgspec.to_builtins(found.verdict.concerns)
        verdict = {"level": str(found.verdict.level), "line": found.verdict.line, "concerns": concerns}
        print_json(found.answer | backlog | {"verdict": verdict})
    else:
        with _readable():
            lines = lines_of(found.status, found.backlog, now=datetime.now(UTC), width=screen_width())
        _print_verdict(found.verdict)
        _print_lines(lines)
    return found.code


def _ask(where: Places) -> _Found:
    """Ask the daemon and read the outbox. Raises `NoDaemonError`, `UnreadableStatusError`."""
    with control(where.socket, outbox=where.outbox) as daemon:
        answer = daemon.ask(StatusRequest())
    status, now = decode_status(answer), datetime.now(UTC)
    backlog: Backlog | None = None
    silent_disk = False
    try:
        fields = read_apart(lambda: msgspec.to_builtins(read_backlog(where.outbox, now=now)))
        backlog = msgspec.convert(fields, Backlog)
    except OutboxUnusableError:  # the daemon's own words say why
        pass
    except DiskSilentError as silent:
        print(silent, file=sys.stderr)
        silent_disk = True
    backlog = whole_backlog(backlog, status.outbox)
    with _readable():
        verdict = judge(status, now=now, unrepaired_gaps=0 if backlog is None else backlog.unrepaired_gaps)
    code = exit_codes.DISK_SILENT if silent_disk else _CODES[verdict.level]
    return _Found(answer, status, backlog, verdict, code)


def _print_verdict(verdict: Verdict) -> None:
    text = "\n".join(verdict_lines(verdict, width=screen_width()))
    if not _is_screen() or os.environ.get("NO_COLOR"):
        print(text)
        return
    sys.stdout.flush()
    rest = escaped(text.removeprefix(verdict.level))
    terminal = with_colours(sys.stdout)
    terminal.write(f"\x1b[{_COLOURS[verdict.level]}m{verdict.level}\x1b[0m{rest}\n")
    terminal.flush()


def _print_lines(lines: Sequence[StatusLine]) -> None:
    """Print the lines, on a terminal in the colour of what they say."""
    if not _is_screen() or os.environ.get("NO_COLOR"):
        print("\n".join(line.text for line in lines))
        return
    sys.stdout.flush()
    terminal = with_colours(sys.stdout)
    for line in lines:
        text = escaped(line.text)
        is_plain = line.level is HealthLevel.OK
        terminal.write(f"{text}\n" if is_plain else f"\x1b[{_COLOURS[line.level]}m{text}\x1b[0m\n")
    terminal.flush()


def _is_screen() -> bool:
    return sys.stdout.isatty()


@contextmanager
def _readable() -> Iterator[None]:
    """Raise `UnreadableStatusError` where a value of the status is of the right type and means nothing."""
    try:
        yield
    except (ValueError, ArithmeticError, TypeError) as error:  # such as a moment that is none, or has no time zone
        raise UnreadableStatusError(str(error)) from error


def _print_metrics(where: Places) -> int:
    """Print the metrics as the daemon writes them. Raises `NoDaemonError`."""
    try:
        with control(where.socket, outbox=where.outbox) as daemon:
            text = daemon.ask_for(MetricsAnswer, MetricsRequest()).text
    except NoDaemonError:
        from forwarder.web.metrics import without_daemon  # only where it is needed

        # A file that is not written again would look like a daemon that runs.
        print(without_daemon().text.decode(), end="")
        raise
    print(text, end="")
    return exit_codes.OK  # the metrics say how it is
