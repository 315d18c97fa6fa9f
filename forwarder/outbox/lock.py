"""The lock file beside an outbox. SQLite's own locks do not stop a second daemon from delivering the same twice."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from forwarder.outbox.problems import in_use, unwritable


@contextmanager
def locked(path: Path, *, by_command: bool = False) -> Iterator[None]:
    """Hold the lock file beside the outbox, with our process id in it, and whether we are a command that is soon done.

    Makes the folder where it is missing. Raises `OutboxUnusableError`, naming the process that holds it.
    """
    lock_path = path.with_name(path.name + ".lock")
    try:
        _make_folder(path.parent)
        descriptor = os.open(lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise unwritable(path, error) from error
    try:
        _leave_to_owner(descriptor, path.parent)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 32).decode("ascii", "replace").strip() or "unknown"
            number, *kind = holder.split()
            raise in_use(path, number, by_command=bool(kind)) from None
        try:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}{' command' if by_command else ''}\n".encode(), 0)
        except OSError:  # a full disk: the lock holds without the number in it
            pass
        yield
    finally:
        os.close(descriptor)


def _leave_to_owner(descriptor: int, folder: Path) -> None:
    """Have the file belong to whom the folder belongs to: root may look before the daemon of another user ever starts."""
    owner = folder.stat()
    if os.geteuid() == 0 and os.fstat(descriptor).st_uid != owner.st_uid:
        os.fchown(descriptor, owner.st_uid, owner.st_gid)


def sync_folder(folder: Path) -> None:
    """Have the entries of a folder on disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _make_folder(folder: Path) -> None:
    if folder.exists():  # a file of that name is told by opening the lock file
        return
    folder.mkdir(mode=0o700, parents=True)
    # SQLite syncs the folder of its files; the entry of the folder itself is ours to sync.
    sync_folder(folder.parent)
