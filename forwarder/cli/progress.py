"""Shows the progress of long work on standard error: a bar on a terminal, else a line now and then."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

from forwarder.cli.terminal import with_colours

_FIRST_S, _THEN_S = 2.0, 15.0
"""When the first line comes, and the time between two lines."""


class ProgressReporter:
    """Takes the progress of long work."""

    def __init__(self, advance: Callable[[int], None]) -> None:
        self._advance = advance

    def to(self, done: int) -> None:
        """Note how much is done so far."""
        self._advance(done)


@contextmanager
def progress(what: str, total: int | None) -> Iterator[ProgressReporter]:
    """Show the progress of the work in the block. `total` is `None` if nobody knows it."""
    if not sys.stderr.isatty():
        yield ProgressReporter(_Lines(what, total).note)
        return
    from rich.console import Console  # only where there is a terminal
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bars(*columns, console=Console(file=with_colours(sys.stderr)), transient=True) as bars:
        task = bars.add_task(what, total=total)
        yield ProgressReporter(lambda done: bars.update(task, completed=done))


class _Lines:
    """Prints progress as lines; short work prints nothing."""

    def __init__(self, what: str, total: int | None) -> None:
        self._what = what
        self._total = "" if total is None else f" of {total:,}"
        self._next = monotonic() + _FIRST_S

    def note(self, done: int) -> None:
        if monotonic() < self._next:
            return
        self._next = monotonic() + _THEN_S
        print(f"{self._what}: {done:,}{self._total}", file=sys.stderr, flush=True)


def waiting_for(what: str) -> Callable[[float], None]:
    """Return a function that says now and then that something is not done yet. It is called often, with the seconds so far."""
    says_at = _FIRST_S

    def note(elapsed_s: float) -> None:
        nonlocal says_at
        if elapsed_s >= says_at:
            says_at = elapsed_s + _THEN_S
            print(f"{what}: {elapsed_s:.0f} s so far", file=sys.stderr, flush=True)

    return note
