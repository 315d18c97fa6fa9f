"""The lock beside the file."""

from pathlib import Path

import pytest

from forwarder.outbox.problems import OutboxUnusableError
from forwarder.outbox.sqlite.file.lock import locked


def test_the_lock_is_held_by_one_and_free_afterwards(path: Path) -> None:
    with locked(path), pytest.raises(OutboxUnusableError, match="another forwarder"), locked(path):
        pass
    with locked(path):
        pass
