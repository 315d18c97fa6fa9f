"""Waits for the kernel to report that a file in one of some folders was saved: inotify(7), which only Linux has."""

import ctypes
import errno
import os
import select
import weakref
from collections.abc import Collection
from threading import Event
from time import monotonic

_IN_ATTRIB, _IN_CLOSE_WRITE = 0x4, 0x8
_IN_MOVED, _IN_CREATE, _IN_DELETE = 0xC0, 0x100, 0x200
_IN_DELETE_SELF, _IN_MOVE_SELF = 0x400, 0x800
_SAVES = _IN_ATTRIB | _IN_CLOSE_WRITE | _IN_MOVED | _IN_CREATE | _IN_DELETE | _IN_DELETE_SELF | _IN_MOVE_SELF
"""Not each write: a file that stays open, such as an outbox in the same folder, is written all the time and never saved."""
_NO_WATCH_NEEDED = frozenset({errno.ENOENT, errno.EACCES})
"""Of a folder that was removed meanwhile, or that may not be read. A look notices that."""

_STEP_S = 0.5
"""How long it takes at most to notice that nobody waits any more."""
_READ_BYTES = 64 * 1024
_MOST_READS = 100


class FolderReports:
    """The reports about some folders. They end when nobody has this object any more, or with `close`."""

    def __init__(self, folders: Collection[str]) -> None:
        """Raise `OSError` where there is no inotify, or where the user has no watches left (fs.inotify.max_user_watches)."""
        library = ctypes.CDLL(None, use_errno=True)
        if not hasattr(library, "inotify_init1"):
            raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
        self._descriptor: int = library.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._descriptor < 0:
            raise _last_error()
        self.close = weakref.finalize(self, os.close, self._descriptor)
        for folder in folders:
            if library.inotify_add_watch(self._descriptor, os.fsencode(folder), _SAVES) < 0:
                error = _last_error()
                if error.errno not in _NO_WATCH_NEEDED:
                    self.close()
                    raise error

    def wait(self, longest_s: float, over: Event) -> bool:
        """Wait for a report, for this long or until `over` is set; return whether one came."""
        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        end = monotonic() + longest_s
        while not over.is_set() and (left := end - monotonic()) > 0:
            if poll.poll(min(left, _STEP_S) * 1000):
                self._read_all()
                return True
        return False

    def _read_all(self) -> None:
        """Drop what is reported: that there is a report is all that counts."""
        for _ in range(_MOST_READS):
            try:
                os.read(self._descriptor, _READ_BYTES)
            except BlockingIOError:
                return


def _last_error() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))
