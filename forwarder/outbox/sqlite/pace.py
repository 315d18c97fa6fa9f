"""How long a batch gathers before it is written: long enough that several events share a commit where many come, and short otherwise."""

from math import exp

FEW_GATHER_S = 0.002
"""How long a batch gathers where few events come, or where somebody waits for the commit."""
MANY_GATHER_S = 0.01
"""How long a batch gathers where many events come. Outcomes gather as long, because nobody waits until they are on disk: one that comes
back in time is written together with its event, once."""
BURST_GATHER_S = 0.008
"""How long a batch gathers in a burst, where the commit itself takes longer: it waits for the interpreter, which the loop is using."""
_MANY, _BURST = 30, 1_000
"""Events in about a second that are many, and that are a burst."""


class Pace:
    """Follows how fast events come."""

    def __init__(self) -> None:
        self._events = 0.0
        """The events of the last second or so: each counts for less as it gets older."""
        self._noted_at = 0.0

    def note_commit(self, events: int, *, now: float) -> None:
        """Note that a batch with so many events was written; `now` by the monotonic clock, in seconds."""
        self._events = self._events * exp(self._noted_at - now) + events
        self._noted_at = now

    def gather_s(self, *, now: float) -> float:
        """Return how long a batch gathers whose first event comes now."""
        events = self._events * exp(self._noted_at - now)
        if events < _MANY:
            return FEW_GATHER_S
        return MANY_GATHER_S if events < _BURST else BURST_GATHER_S
