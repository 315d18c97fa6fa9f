"""A change of the file without a daemon is a transaction of its own."""

import sqlite3
from pathlib import Path

import pytest

from forwarder.core.commands import PauseChange, Replay
from forwarder.core.history import FOREVER_MS
from forwarder.outbox.problems import OutboxProblem, OutboxUnusableError
from forwarder.outbox.sqlite.editor import open_editor
from forwarder.outbox.sqlite.file.connection import FileSettings
from forwarder.outbox.sqlite.opening import open_outbox
from tests.support.outbox import audit, keep
from tests.support.process import look

PAUSE = PauseChange(verb="pause", destination="bot", now_ms=5)


async def test_each_change_is_stored_at_once(path: Path) -> None:
    async with open_outbox(FileSettings(path=path)):
        pass
    with open_editor(path) as editor:
        assert editor.apply(PAUSE).changed == 1
        assert look(path, "SELECT name, paused_ms FROM destinations") == [("bot", 5)]


async def test_a_change_that_fails_in_its_middle_leaves_nothing(path: Path) -> None:
    async with open_outbox(FileSettings(path=path)) as outbox:
        keep(outbox, 0)
    connection = sqlite3.connect(path)
    connection.execute(
        "CREATE TRIGGER fails BEFORE UPDATE OF planned ON events BEGIN SELECT raise(ABORT, 'no more of these'); END"
    )
    connection.close()
    asked = Replay(to="other", since_ms=0, until_ms=FOREVER_MS, start_ms=0, rate=1.0)
    with pytest.raises(OutboxUnusableError, match="no more of these"), open_editor(path) as editor:
        editor.apply(asked)
    assert look(path, "SELECT destination FROM deliveries") == [("bot",)]
    assert audit(path).is_balanced


async def test_no_file_is_changed_that_a_daemon_uses(path: Path) -> None:
    async with open_outbox(FileSettings(path=path)):
        with pytest.raises(OutboxUnusableError) as caught, open_editor(path):
            pass
    assert caught.value.problem is OutboxProblem.IN_USE
