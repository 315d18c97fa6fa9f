"""Waits until deliveries that a person had sent again are delivered or dead, and says meanwhile why they are not."""

import sys
import time
from collections.abc import Mapping

from forwarder.cli.history import end_of
from forwarder.cli.listing import shown
from forwarder.cli.locations import Places
from forwarder.cli.status_destinations import destination_state
from forwarder.cli.waiting import LOOK_EVERY_S, SAY_WHY_AFTER_S, SAY_WHY_EVERY_S, status_of_daemon
from forwarder.core.history import Record
from forwarder.outbox.open import open_history

_OPEN = frozenset({"pending", "in_flight"})

Key = tuple[int, str]
"""The number of an event, and a destination."""


def wait_for(found: Places, sent: Mapping[str, Key]) -> dict[Key, Record]:
    """Return the deliveries, by their keys, once all have ended. `sent` has the keys by `webhook-id`, which may be of several events.

    What is not kept any more is left out. Raises `NoDaemonError` if the daemon ends before: then nothing is delivered.
    """
    ended: dict[Key, Record] = {}
    attempts: dict[Key, int] = {}
    say_at = time.monotonic() + SAY_WHY_AFTER_S
    while True:
        states = status_of_daemon(found).destinations
        now = _look(found, sent)
        for key, delivery in now.items():
            if delivery["status"] not in _OPEN:
                ended[key] = delivery
            elif attempts.setdefault(key, delivery["attempts_made"]) != delivery["attempts_made"]:
                attempts[key] = delivery["attempts_made"]
                print(f"{shown(key[1])}: {shown(delivery['reason'])}; {end_of(delivery)}", file=sys.stderr, flush=True)
        waiting = sorted({name for _, name in now.keys() - ended.keys()})
        if not waiting:
            return ended
        if time.monotonic() >= say_at:
            say_at = time.monotonic() + SAY_WHY_EVERY_S
            for name in waiting:
                why = destination_state(name, states.get(name), has_waiting=True)
                print(f"waiting for {shown(name)}: {shown(why)}", file=sys.stderr, flush=True)
        time.sleep(LOOK_EVERY_S)


def _look(found: Places, sent: Mapping[str, Key]) -> dict[Key, Record]:
    with open_history(found.outbox) as history:
        return {
            key: delivery
            for id_, key in sent.items()
            for delivery in history.find_deliveries(id_)
            if delivery["event_seq"] == key[0]
        }
