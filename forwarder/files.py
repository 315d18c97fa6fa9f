"""Files of this machine: what is read of one is bounded, and only regular files are read.

A FIFO holds up its reader for as long as nobody writes to it, a device has no end, and to open one may do something.
"""

import codecs
import errno
import os
import pwd
import stat
from pathlib import Path

LONGEST_BYTES = 64 * 1024 * 1024
"""The most that is read of a file, where nothing else is said."""

_KINDS = {
    stat.S_IFIFO: "a FIFO (a named pipe)",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}
_OWN_DESCRIPTORS = ("/dev/stdin", "/dev/fd/", "/proc/self/fd/")
"""The names of files that this process got from its shell: `/dev/stdin`, and `<(command)`."""


def read_file(path: Path, *, limit: int = LONGEST_BYTES) -> bytes:
    """Return the content of a regular file of `limit` bytes at most.

    Raises `OSError`, also for what is no regular file (`EINVAL`, or `EISDIR` for a folder) and for a longer one (`EFBIG`); its
    `strerror` is a phrase that says so.
    """
    _require_regular(os.stat(path), path)  # noqa: PTH116 - a path that is too odd for pathlib is reported all the same
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        _require_regular(found, path)  # another file may have come to that name meanwhile
        # Nothing, where the kernel would let a reader wait, as with /proc/kmsg.
        content = b"" if found.st_size > limit else file.read(limit + 1) or b""
    if found.st_size > limit or len(content) > limit:
        raise too_long(path, limit)
    return content


def read_argument(path: Path, *, limit: int = LONGEST_BYTES) -> bytes:
    """Return the content of a file that the command line names. It may be a pipe that the shell has opened for this process.

    Raises as `read_file` does.
    """
    if not os.fspath(path).startswith(_OWN_DESCRIPTORS):
        return read_file(path, limit=limit)
    with path.open("rb") as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise too_long(path, limit)
    return content


def without_mark(content: bytes) -> bytes:
    """Return the content of a file without the byte order mark (BOM) that some editors write at its beginning."""
    return content.removeprefix(codecs.BOM_UTF8)


def text_of(content: bytes) -> str:
    """Return the content of a text file, without a byte order mark and with Unix line ends. Raises `UnicodeDecodeError`."""
    return without_mark(content).decode().replace("\r\n", "\n").replace("\r", "\n")


def too_long(path: Path, limit: int) -> OSError:
    """Return the error for a file of more than `limit` bytes, which are whole MiB."""
    return OSError(errno.EFBIG, f"it is longer than {limit >> 20} MiB, the most that is read", str(path))


def _require_regular(found: os.stat_result, path: Path) -> None:
    kind = stat.S_IFMT(found.st_mode)
    if kind == stat.S_IFDIR:
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if kind != stat.S_IFREG:
        raise OSError(errno.EINVAL, f"it is {_KINDS.get(kind, 'something else')}, not a regular file", str(path))


def is_trusted(owner: int) -> bool:
    """Return whether a file of that user id is as good as an own one: it belongs to this process's user, or to root."""
    return owner in {0, os.geteuid()}


def is_open_to_all(folder: Path) -> bool:
    """Return whether every user may replace the files in a folder: all may write to it, and no sticky bit protects the files."""
    try:
        mode = folder.stat().st_mode
    except OSError:
        return False
    return bool(mode & stat.S_IWOTH) and not mode & stat.S_ISVTX


def user_name(user: int) -> str:
    """Return the name of a user with its number, or the number alone where it has no name."""
    try:
        return f"{pwd.getpwuid(user).pw_name} (user {user})"
    except KeyError:
        return f"user {user}"
