"""`forwarder pause` and `forwarder resume`: stops and restarts sending to a destination."""

import argparse
from contextlib import suppress
from datetime import UTC, datetime

from forwarder.cli import exit_codes
from forwarder.cli.changer import changer
from forwarder.cli.listing import local, now_ms, print_json
from forwarder.cli.locations import places_of_running, report_errors
from forwarder.core.commands import PauseChange
from forwarder.core.counted import counted
from forwarder.outbox.open import open_history
from forwarder.outbox.problems import OutboxUnusableError


@report_errors
def run(arguments: argparse.Namespace) -> int:
    """Pause or resume, with or without a running daemon. A pause outlasts a restart."""
    found, name = places_of_running(arguments), arguments.destination
    now, seconds = now_ms(), arguments.seconds
    until_ms = None if seconds is None else now + round(seconds * 1000)
    asked = PauseChange(verb=arguments.verb, destination=name, why=arguments.why[:500], now_ms=now, until_ms=until_ms)
    until = None if until_ms is None else datetime.fromtimestamp(until_ms // 1000, UTC).isoformat()
    with changer(found) as change:
        is_changed = bool(change(asked).changed)
    count: int | None = None
    with (
        suppress(OutboxUnusableError),
        open_history(found.outbox) as history,
    ):  # this user may not be allowed to read it: see admin.group
        count = history.waiting().get(name, 0)
    if arguments.json:
        more = {} if until is None else {"until": until}
        print_json(
            {"destination": name, "paused": arguments.verb == "pause", "changed": is_changed, "waiting": count, **more}
        )
    else:
        done = "is paused" if arguments.verb == "pause" else "is resumed"
        already = "" if is_changed else " already"
        queued = "" if count is None else f"; {counted(count, 'delivery waits', 'deliveries wait')} for it"
        end = "" if until is None else f" until {local(until)}"
        print(f"{name} {done}{already}{end}{queued}.")
    return exit_codes.OK
