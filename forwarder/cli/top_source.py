"""Where `top` has its data from: the status of the daemon, what passes through it, and the outbox. Everything here blocks: call it in a thread."""

import threading
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from forwarder.cli.listing import now_ms
from forwarder.cli.live_filters import Wants
from forwarder.cli.live_output import read_line
from forwarder.cli.live_watch import LiveWatch
from forwarder.cli.locations import Places
from forwarder.cli.waits import WaitingReasons
from forwarder.control.client import control
from forwarder.control.errors import DaemonRefusedError, NoDaemonError
from forwarder.core.commands import Changed, PauseChange, Resend, StatusRequest, Watch
from forwarder.core.history import Record
from forwarder.core.monitoring.live import Lost, Passing, PassingAttempt, PassingEvent
from forwarder.core.monitoring.status import Backlog, StatusReport, decode_status
from forwarder.core.monitoring.verdict import Verdict, judge
from forwarder.core.monitoring.whole_backlog import whole_backlog
from forwarder.outbox.open import open_history, read_backlog
from forwarder.outbox.problems import OutboxUnusableError

_KEPT = 2_000
"""How many lines wait for the screen; it shows the newest."""
_TRY_EVERY_S = 0.5
_WHY = "from forwarder top"


class Snapshot(NamedTuple):
    """What the daemon says of itself at one moment."""

    verdict: Verdict
    status: StatusReport
    backlog: Backlog | None = None
    """`None` if the outbox cannot be read."""


def ask(where: Places) -> Snapshot:
    """Return how the daemon is now. Raises `NoDaemonError`, `DaemonRefusedError`, `UnreadableStatusError`."""
    with control(where.socket, outbox=where.outbox) as daemon:
        status = decode_status(daemon.ask(StatusRequest()))
    backlog: Backlog | None = None
    now = datetime.now(UTC)
    with suppress(OutboxUnusableError):  # this user may not be allowed to read it: see admin.group
        backlog = whole_backlog(read_backlog(where.outbox, now=now), status.outbox)
    verdict = judge(status, now=now, unrepaired_gaps=0 if backlog is None else backlog.unrepaired_gaps)
    return Snapshot(verdict, status, backlog)


class OpenedEvent(NamedTuple):
    """An event of the outbox with its deliveries and their attempts; without an event, why."""

    event: Record | None
    deliveries: Sequence[Record] = ()
    why_not: str = ""


def open_event(where: Places, event_id: str) -> OpenedEvent:
    """Return what the outbox has of an event."""
    try:
        with open_history(where.outbox) as history:
            events = history.find_events(event_id)
            if not events:
                return OpenedEvent(None, why_not="the outbox does not have this event (yet)")
            newest = events[-1]
            reasons = WaitingReasons(where, history)
            found = [
                reasons.of_delivery(each)
                for each in history.find_deliveries(event_id)
                if each["event_seq"] == newest["event_seq"]
            ]
            return OpenedEvent(newest, found)
    except OutboxUnusableError as error:
        return OpenedEvent(None, why_not=str(error))


def change_pause(where: Places, destination: str, *, is_to_pause: bool) -> str:
    """Pause or resume a destination; return what was done, or why not."""
    request = PauseChange(verb="pause" if is_to_pause else "resume", destination=destination, why=_WHY, now_ms=now_ms())
    try:
        with control(where.socket, outbox=where.outbox) as daemon:
            is_changed = daemon.ask_for(Changed, request).changed
    except (DaemonRefusedError, NoDaemonError) as error:
        return str(error)
    already = "" if is_changed else " already"
    return f"{destination} is {'paused' if is_to_pause else 'resumed'}{already}"


def resend(where: Places, event_seq: int, destinations: Sequence[str]) -> str:
    """Have an event sent again to these destinations; return what was done, or why not."""
    keys = tuple((event_seq, name) for name in destinations)
    try:
        with control(where.socket, outbox=where.outbox) as daemon:
            done = daemon.ask_for(Changed, Resend(keys=keys, now_ms=now_ms()))
    except (DaemonRefusedError, NoDaemonError) as error:
        return str(error)
    names = ", ".join(destinations)
    return (
        f"queued again for {names}" if done.changed else f"not queued for {names}: it is being sent, or waits already"
    )


class Feeder:
    """Reads what passes in a thread of its own, which nothing waits for at the end of the process."""

    def __init__(self, where: Places, request: Watch, wanted: Sequence[Wants]) -> None:
        self._wanted = wanted
        self._passed = deque[Passing](maxlen=_KEPT)
        self._is_over = False
        self.lost = 0
        """How many lines the daemon could not hand over, because this process was too slow or stopped."""
        self.note = ""
        """Why nothing passes, if the daemon is away."""
        self._watch = LiveWatch(where, request, self._take_note)
        self._thread = threading.Thread(target=self._run, name="feeder", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """Read no more."""
        self._is_over = True
        self._watch.end()

    def take(self) -> list[Passing]:
        """Return what has passed since the last time; of very much only the newest."""
        taken: list[Passing] = []
        while self._passed:
            taken.append(self._passed.popleft())
        return taken

    def _take_note(self, note: str) -> None:
        self.note = note

    def _run(self) -> None:
        while not self._is_over:
            try:
                with self._watch.connected():
                    self.note = ""
                    for line in self._watch.lines():
                        self._take(read_line(line))
            except (NoDaemonError, DaemonRefusedError) as error:
                self.note = str(error)
                time.sleep(_TRY_EVERY_S)

    def _take(self, item: PassingEvent | PassingAttempt | Lost | None) -> None:
        if isinstance(item, Lost):
            self.lost += item.lost
        elif item is not None and all(wants(item) for wants in self._wanted):
            self._passed.append(item if item.body is None else msgspec.structs.replace(item, body=None))
            self.note = ""
