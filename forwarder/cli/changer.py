"""Changes the outbox for a command: through the running daemon, or in the file where none runs."""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta

from forwarder.cli.locations import Places
from forwarder.cli.names import require_enabled
from forwarder.cli.progress import waiting_for
from forwarder.configfile.locations import UNIT_SOCKET, is_there
from forwarder.control.client import Control, control
from forwarder.control.errors import DaemonRefusedError, NoDaemonError
from forwarder.control.person import this_person
from forwarder.core.commands import Change, Changed, PauseChange, Replay, Resend
from forwarder.outbox.open import open_for_change
from forwarder.outbox.problems import OutboxProblem, OutboxUnusableError

SLICE_WITHIN = timedelta(minutes=1)
"""How long the daemon may take for a slice of a replay or of a vacuum: it takes milliseconds, unless its disk is slow."""


@dataclass(frozen=True, slots=True)
class Changer:
    """Does one slice of a change each time it is called."""

    _apply: Callable[[Change], Changed]
    has_daemon: bool
    """Whether a running daemon makes the changes."""

    def __call__(self, change: Change) -> Changed:
        """Do a slice, and return what it did."""
        return self._apply(change)


def _ask_for(daemon: Control, change: Change, found: Places) -> Changed:
    """Have the daemon do a slice of a change, and return its answer."""
    try:
        if isinstance(change, PauseChange):
            return daemon.ask_for(Changed, change)
        return daemon.ask_for(
            Changed, change, within=SLICE_WITHIN, waiting=waiting_for("the daemon writes into its outbox")
        )
    except DaemonRefusedError:
        for name in _destinations_of(change):
            require_enabled(found, name)  # a name that the config has not is wrong with a daemon and without one
        raise


@contextmanager
def changer(found: Places) -> Iterator[Changer]:
    """Yield what does one slice of a change: in the file under its lock, or through the daemon that holds the lock.

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
            yield Changer(lambda change: _ask_for(daemon, change, found), has_daemon=True)
            return

        def change_file(change: Change) -> Changed:
            for name in _destinations_of(change):
                require_enabled(found, name)
            return editor.apply(change, person=this_person())

        yield Changer(change_file, has_daemon=False)
        if is_there(UNIT_SOCKET):
            note = (
                f"no forwarder is running with {found.outbox}, so this changes nothing for the service of this machine"
            )
            print(f"note: {note}", file=sys.stderr)


def _destinations_of(change: Change) -> list[str]:
    """Return the destinations that a change names and that must be enabled for it."""
    match change:
        case Replay(to=name) | PauseChange(destination=name):
            return [name]
        case Resend(keys=keys):
            return sorted({name for _, name in keys})
        case _:
            return []
