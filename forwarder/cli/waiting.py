"""Waits until what a person had delivered again, to some destinations, is delivered or dead."""

import sys
import time
from collections.abc import Sequence

from forwarder.cli.listing import shown
from forwarder.cli.locations import Places
from forwarder.cli.progress import progress
from forwarder.cli.status_lines import destination_state
from forwarder.control.client import control
from forwarder.core.commands import StatusRequest
from forwarder.core.counted import counted
from forwarder.core.monitoring.status import StatusReport, decode_status
from forwarder.outbox.open import open_history

LOOK_EVERY_S = 0.2
SAY_WHY_AFTER_S, SAY_WHY_EVERY_S = 2.0, 15.0
"""How long nothing is delivered before the reason is shown, and the time until it is shown again."""


def require_daemon(found: Places) -> None:
    """Raise `NoDaemonError` if no daemon runs: then nothing is delivered."""
    status_of_daemon(found)


def wait_until_sent(found: Places, destinations: Sequence[str]) -> None:
    """Return once nothing waits for them. Raises `NoDaemonError` if the daemon ends before."""
    before = _waiting(found, destinations)
    total = sum(before.values())
    say_at = time.monotonic() + SAY_WHY_AFTER_S
    with progress("delivered", total) as bar:
        while before:
            status = status_of_daemon(found)  # fails if the daemon is stopped, and delivers nothing
            left = _waiting(found, destinations)
            bar.to(max(total - sum(left.values()), 0))
            now = time.monotonic()
            if left != before:
                before, say_at = left, max(say_at, now + SAY_WHY_AFTER_S)
            elif now >= say_at:
                say_at = now + SAY_WHY_EVERY_S
                _say_why(left, status)
            if left:
                time.sleep(LOOK_EVERY_S)


def _waiting(found: Places, destinations: Sequence[str]) -> dict[str, int]:
    """Return how many deliveries wait, by destination, without those for which none does."""
    with open_history(found.outbox) as history:
        counts = {name: history.count_replaying(name) for name in destinations}
    return {name: count for name, count in counts.items() if count}


def _say_why(left: dict[str, int], status: StatusReport) -> None:
    for name, count in left.items():
        why = destination_state(name, status.destinations.get(name), has_waiting=True)
        if why != "ok":  # otherwise they are not due yet, because of --rate
            waits = counted(count, "delivery waits", "deliveries wait")
            print(f"{waits} for {shown(name)}: {shown(why)}", file=sys.stderr, flush=True)


def status_of_daemon(found: Places) -> StatusReport:
    """Return what the daemon says of itself. Raises `NoDaemonError`."""
    with control(found.socket, outbox=found.outbox) as daemon:
        return decode_status(daemon.ask(StatusRequest()))
