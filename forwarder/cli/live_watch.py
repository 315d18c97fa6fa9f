"""Follows what passes through the running daemon. It comes back to a daemon that was restarted or upgraded, and says so."""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from forwarder.cli.locations import Places
from forwarder.control.client import Control, control
from forwarder.control.errors import NoDaemonError
from forwarder.core.commands import Watch

_TRY_EVERY_S = 0.3

Note = Callable[[str], None]


def _note_on_standard_error(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


class LiveWatch:
    """Holds the connection over which the daemon shows what passes."""

    def __init__(self, where: Places, request: Watch, note: Note = _note_on_standard_error) -> None:
        """`note` takes a sentence at the beginning, when the daemon is away, and when it is back."""
        self._where = where
        self._request = request
        self._note = note
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
            self._connect_again()

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
            self._note(f"forwarder is back ({who}); what passed meanwhile is not shown here, but in: forwarder events")
            return
