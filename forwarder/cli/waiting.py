"""Waits until what a person had delivered again, to some destinations, is delivered or dead."""

import sys
import time
from collections import Counter
from collections.abc import Sequence

from forwarder.cli import exit_codes
from forwarder.cli.listing import print_json, shown
from forwarder.cli.locations import Places
from forwarder.cli.progress import progress
from forwarder.cli.status_destinations import destination_state
from forwarder.control.client import control
from forwarder.core.commands import StatusRequest
from forwarder.core.counted import counted
from forwarder.core.delivery import Trigger
from forwarder.core.history import Query
from forwarder.core.monitoring.status import StatusReport, decode_status
from forwarder.outbox.open import open_history

LOOK_EVERY_S = 0.2
_AGAIN = frozenset({Trigger.MANUAL, Trigger.REPLAY, Trigger.RESEND})
"""Why a delivery is made that a person asked for."""
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


def died_again(found: Places, destinations: Sequence[str], *, since_ms: int) -> Counter[tuple[str, str]]:
    """Return how many deliveries that a person had made again are dead since then, by destination and reason."""
    with open_history(found.outbox) as history:
        return Counter(
            (name, letter["reason"] or "")
            for name in destinations
            for letter in history.dead_letters(Query(destination=name, since_ms=since_ms))
            if letter["trigger"] in _AGAIN
        )


def report_end(found: Places, destinations: Sequence[str], *, since_ms: int, as_json: bool) -> int:
    """Print what died again of what was waited for, and return the exit code."""
    dead = died_again(found, destinations, since_ms=since_ms)
    if as_json:
        print_json({"died_again": dead.total()})
    elif dead:
        print(f"{counted(dead.total(), 'delivery', 'deliveries')} died again:")
        for (name, reason), count in dead.most_common():
            print(f"  {count:,} to {shown(name)}: {shown(reason)}")
    return exit_codes.FAILURE if dead else exit_codes.OK


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
