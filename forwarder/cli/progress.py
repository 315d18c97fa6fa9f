"""How far a long work is, on standard error: a bar on a terminal, a line now and then elsewhere and where there is nothing to count."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

_FIRST_S, _THEN_S = 2.0, 15.0
"""When the lines come, where no bar is drawn."""


class Progress:
    """What a long work tells of itself."""

    def __init__(self, advance: Callable[[int], None]) -> None:
        self._advance = advance

    def to(self, done: int) -> None:
        """Note how much is done."""
        self._advance(done)


@contextmanager
def progress(what: str, total: int | None) -> Iterator[Progress]:
    """Show how far it is for the length of the block."""
    if not sys.stderr.isatty():
        yield Progress(_Lines(what, total).note)
        return
    from rich.console import Console  # noqa: PLC0415 - only where there is a terminal
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn  # noqa: PLC0415
    from rich.progress import Progress as Bars  # noqa: PLC0415

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task(what, total=total)
        yield Progress(lambda done: bars.update(task, completed=done))


class _Lines:
    """Progress where a bar would be noise: a short work says nothing."""

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
    """Return what says that something still lasts; it is called often, with the seconds so far."""
    says_at = _FIRST_S

    def note(elapsed_s: float) -> None:
        nonlocal says_at
        if elapsed_s >= says_at:
            says_at = elapsed_s + _THEN_S
            print(f"{what}: {elapsed_s:.0f} s so far", file=sys.stderr, flush=True)

    return note
