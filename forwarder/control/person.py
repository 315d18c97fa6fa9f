"""Names the person who asks for something: the user of a process, and who had logged in, if that is another one."""

import os
import pwd
from pathlib import Path

_NOBODY = (1 << 32) - 1
"""What the kernel says of a process that no login has started."""


def person(uid: int, pid: int) -> str:
    """Return the user's name, and the name of who logged in, as with sudo: `root (ann)`."""
    user, login = name_of(uid), _login_of(pid)
    return user if login is None or login == uid else f"{user} ({name_of(login)})"


def this_person() -> str:
    """Return the same of this process."""
    return person(os.geteuid(), os.getpid())


def name_of(uid: int) -> str:
    """Return the name of a user, or the number of one without a name."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _login_of(pid: int) -> int | None:
    """Return the user who logged in; `None` where the kernel does not say."""
    try:
        found = int(Path(f"/proc/{pid}/loginuid").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return None if found == _NOBODY else found
