"""What the C library keeps of the memory that is free again. Only glibc has these calls; elsewhere nothing happens."""

import ctypes
from functools import cache

_M_ARENA_MAX = -8
_ARENAS = 2
"""One for the event loop, and one that all threads share: they need little memory, and each one's own would never be given back."""


def share_arenas() -> None:
    """Have all threads that begin later share one arena. See mallopt(3)."""
    if (mallopt := getattr(_library(), "mallopt", None)) is not None:
        mallopt(_M_ARENA_MAX, _ARENAS)


def give_back() -> None:
    """Give what is free back to the kernel, after work that needed much. Takes some milliseconds. See malloc_trim(3)."""
    if (malloc_trim := getattr(_library(), "malloc_trim", None)) is not None:
        malloc_trim(0)


@cache
def _library() -> ctypes.CDLL | None:
    try:
        return ctypes.CDLL(None)
    except (OSError, TypeError):  # not on every platform
        return None
