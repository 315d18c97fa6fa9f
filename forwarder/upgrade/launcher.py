"""The first thing that a successor does: it forks, so that it can become a child of the service manager.

systemd waits for the end of a main process only if it is its parent; at a stop it kills any other one at once. So the process that the
predecessor starts is a launcher: it forks, the child is the successor, and the launcher waits. When the predecessor releases it, the
launcher ends, and the kernel gives the successor to PID 1 (or to the manager of the user's services).

Until then the launcher ends when the successor does, with the same exit code, so that the predecessor can read it. The new program itself
forks, before it has loaded anything: it needs only the interpreter that it runs on, even if an upgrade has replaced that of the predecessor.
"""

import os
import select
import signal
import stat
import sys
from contextlib import suppress

TYPE_CHECKING = False  # that of `typing` takes longer to load than all of this
if TYPE_CHECKING:
    from typing import NoReturn

ENVIRONMENT = "FORWARDER_LAUNCH_FDS"
"""Names two descriptors: a pipe for the process id of the successor, and one whose end releases the launcher."""
ABANDON = b"x"
"""Written into the second pipe when the successor is no longer wanted."""
_IGNORED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR2)
"""Signals that may be sent to every process of the service. The launcher ends when the successor or the predecessor does."""
_CANNOT_TAKE_OVER = 75


def fork_as_successor() -> None:
    """Fork, and return in the process that is to take over. Does nothing in a process that was not started as a successor."""
    given = os.environ.pop(ENVIRONMENT, "").split(",")
    if len(given) != 2 or not all(map(_is_pipe, given)):
        return
    name, release = map(int, given)
    # Blocked until the launcher ignores them: if it ended before, nobody would reap the successor.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _IGNORED)
    try:
        pid = os.fork()
    except OSError as error:
        sys.stderr.write(f"the successor cannot be started: {error.strerror}\n")
        sys.exit(_CANNOT_TAKE_OVER)
    if pid == 0:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        os.close(release)
        with suppress(OSError):  # the predecessor has ended
            os.write(name, b"%d\n" % os.getpid())
        os.close(name)
        return
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    os.close(name)
    _wait(pid, release)


def _is_pipe(descriptor: str) -> bool:
    """Return whether the descriptor is still open here: a wrapper may have closed it."""
    try:
        return stat.S_ISFIFO(os.fstat(int(descriptor)).st_mode)
    except (ValueError, OSError):
        return False


def _wait(pid: int, release: int) -> "NoReturn":
    """End with the exit code of the successor, or when the predecessor ends or releases this launcher."""
    poll = select.poll()
    poll.register(os.pidfd_open(pid), select.POLLIN)
    poll.register(release, select.POLLIN)
    while True:
        ready = {descriptor for descriptor, _ in poll.poll()}
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            _end_with(os.waitstatus_to_exitcode(status))
        if release in ready:
            if os.read(release, 1) != ABANDON:
                os._exit(0)
            os.kill(pid, signal.SIGTERM)  # it is not reaped yet, so the process id is still its own
            poll.unregister(release)


def _end_with(code: int) -> "NoReturn":
    if code < 0:
        with suppress(OSError):  # the action of SIGKILL cannot be set, and need not be
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
        code = 128 - code
    os._exit(code)
