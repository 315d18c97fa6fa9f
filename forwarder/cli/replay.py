"""`forwarder replay`: queues events of the history for a destination (again)."""

import argparse
import sys
import time

from forwarder.cli import exit_codes
from forwarder.cli.changer import changer
from forwarder.cli.listing import now_ms, print_json, shown
from forwarder.cli.locations import Places, places, report_errors
from forwarder.cli.names import require_enabled, require_names
from forwarder.cli.progress import progress
from forwarder.cli.status_lines import destination_state
from forwarder.control.client import control
from forwarder.control.errors import NoDaemonError
from forwarder.core.commands import Replay, StatusRequest
from forwarder.core.counted import counted
from forwarder.core.history import Query
from forwarder.core.monitoring.status import decode_status
from forwarder.outbox.open import open_history

_LOOK_EVERY_S = 0.2
_SAY_WHY_AFTER_S, _SAY_WHY_EVERY_S = 2.0, 15.0
"""How long nothing is delivered before the reason is shown, and the time until it is shown again."""


@report_errors
def run(arguments: argparse.Namespace) -> int:
    """Queue the deliveries. Each keeps its `webhook-id`, so a receiver can drop those it has."""
    begin_ms = now_ms()
    until_ms = begin_ms if arguments.until is None else arguments.until
    found = places(arguments)
    if arguments.wait:
        with control(found.socket, outbox=found.outbox) as daemon:  # without a daemon nothing is delivered
            daemon.ask(StatusRequest())
    asked = Query(since_ms=arguments.since, until_ms=until_ms, source=arguments.source, route=arguments.route)
    with open_history(found.outbox) as history:
        total = history.count_replayable(asked, to=arguments.to, missing=arguments.missing)
        if not total:
            require_names(found, history, destination=arguments.to, route=arguments.route, source=arguments.source)
    if arguments.dry_run:
        require_enabled(found, arguments.to)
        _say(
            arguments,
            {"would_queue": total},
            f"{counted(total, 'delivery', 'deliveries')} to {arguments.to} would be queued.",
        )
        return exit_codes.OK
    done, left_alone, after = 0, 0, 0
    try:
        with changer(found) as change, progress(f"to {arguments.to}", total) as bar:
            while True:
                changed = change(
                    Replay(
                        to=arguments.to,
                        since_ms=arguments.since,
                        until_ms=until_ms,
                        route=arguments.route,
                        source=arguments.source,
                        missing=arguments.missing,
                        start_ms=begin_ms,
                        rate=arguments.rate,
                        position=done,
                        after_seq=after,
                    )
                )
                done, left_alone, after = done + changed.changed, left_alone + changed.left_alone, changed.last_seq
                bar.to(done)
                if changed.is_last:
                    break
    except NoDaemonError as error:
        raise type(error)(
            f"{error}. {counted(done, 'delivery was', 'deliveries were')} queued before; run the same command again, and it skips those that wait"
        ) from error
    _say(
        arguments,
        {"queued": done, "left_alone": left_alone},
        f"{counted(done, 'delivery', 'deliveries')} to {arguments.to} queued at {arguments.rate:g} a second; "
        f"{counted(left_alone, 'was skipped, because it waits or is', 'were skipped, because they wait or are')} delivered already.",
    )
    if arguments.wait:
        _wait(found, arguments.to)
    return exit_codes.OK


def _wait(found: Places, to: str) -> None:
    """Return once they are delivered or dead. Raises `NoDaemonError` if the daemon ends before."""
    with open_history(found.outbox) as history:
        total = before = history.count_replaying(to)
    say_at = time.monotonic() + _SAY_WHY_AFTER_S
    with progress("delivered", total) as bar:
        while total:
            # Fails if the daemon is stopped, and delivers nothing.
            with control(found.socket, outbox=found.outbox) as daemon:
                status = decode_status(daemon.ask(StatusRequest()))
            with open_history(found.outbox) as history:
                left = history.count_replaying(to)
            bar.to(max(total - left, 0))
            if not left:
                return
            now = time.monotonic()
            if left != before:
                before, say_at = left, max(say_at, now + _SAY_WHY_AFTER_S)
            elif now >= say_at:
                say_at = now + _SAY_WHY_EVERY_S
                why = destination_state(to, status.destinations.get(to), has_waiting=True)
                waits = counted(left, "delivery waits", "deliveries wait")
                if why != "ok":  # otherwise they are not due yet, because of --rate
                    print(f"{waits} for {shown(to)}: {shown(why)}", file=sys.stderr, flush=True)
            time.sleep(_LOOK_EVERY_S)


def _say(arguments: argparse.Namespace, record: dict[str, int], sentence: str) -> None:
    if arguments.json:
        print_json(record)
    else:
        print(sentence)
