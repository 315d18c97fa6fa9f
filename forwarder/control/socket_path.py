"""Unix sockets whose path is longer than the address of a socket may be (107 bytes, unix(7))."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LONGEST = 107


@contextmanager
def reachable(path: Path) -> Iterator[str]:
    """Provide an address for this path that is short enough; it is valid inside the block."""
    if len(os.fsencode(path)) <= _LONGEST:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
