"""Writes lines to a file descriptor from a thread of its own, so that logging never blocks.

Lines that are not written yet are held in memory up to a limit. Above it lines are dropped and counted, and one line reports that once
there is room again. A descriptor that cannot be written (a full disk, a closed pipe, a terminal after Ctrl-S) costs only lines. The
content of the lines is up to the caller.
"""

import errno
import fcntl
import os
import select
import stat
import struct
import termios
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from time import monotonic

import msgspec

MAX_BYTES = 4 * 1024 * 1024
"""The limit of what is held in memory: more than ten seconds of log at 600 deliveries per second, with a line for each."""
RESERVE_BYTES = 1024 * 1024
"""The part of that which only warnings and errors may use."""

_GATHER_S = 0.01
"""How long lines that are not urgent are collected: one write per line would cost a third of a delivery."""
_RETRY_S = (0.05, 0.1, 0.2, 0.5, 1.0)
"""The waits after failed writes; the last one is repeated."""
_STUCK_AFTER_S = 1.0
"""A write that takes this long is reported as a problem."""
_FILE_PIECE_BYTES = 256 * 1024
_SOCKET_PIECE_BYTES = 32 * 1024
"""The kernel accepts this much in one piece, or nothing."""
_NOT_READ = "it is not read as fast as it is written"


class Loss(msgspec.Struct, frozen=True, kw_only=True):
    """Describes what could not be written, and why. `dropped` is 0 if writes failed for a while and nothing was lost."""

    dropped: int
    warnings: int
    """How many of the dropped lines were warnings or errors."""
    reason: str
    lasted_s: float


class LineWriter:
    """Writes lines to one file descriptor in the background. Safe to use from any thread."""

    def __init__(
        self,
        descriptor: int,
        *,
        write_loss: Callable[[Loss], bytes],
        max_bytes: int = MAX_BYTES,
        reserve_bytes: int = RESERVE_BYTES,
    ) -> None:
        """`write_loss` returns the line that reports a loss; it is called in the writing thread."""
        self._descriptor = descriptor
        self._write_loss = write_loss
        self._max_bytes = max_bytes
        self._reserve_bytes = reserve_bytes
        self._lock = threading.RLock()  # a finalizer may log while its own thread holds the lock
        self._lines: list[bytes] = []
        self._held_bytes = 0
        self._wake: SimpleQueue[bool] = SimpleQueue()
        """`True` asks the thread to write now, `False` to write soon."""
        self._is_asked = self._is_asked_now = False
        self._thread: threading.Thread | None = None
        self._is_idle = threading.Event()
        self._is_idle.set()
        self._is_closing = threading.Event()
        self._writing_since: float | None = None
        self._is_dropping = False
        self._dropped = self._dropped_warnings = self._failed_writes = 0
        self._failure: OSError | None = None
        """The error of the last write, if it failed."""
        self._last_reason = _NOT_READ
        self._problem_since = 0.0
        self._dropped_before = 0

    def add(self, line: bytes, *, is_urgent: bool = False) -> None:
        """Have a line (without its line feed) written: soon, or at once if it is urgent. Never blocks, never raises."""
        size = len(line) + 1
        with self._lock:
            limit = self._max_bytes if is_urgent else self._max_bytes - self._reserve_bytes
            if (self._is_dropping and not is_urgent) or self._held_bytes + size > limit:
                self._drop(is_urgent=is_urgent)
                return
            self._lines.append(line)
            self._held_bytes += size
            if not (self._is_asked_now or (self._is_asked and not is_urgent)):
                self._ask(is_urgent=is_urgent)

    def flush(self, *, within_s: float) -> bool:
        """Wait until everything is written, for `within_s` at most; return whether it is."""
        with self._lock:
            if self._lines and not self._is_asked_now:
                self._ask(is_urgent=True)
        return self._is_idle.wait(within_s)

    def close(self, *, within_s: float) -> None:
        """Write what is left, for `within_s` at most. A failed write is tried once more, and not again."""
        self._is_closing.set()
        self.flush(within_s=within_s)

    @property
    def dropped(self) -> int:
        """How many lines have been dropped so far."""
        return self._dropped_before + self._dropped

    def problem(self) -> str | None:
        """Return why nothing can be written now, or `None` if writing works."""
        failure, since = self._failure, self._writing_since
        if failure is not None:
            return _reason(failure)
        if self._is_dropping or (since is not None and monotonic() - since > _STUCK_AFTER_S):
            return _NOT_READ
        return None

    def _drop(self, *, is_urgent: bool) -> None:
        if not self._dropped and not self._failed_writes:
            self._problem_since = monotonic()
        self._is_dropping = True
        self._dropped += 1
        self._dropped_warnings += is_urgent
        if (
            not self._is_asked
        ):  # a single line that is too long: no other line is pending after which the loss would be reported
            self._ask(is_urgent=False)

    def _ask(self, *, is_urgent: bool) -> None:
        """Ask the thread to write."""
        self._is_asked, self._is_asked_now = True, is_urgent
        self._is_idle.clear()
        self._wake.put(is_urgent)
        if self._thread is None:
            self._start()

    def _start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:  # no thread can be started now, or the interpreter is ending
            self._thread = None
            self._is_asked = self._is_asked_now = False

    # In the writing thread

    def _run(self) -> None:
        while True:
            with self._lock:
                if not self._lines and self._wake.empty():
                    self._is_idle.set()
            if not self._wake.get() and not self._is_closing.is_set():
                with suppress(Empty):
                    self._wake.get(timeout=_GATHER_S)
            with self._lock:
                lines, self._lines = self._lines, []
                self._is_asked = self._is_asked_now = False
            if lines:
                chunk = b"\n".join(lines) + b"\n"
                lines.clear()
                self._write(chunk)
            else:
                with self._lock:
                    self._report_loss()

    def _write(self, chunk: bytes) -> None:
        begin = 0
        while begin < len(chunk):
            end = self._end_of_piece(chunk, begin)
            is_written = self._write_piece(memoryview(chunk)[begin:end])
            with self._lock:
                self._held_bytes -= end - begin
                if is_written and self._held_bytes <= self._max_bytes // 2:
                    self._report_loss()
            begin = end

    def _end_of_piece(self, chunk: bytes, begin: int) -> int:
        """Return where the next write ends: after as many whole lines as the kernel accepts in one piece."""
        size = len(chunk) - begin
        if size <= select.PIPE_BUF or size <= (limit := self._piece_bytes()):
            return len(chunk)
        end = chunk.rfind(b"\n", begin, begin + limit) + 1
        return end or chunk.index(b"\n", begin) + 1  # a longer line

    def _piece_bytes(self) -> int:
        """Return how much the kernel writes in one piece even if the other side stops reading."""
        try:
            mode = os.fstat(self._descriptor).st_mode
            if stat.S_ISREG(mode):
                return _FILE_PIECE_BYTES
            if stat.S_ISSOCK(mode):
                return _SOCKET_PIECE_BYTES
            if stat.S_ISFIFO(mode):
                unread = struct.unpack("i", fcntl.ioctl(self._descriptor, termios.FIONREAD, b"\0" * 4))[0]
                room: int = fcntl.fcntl(self._descriptor, fcntl.F_GETPIPE_SZ)
                return select.PIPE_BUF if unread else max(room // 2, select.PIPE_BUF)  # a successor may write there too
        except OSError:
            pass
        return select.PIPE_BUF

    def _write_piece(self, rest: memoryview) -> bool:
        """Write all of it, however long that takes. Return `False` if it fails while closing."""
        failures = 0
        while rest:
            self._writing_since = monotonic()
            try:
                written = os.write(self._descriptor, rest)
            except BlockingIOError:  # another process that shares the descriptor has made it non-blocking
                self._wait_for_room()
            except OSError as error:
                self._writing_since = None
                self._note_failure(error)
                if self._is_closing.is_set() and failures:
                    return False
                self._is_closing.wait(_RETRY_S[min(failures, len(_RETRY_S) - 1)])
                failures += 1
            else:
                rest, failures = rest[written:], 0
                self._failure = None
        self._writing_since = None
        return True

    def _wait_for_room(self) -> None:
        poll = select.poll()
        poll.register(self._descriptor, select.POLLOUT)
        poll.poll()

    def _note_failure(self, error: OSError) -> None:
        with self._lock:
            if not self._dropped and not self._failed_writes:
                self._problem_since = monotonic()
            self._failed_writes += 1
            self._failure, self._last_reason = error, _reason(error)

    def _report_loss(self) -> None:
        """Report what was lost, now that there is room. The lines before the loss are written before this one."""
        if not self._dropped and not self._failed_writes:
            return
        line = self._write_loss(
            Loss(
                dropped=self._dropped,
                warnings=self._dropped_warnings,
                reason=self._last_reason if self._failed_writes else _NOT_READ,
                lasted_s=round(monotonic() - self._problem_since, 1),
            )
        )
        self._dropped_before += self._dropped
        self._dropped = self._dropped_warnings = self._failed_writes = 0
        self._is_dropping = False
        self.add(line, is_urgent=True)


def _reason(error: OSError) -> str:
    if error.errno == errno.EPIPE:
        return "the reader has closed it"
    return error.strerror or str(error)
