"""The lock file beside an outbox. The locks of SQLite do not prevent a second daemon from delivering everything twice."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import sleep

from forwarder.outbox.sqlite.file.names import beside
from forwarder.outbox.sqlite.file.ownership import require_own
from forwarder.outbox.sqlite.file.problems import in_use, unwritable

_LOOKS, _LOOK_EVERY_S = 10, 0.02


@contextmanager
def locked(path: Path, *, by_command: bool = False) -> Iterator[None]:
    """Hold the lock file beside the outbox. It contains our process id, and whether we are a command, which ends soon.

    Makes the folder where it is missing. Raises `OutboxUnusableError`, which names the process that holds it, or the file of the outbox
    that belongs to another user.
    """
    require_own(path)
    lock_path = beside(path, ".lock")
    try:
        _make_folder(path.parent)
        descriptor = os.open(lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise unwritable(path, error) from error
    try:
        require_own(path)  # what another user has put there just before
        leave_to_owner(descriptor, path.parent)
        if (holder := _take(descriptor)) is not None:
            number, *kind = holder.split() or ["unknown"]
            raise in_use(path, number, by_command=bool(kind))
        with suppress(OSError):  # a full disk: the lock holds without the number in it
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}{' command' if by_command else ''}\n".encode(), 0)
        try:
            yield
        finally:
            with suppress(OSError):  # so that nobody takes us for the next holder, which has not written its number yet
                os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def _take(descriptor: int) -> str | None:
    """Take the lock and return `None`, or return what its holder has written. One that has just taken it writes in a moment."""
    for _ in range(_LOOKS):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if holder := os.pread(descriptor, 32, 0).decode("ascii", "replace").strip():
                return holder
            sleep(_LOOK_EVERY_S)
        else:
            return None
    return ""


def leave_to_owner(descriptor: int, folder: Path) -> None:
    """Give the file to the owner of the folder, if root made it: the daemon may be started later by that user."""
    owner = folder.stat()
    if os.geteuid() == 0 and os.fstat(descriptor).st_uid != owner.st_uid:
        os.fchown(descriptor, owner.st_uid, owner.st_gid)


def sync_folder(folder: Path) -> None:
    """Sync the entries of a folder to disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _make_folder(folder: Path) -> None:
    if folder.exists():  # where that is a file, opening the lock file says so
        return
    folder.mkdir(mode=0o700, parents=True)
    # SQLite syncs the folder of its files; the entry of the folder itself is ours to sync.
    sync_folder(folder.parent)
