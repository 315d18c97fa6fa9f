"""Changes the outbox for a command: through the running daemon, or in the file where none runs."""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta

from forwarder.cli.locations import Places
from forwarder.cli.names import require_enabled
from forwarder.cli.progress import waiting_for
from forwarder.configfile.locations import UNIT_SOCKET, is_there
from forwarder.control.client import Control, control
from forwarder.control.errors import NoDaemonError
from forwarder.core.commands import Change, Changed, PauseChange, Replay
from forwarder.outbox.open import open_for_change
from forwarder.outbox.problems import OutboxProblem, OutboxUnusableError

SLICE_WITHIN = timedelta(minutes=1)
"""How long the daemon may take for a slice of a replay or of a vacuum: it takes milliseconds, unless its disk is slow."""


def _ask_for(daemon: Control, change: Change) -> Changed:
    """Have the daemon do a slice of a change, and return its answer."""
    if isinstance(change, PauseChange):
        return daemon.ask_for(Changed, change)
    return daemon.ask_for(
        Changed, change, within=SLICE_WITHIN, waiting=waiting_for("the daemon writes into its outbox")
    )


@contextmanager
def changer(found: Places) -> Iterator[Callable[[Change], Changed]]:
    """Yield a function that does one slice of a change: in the file under its lock, or through the daemon that holds the lock.

    If a service runs on this machine and has another outbox, a note at the end says so. Raises `OutboxUnusableError`, `NoDaemonError`,
    `DaemonRefusedError`, `UsageError`.
    """
    with ExitStack() as held:
        try:
            editor = held.enter_context(open_for_change(found.outbox))
        except OutboxUnusableError as error:
            if error.problem not in {OutboxProblem.IN_USE, OutboxProblem.UNWRITABLE}:
                raise
            try:  # if this user may not open the file, the daemon may change it for them
                daemon = held.enter_context(control(found.socket, outbox=found.outbox))
            except NoDaemonError:
                if error.problem is OutboxProblem.IN_USE:
                    raise
                raise error from None
            yield lambda change: _ask_for(daemon, change)
            return

        def change_file(change: Change) -> Changed:
            name = change.to if isinstance(change, Replay) else None
            name = change.destination if isinstance(change, PauseChange) else name
            if name is not None:
                require_enabled(found, name)
            return editor.apply(change)

        yield change_file
        if is_there(UNIT_SOCKET):
            note = (
                f"no forwarder is running with {found.outbox}, so this changes nothing for the service of this machine"
            )
            print(f"note: {note}", file=sys.stderr)
