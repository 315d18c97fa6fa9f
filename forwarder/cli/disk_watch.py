"""Ends a command whose disk does not answer: a frozen file system, a device that is gone, a network disk without its network.

The kernel does not end a process that waits for such a disk, nor any of its threads, not even with SIGKILL. So a command does its work in a
child process, and the parent watches it. A single wait of the child that lasts longer than `STUCK_AFTER_S` means that the disk is silent;
work that makes progress has as much time as it needs. What the child prints into a pipe goes through the parent: if the child still held
the pipe, its reader would go on waiting.
"""

import gc
import json
import os
import select
import signal
import stat
import sys
from collections.abc import Callable
from contextlib import suppress
from fcntl import F_SETFL, F_SETOWN, F_SETSIG, fcntl
from pathlib import Path
from time import monotonic
from types import FrameType
from typing import Any, NoReturn

from forwarder.cli import exit_codes

STUCK_AFTER_S = 5.0
_LOOK_EVERY_S = 0.25
_CHUNK_BYTES = 1 << 16
_HANDED_ON = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
_OWN_SIGINT_S = 0.5
"""Ctrl-C goes to both processes; what was sent to the parent alone is handed on after this time."""
SENTENCE = (
    f"the disk with the outbox does not answer: one access to it takes longer than {STUCK_AFTER_S:g} s. Is its file system frozen "
    "(fsfreeze --unfreeze), its device gone, its network down?"
)

_is_real = False
"""Whether this process is a command and nothing else, so that it may fork."""


class DiskSilentError(Exception):
    """A disk does not answer; the text is a sentence for the user."""

    def __init__(self) -> None:
        super().__init__(SENTENCE)


def work_in_child() -> None:
    """Return in a child process, which does the work of this one; the parent passes its exit code on, or ends if the disk is silent.

    Returns in this process if it cannot fork or watch a child. Call it before there is any thread.
    """
    global _is_real  # noqa: PLW0603 - a fact about the process
    try:
        os.close(os.pidfd_open(os.getpid()))
        Path("/proc/self/status").read_bytes()
        alive, end = os.pipe()  # lets the child notice the end of its parent
    except OSError:
        return
    relays = _relays()
    sys.stdout.flush()
    sys.stderr.flush()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _HANDED_ON)  # until the parent can hand them on
    gc.freeze()  # what is loaded stays shared: no collection writes into it
    try:
        child = os.fork()
    except OSError:
        child = -1
    if child > 0:
        os.close(alive)
        _look_on(child, relays, before)
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    os.close(end)
    for relay in relays:
        relay.take(child == 0)
    if child == 0:
        _is_real = True
        _end_with_parent(alive)


def _end_with_parent(alive: int) -> None:
    """Have this process ended by SIGTERM when the other end of the pipe is closed."""
    fcntl(alive, F_SETOWN, os.getpid())
    fcntl(alive, F_SETSIG, signal.SIGTERM)
    fcntl(alive, F_SETFL, os.O_ASYNC | os.O_NONBLOCK)


class _Relay:
    """Passes on what the child prints, to a pipe or a socket of this process."""

    def __init__(self, *descriptors: int) -> None:
        self._descriptors = descriptors
        self.read, self._write = os.pipe()

    def take(self, is_child: bool) -> None:
        """In the child: write there from now on."""
        if is_child:
            for descriptor in self._descriptors:
                os.dup2(self._write, descriptor)
        os.close(self._write)
        os.close(self.read)

    def begin(self) -> None:
        """In the parent: hand on from now on."""
        os.close(self._write)
        os.set_blocking(self.read, False)

    def hand_on(self) -> bool:
        """Pass on what is there; return whether more may come. It waits for a pipe that nobody reads, as any program does."""
        try:
            data = os.read(self.read, _CHUNK_BYTES)
        except BlockingIOError:
            return True
        is_open = bool(data)
        while data:
            try:
                data = data[os.write(self._descriptors[0], data) :]
            except BlockingIOError:
                select.select([], [self._descriptors[0]], [])
            except OSError:  # nobody reads it: the child has to notice
                return False
        return is_open


def _relays() -> list[_Relay]:
    found: dict[tuple[int, int], list[int]] = {}
    for descriptor in (1, 2):
        seen = os.fstat(descriptor)
        if stat.S_ISFIFO(seen.st_mode) or stat.S_ISSOCK(seen.st_mode):
            found.setdefault((seen.st_dev, seen.st_ino), []).append(descriptor)
    return [_Relay(*descriptors) for descriptors in found.values()]


def _look_on(child: int, relays: list[_Relay], mask: set[int | signal.Signals]) -> NoReturn:
    """Hand on what the child prints and is sent, and end as it does. `mask` are the signals that are blocked after the beginning."""
    interrupts: list[float] = []

    def note_interrupt(_number: int, _frame: FrameType | None) -> None:
        interrupts.append(monotonic())

    def hand_on(number: int, _frame: FrameType | None) -> None:
        _kill(child, number)

    signal.signal(signal.SIGINT, note_interrupt)
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, hand_on)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    watch = _DiskWatch(child)
    poll = select.poll()
    ended = os.pidfd_open(child)
    poll.register(ended, select.POLLIN)
    open_relays = {}
    for relay in relays:
        relay.begin()
        open_relays[relay.read] = relay
        poll.register(relay.read, select.POLLIN)
    is_over = False
    while not is_over:
        ready = [descriptor for descriptor, _ in poll.poll(_LOOK_EVERY_S * 1000)]
        for descriptor in ready:
            if descriptor in open_relays and not open_relays[descriptor].hand_on():
                poll.unregister(descriptor)
                os.close(descriptor)
                del open_relays[descriptor]
        is_over = ended in ready and not open_relays.keys() & ready
        if interrupts and monotonic() - interrupts[0] > _OWN_SIGINT_S:
            _kill(child, signal.SIGINT)
            interrupts.clear()
        if not ready and watch.is_stuck():
            _kill(child, signal.SIGKILL)  # when the disk is back
            print(SENTENCE, file=sys.stderr, flush=True)
            os._exit(exit_codes.DISK_SILENT)
    _end_as(os.waitpid(child, 0)[1])


def _end_as(status: int) -> NoReturn:
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
        code = 128 - code
    os._exit(code)


def _kill(child: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(child, number)


class _DiskWatch:
    """Detects a process that waits for a disk: it is in a state that no signal reaches, and has not run since the last look."""

    def __init__(self, pid: int) -> None:
        self._file = Path(f"/proc/{pid}/status")
        self._seen: tuple[str, str] | None = None
        self._since = 0.0

    def is_stuck(self) -> bool:
        """Return whether it has waited for `STUCK_AFTER_S`. Call it every now and then."""
        now, seen = monotonic(), self._look()
        if seen is None or seen != self._seen:
            self._seen, self._since = seen, now
            return False
        return now - self._since >= STUCK_AFTER_S

    def _look(self) -> tuple[str, str] | None:
        """Return its state and how often it has waited so far, where it waits for a disk now."""
        try:
            lines = self._file.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return None
        found = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
        state = found.get("State", "")
        return (state, found.get("voluntary_ctxt_switches", "")) if state.startswith("D") else None


def read_apart(work: Callable[[], Any]) -> Any:  # noqa: ANN401 - a value of JSON
    """Return what `work` returns, a value of JSON, or raise as it does.

    If this process is a command, the work runs in a process of its own, so that a silent disk does not stop the rest. Raises `DiskSilentError`.
    """
    if not _is_real:
        return work()
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        _answer(work, read, write)
    os.close(write)
    try:
        data = _read_all(read, child)
    finally:
        os.close(read)
    os.waitpid(child, 0)
    return json.loads(data) if data else work()  # an error of the work is raised here


def _answer(work: Callable[[], Any], read: int, write: int) -> NoReturn:
    """In the child: write the result into the pipe, and hold nothing that others wait for."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    os.close(read)
    try:
        with os.fdopen(write, "wb") as file:
            file.write(json.dumps(work()).encode())
    finally:
        os._exit(0)


def _read_all(read: int, child: int) -> bytes:
    watch, data = _DiskWatch(child), b""
    while True:
        if select.select([read], [], [], _LOOK_EVERY_S)[0]:
            more = os.read(read, _CHUNK_BYTES)
            if not more:
                return data
            data += more
        elif watch.is_stuck():
            _kill(child, signal.SIGKILL)
            raise DiskSilentError
