"""Writes lines to a file descriptor from a thread of its own, so that nobody who has something to say ever waits.

What is not written yet is held in memory up to a bound. Past it lines are dropped and counted, and one line says so once there is room
again. A descriptor that cannot be written (a full disk, a closed pipe, a terminal after Ctrl-S) costs nothing but lines. Of how a line
looks this module knows nothing.
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
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from time import monotonic

MAX_BYTES = 4 * 1024 * 1024
"""Held at most: more than ten seconds of log at 600 deliveries a second."""
RESERVE_BYTES = 1024 * 1024
"""Of these, for warnings and errors alone."""

_GATHER_S = 0.01
"""Lines that report nothing wrong are gathered for so long: a write a line would cost as much as a third of a delivery."""
_RETRY_S = (0.05, 0.1, 0.2, 0.5, 1.0)
"""After a write that failed; the last one again and again."""
_STUCK_AFTER_S = 1.0
"""A write that takes so long is shown as trouble."""
_FILE_PIECE_BYTES = 256 * 1024
_SOCKET_PIECE_BYTES = 32 * 1024
"""The kernel takes so much in one piece, or nothing."""
_NOT_READ = "it is not read as fast as it is written"


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """What could not be written, and why; `dropped` is 0 where writing failed for a while and everything came after all."""

    dropped: int
    warnings: int
    """Of the dropped lines, those that reported something wrong."""
    reason: str
    lasted_s: float


class LineWriter:
    """One file descriptor, and the lines that are on their way to it. Safe to use from any thread."""

    def __init__(
        self,
        descriptor: int,
        *,
        write_loss: Callable[[Loss], bytes],
        max_bytes: int = MAX_BYTES,
        reserve_bytes: int = RESERVE_BYTES,
    ) -> None:
        """`write_loss` returns the line that reports a loss; it is called in the thread."""
        self._descriptor = descriptor
        self._write_loss = write_loss
        self._max_bytes = max_bytes
        self._reserve_bytes = reserve_bytes
        self._lock = threading.RLock()  # a finalizer may log while its own thread is in here
        self._lines: list[bytes] = []
        self._held_bytes = 0
        self._wake: SimpleQueue[bool] = SimpleQueue()
        """`True`: write now; `False`: write soon."""
        self._is_asked = self._is_asked_now = False
        self._thread: threading.Thread | None = None
        self._is_idle = threading.Event()
        self._is_idle.set()
        self._is_closing = threading.Event()
        self._writing_since: float | None = None
        self._is_dropping = False
        self._dropped = self._dropped_warnings = self._failed_writes = 0
        self._failure: OSError | None = None
        """Of the last write, where it failed."""
        self._last_reason = _NOT_READ
        self._trouble_since = 0.0
        self._dropped_before = 0

    def add(self, line: bytes, *, is_urgent: bool = False) -> None:
        """Have a line (without its end) written: soon, or at once where it reports something wrong. Never waits, never raises."""
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
        """Return whether everything is written; that is waited for no longer than so many seconds."""
        with self._lock:
            if self._lines and not self._is_asked_now:
                self._ask(is_urgent=True)
        return self._is_idle.wait(within_s)

    def close(self, *, within_s: float) -> None:
        """Write what is left, as far as that goes within such a time: a failed write is tried once more, and not again."""
        self._is_closing.set()
        self.flush(within_s=within_s)

    @property
    def dropped(self) -> int:
        """How many lines were dropped so far."""
        return self._dropped_before + self._dropped

    def trouble(self) -> str | None:
        """Return why nothing can be written now, or `None`."""
        failure, since = self._failure, self._writing_since
        if failure is not None:
            return _reason(failure)
        if self._is_dropping or (since is not None and monotonic() - since > _STUCK_AFTER_S):
            return _NOT_READ
        return None

    def _drop(self, *, is_urgent: bool) -> None:
        if not self._dropped and not self._failed_writes:
            self._trouble_since = monotonic()
        self._is_dropping = True
        self._dropped += 1
        self._dropped_warnings += is_urgent
        if not self._is_asked:  # one line that is too long: nothing is on its way after which it would be said
            self._ask(is_urgent=False)

    def _ask(self, *, is_urgent: bool) -> None:
        """Have the thread write."""
        self._is_asked, self._is_asked_now = True, is_urgent
        self._is_idle.clear()
        self._wake.put(is_urgent)
        if self._thread is None:
            self._start()

    def _start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:  # no thread to be had now, or the interpreter is ending
            self._thread = None
            self._is_asked = self._is_asked_now = False

    # In the thread

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
        """Return where to end the next write: after whole lines, as many as the kernel takes in one piece."""
        size = len(chunk) - begin
        if size <= select.PIPE_BUF or size <= (limit := self._piece_bytes()):
            return len(chunk)
        end = chunk.rfind(b"\n", begin, begin + limit) + 1
        return end or chunk.index(b"\n", begin) + 1  # a longer line

    def _piece_bytes(self) -> int:
        """Return how much can be written without being cut in the middle, where the other side reads no further."""
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
        """Write all of it, however long that takes. Return `False` where it failed and we are closing."""
        failures = 0
        while rest:
            self._writing_since = monotonic()
            try:
                written = os.write(self._descriptor, rest)
            except BlockingIOError:  # somebody who shares it with us has made it non-blocking
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
                self._trouble_since = monotonic()
            self._failed_writes += 1
            self._failure, self._last_reason = error, _reason(error)

    def _report_loss(self) -> None:
        """Say what was lost, now that there is room. Lines of that time are gone, and those before them are ahead of this one."""
        if not self._dropped and not self._failed_writes:
            return
        line = self._write_loss(
            Loss(
                dropped=self._dropped,
                warnings=self._dropped_warnings,
                reason=self._last_reason if self._failed_writes else _NOT_READ,
                lasted_s=round(monotonic() - self._trouble_since, 1),
            )
        )
        self._dropped_before += self._dropped
        self._dropped = self._dropped_warnings = self._failed_writes = 0
        self._is_dropping = False
        self.add(line, is_urgent=True)


def _reason(error: OSError) -> str:
    if error.errno == errno.EPIPE:
        return "whoever read it has gone"
    return error.strerror or str(error)
