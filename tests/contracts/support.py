"""A store of the outbox as the contracts see it: only what `forwarder.outbox.open` opens, and the verbs of the ports."""

from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass

from forwarder.core.commands import Replay
from forwarder.core.history import History
from forwarder.outbox.open import Location, open_for_change, open_history, open_outbox
from forwarder.outbox.store import OutboxEditor, OutboxStore


@dataclass(frozen=True, slots=True)
class Store:
    """Names one outbox, which each test opens as the daemon, as a reader, or as a command that changes it."""

    location: Location

    def open(self) -> AbstractAsyncContextManager[OutboxStore]:
        """Open it as the daemon does; on the way out everything is stored."""
        return open_outbox(self.location)

    def history(self) -> AbstractContextManager[History]:
        """Open it to read it."""
        return open_history(self.location)

    def editor(self) -> AbstractContextManager[OutboxEditor]:
        """Open it to change it without a daemon."""
        return open_for_change(self.location)

    @property
    def is_balanced(self) -> bool:
        """Whether every event and delivery is accounted for."""
        with self.history() as history:
            return history.audit()[0].is_balanced


async def stored(outbox: OutboxStore) -> None:
    """Return once everything queued so far is stored: a change is carried out after what was queued before it."""
    await outbox.change(Replay(to="nobody", since_ms=0, until_ms=0, start_ms=0, rate=1.0))
