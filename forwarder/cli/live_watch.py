"""Follows what passes through the running daemon. It comes back to a daemon that was restarted or upgraded, and says so."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from forwarder.cli.locations import Places
from forwarder.control.client import Control, control
from forwarder.control.errors import NoDaemonError
from forwarder.core.commands import Watch

_TRY_EVERY_S = 0.3

Note = Callable[[str], None]
FillIn = Callable[[int], None]
"""Shows what passed since a time, in Unix milliseconds, at which the daemon went away."""


def _note_on_standard_error(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


class LiveWatch:
    """Holds the connection over which the daemon shows what passes."""

    def __init__(
        self, where: Places, request: Watch, note: Note = _note_on_standard_error, *, fill_in: FillIn | None = None
    ) -> None:
        """`note` takes a sentence at the beginning, when the daemon is away, and when it is back. Then `fill_in` is called."""
        self._where = where
        self._request = request
        self._note = note
        self._fill_in = fill_in
        self._connection = ExitStack()
        self._passing: Iterator[bytes] = iter(())
        self._daemon: Control | None = None
        self._pid = 0
        self._over = threading.Event()

    @contextmanager
    def connected(self) -> Iterator[None]:
        """Be connected for the length of the block. Raises `NoDaemonError`, `DaemonRefusedError`."""
        try:
            self._connect()
            self._note(f"watching forwarder (process {self._pid}); Ctrl-C ends this")
            yield
        finally:
            self._connection.close()

    def lines(self) -> Iterator[bytes]:
        """Yield the lines of what passes, until `end`. Raises `DaemonRefusedError` if a later daemon does not want to be watched."""
        while not self._over.is_set():
            try:
                yield from self._passing
            except NoDaemonError as error:
                if self._over.is_set():
                    return
                self._note(f"{error}; waiting for it to be back")
            away_since_ms = time.time_ns() // 1_000_000
            self._connect_again()
            if self._fill_in is not None and not self._over.is_set():
                self._fill_in(away_since_ms)

    def end(self) -> None:
        """Have `lines` end, from another thread."""
        self._over.set()
        if self._daemon is not None:
            self._daemon.interrupt()

    def _connect(self) -> None:
        self._connection.close()
        daemon = self._connection.enter_context(control(self._where.socket, outbox=self._where.outbox))
        self._daemon, self._passing, self._pid = daemon, daemon.watch(self._request), daemon.pid

    def _connect_again(self) -> None:
        """Return once the daemon, or another one, is there."""
        before = self._pid
        while not self._over.is_set():
            try:
                self._connect()
            except NoDaemonError:
                self._over.wait(_TRY_EVERY_S)
                continue
            who = f"process {self._pid}" if self._pid == before else f"process {self._pid} instead of {before}"
            what = (
                "is not shown here, but in: forwarder events"
                if self._fill_in is None
                else "is in the list that follows"
            )
            self._note(f"forwarder is back ({who}); what passed meanwhile {what}")
            return
