"""The lock beside the file."""

import fcntl
import os
import threading
from pathlib import Path

import pytest

from forwarder.outbox.problems import OutboxProblem, OutboxUnusableError
from forwarder.outbox.sqlite.file.lock import locked


def test_the_lock_is_held_by_one_and_free_afterwards(path: Path) -> None:
    with locked(path), pytest.raises(OutboxUnusableError, match="another forwarder"), locked(path):
        pass
    with locked(path):
        pass


def test_one_that_has_just_taken_the_lock_is_given_the_time_to_write_who_it_is(path: Path) -> None:
    lock = path.with_name(path.name + ".lock")
    with locked(path):
        pass
    with lock.open("r+b") as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        writing = threading.Timer(0.05, lambda: os.pwrite(holder.fileno(), b"77 command\n", 0))
        writing.start()
        with pytest.raises(OutboxUnusableError, match="77") as raised, locked(path):
            pass
        writing.join()
    assert raised.value.problem is OutboxProblem.IN_USE_BY_COMMAND


def test_a_lock_that_is_free_names_nobody(path: Path) -> None:
    with locked(path, by_command=True):
        pass
    assert path.with_name(path.name + ".lock").read_bytes() == b""
