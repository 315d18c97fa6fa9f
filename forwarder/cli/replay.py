"""`forwarder replay`: queues events of the history for a destination (again)."""

import argparse
import math

from forwarder.cli import exit_codes
from forwarder.cli.changer import changer
from forwarder.cli.listing import now_ms, print_json, require_period
from forwarder.cli.locations import places, report_errors
from forwarder.cli.names import require_enabled, require_names
from forwarder.cli.progress import progress
from forwarder.cli.waiting import report_end, require_daemon, wait_until_sent
from forwarder.control.errors import NoDaemonError
from forwarder.core.commands import HIGHEST_RATE, Replay
from forwarder.core.counted import counted
from forwarder.core.history import Query
from forwarder.outbox.open import open_history


@report_errors
def run(arguments: argparse.Namespace) -> int:
    """Queue the deliveries. Each keeps its `webhook-id`, so a receiver can drop those it has."""
    require_period(arguments)
    begin_ms = now_ms()
    until_ms = begin_ms if arguments.until is None else arguments.until
    found = places(arguments)
    if arguments.wait:
        require_daemon(found)
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
    speed: float | None = arguments.speed
    is_spaced = speed is not None and speed != math.inf
    done, left_alone, after = 0, 0, 0
    begins_ms: int | None = None
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
                        rate=HIGHEST_RATE if speed == math.inf else arguments.rate,
                        position=done,
                        after_seq=after,
                        speed=speed if is_spaced else None,
                        begins_ms=begins_ms,
                    )
                )
                done, left_alone, after = done + changed.changed, left_alone + changed.left_alone, changed.last_seq
                begins_ms = changed.begins_ms
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
        f"{counted(done, 'delivery', 'deliveries')} to {arguments.to} queued {_pace(speed, arguments.rate)}; "
        f"{counted(left_alone, 'was skipped, because it waits or is', 'were skipped, because they wait or are')} delivered already.",
    )
    if arguments.wait:
        wait_until_sent(found, [arguments.to])
        return report_end(found, [arguments.to], since_ms=begin_ms, as_json=arguments.json)
    return exit_codes.OK


def _pace(speed: float | None, rate: float) -> str:
    """Return how fast the deliveries are made, in words."""
    if speed is None:
        return f"at {rate:g} a second"
    return "to be sent as fast as they can be" if speed == math.inf else f"at {speed:g}x the speed at which they came"


def _say(arguments: argparse.Namespace, record: dict[str, int], sentence: str) -> None:
    if arguments.json:
        print_json(record)
    else:
        print(sentence)
