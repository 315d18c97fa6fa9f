"""Keeps the memory of this process from other processes of the same user: it holds API keys, URLs and signing secrets."""

import ctypes

_PR_SET_DUMPABLE = 4


def keep_memory_private() -> None:
    """Have the kernel refuse debuggers, `/proc/PID/mem` and `/proc/PID/environ` to all but root, and write no core dump.

    See PR_SET_DUMPABLE in prctl(2). A program that this process executes does it for itself. Does nothing on a system without it.
    """
    try:
        prctl = ctypes.CDLL(None, use_errno=True).prctl
    except (OSError, AttributeError):  # not Linux
        return
    prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
