"""Whose the files of an outbox are.

Where several users may write to a folder, another one may put a file there first, and gets what is written into it. SQLite takes a WAL,
a journal and shared memory as it finds them.
"""

import grp
import os
import pwd
import stat
from pathlib import Path

from forwarder.files import is_open_to_all, is_trusted, user_name
from forwarder.outbox.problems import OutboxProblem, OutboxUnusableError
from forwarder.outbox.sqlite.file.names import SHARED_MEMORY, WAL, beside

_SUFFIXES = (
    *("", WAL, SHARED_MEMORY, "-journal", ".lock", ".reserve", ".check"),
    *(".salvaged", ".salvaging", f".salvaging{WAL}", f".salvaging{SHARED_MEMORY}", ".restoring"),
)
"""The database, and the files that are opened beside it under a fixed name."""


def require_own(path: Path) -> None:
    """Raise `OutboxUnusableError` where a file of the outbox belongs to another user, or is a link or anything but a file.

    This user's and root's own files are good. For root, so are those of the owner of the folder, and of its group where that may write
    there: root looks at the outbox of the daemon's user. Files that are not there, or cannot be looked at, are left to who opens them.
    """
    try:
        folder = path.parent.stat()
    except OSError:
        return
    for suffix in _SUFFIXES:
        file = beside(path, suffix)
        try:
            found = file.lstat()
        except OSError:
            continue
        if stat.S_ISLNK(found.st_mode):
            raise _refused(path, f"{file} is a symbolic link", "Name the file itself: outbox.url.")
        if not stat.S_ISREG(found.st_mode) and not (stat.S_ISDIR(found.st_mode) and file == path):
            advice = "Set outbox.url to another file."
            if file != path:
                advice = "Delete it, or set outbox.url to a file in another folder."
            raise _refused(path, f"{file} is not a regular file", advice)
        if not _is_good(found.st_uid, folder):
            raise _refused(
                path,
                f"{file} belongs to {user_name(found.st_uid)}, not to {user_name(os.geteuid())}",
                "Run the command as that user. Or if that user has no business there: delete the file, and use a folder that "
                "nobody else may write.",
            )


def warning_of(path: Path) -> str | None:
    """Return a sentence where every user may replace an outbox."""
    if not is_open_to_all(path.parent):
        return None
    return f"every user may write to the folder {path.parent}, and so replace the outbox: chmod o-w {path.parent}"


def _is_good(owner: int, folder: os.stat_result) -> bool:
    if is_trusted(owner):
        return True
    if os.geteuid() != 0:
        return False
    is_of_group = bool(folder.st_mode & stat.S_IWGRP) and not folder.st_mode & stat.S_IWOTH
    return owner == folder.st_uid or (is_of_group and _is_member(owner, folder.st_gid))


def _is_member(user: int, group: int) -> bool:
    try:
        known = pwd.getpwuid(user)
        return known.pw_gid == group or known.pw_name in grp.getgrgid(group).gr_mem
    except KeyError:
        return False


def _refused(path: Path, detail: str, advice: str) -> OutboxUnusableError:
    return OutboxUnusableError(OutboxProblem.UNWRITABLE, path, detail, advice)
