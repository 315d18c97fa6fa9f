"""How a command opens the file: to read it also while a daemon runs, to change it only without one."""

import sqlite3
from pathlib import Path

import pytest

from forwarder.outbox.problems import OutboxProblem, OutboxUnusableError
from forwarder.outbox.sqlite.access import reading, require_openable, require_unused, writing
from forwarder.outbox.sqlite.file.connection import FileSettings
from forwarder.outbox.sqlite.file.lock import locked
from forwarder.outbox.sqlite.file.migrations import SCHEMA_VERSION
from forwarder.outbox.sqlite.opening import open_outbox
from tests.support.outbox import keep


@pytest.fixture
async def filled(path: Path) -> Path:
    """Return an outbox with one event, which nobody has open."""
    async with open_outbox(FileSettings(path=path)) as outbox:
        keep(outbox, 0)
    return path


def set_pragma(path: Path, setting: str) -> None:
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA {setting}")
    connection.close()


def test_a_reader_cannot_write(filled: Path) -> None:
    with pytest.raises(OutboxUnusableError), reading(filled) as connection:
        connection.execute("DELETE FROM events")
    with reading(filled) as connection:
        assert connection.execute("SELECT count(*) FROM events").fetchone() == (1,)


async def test_a_file_is_read_and_not_written_while_a_daemon_uses_it(path: Path) -> None:
    async with open_outbox(FileSettings(path=path)) as outbox:
        keep(outbox, 0)
        await outbox.settle()
        with reading(path) as connection:
            assert connection.execute("SELECT count(*) FROM events").fetchone() == (1,)
        for refuses in (lambda: require_unused(path), lambda: writing(path).__enter__()):
            with pytest.raises(OutboxUnusableError) as caught:
                refuses()
            assert caught.value.problem is OutboxProblem.IN_USE
    require_unused(path)


def test_another_command_does_not_count_as_a_daemon_but_only_one_writes(filled: Path) -> None:
    with locked(filled, by_command=True):
        require_unused(filled)
        with reading(filled) as connection:
            assert connection.execute("SELECT count(*) FROM events").fetchone() == (1,)
        with pytest.raises(OutboxUnusableError) as caught, writing(filled):
            pass
    assert caught.value.problem is OutboxProblem.IN_USE_BY_COMMAND


@pytest.mark.parametrize("open_", [reading, writing])
def test_a_file_that_is_not_there_is_not_made(tmp_path: Path, open_: type) -> None:
    with pytest.raises(OutboxUnusableError) as caught, open_(tmp_path / "outbox.db"):
        pass
    assert caught.value.problem is OutboxProblem.MISSING
    assert list(tmp_path.iterdir()) == []
    require_openable(tmp_path / "outbox.db")


def test_a_file_of_an_earlier_version_is_openable_but_not_read_as_it_is(filled: Path) -> None:
    set_pragma(filled, f"user_version = {SCHEMA_VERSION - 1}")
    require_openable(filled)
    with pytest.raises(OutboxUnusableError, match="migrates it"), reading(filled):
        pass


@pytest.mark.parametrize(
    ("setting", "problem"),
    [
        (f"user_version = {SCHEMA_VERSION + 1}", OutboxProblem.NEWER),
        ("application_id = 1", OutboxProblem.FOREIGN),
    ],
)
def test_a_newer_file_and_that_of_another_program_are_refused(
    filled: Path, setting: str, problem: OutboxProblem
) -> None:
    set_pragma(filled, setting)
    with pytest.raises(OutboxUnusableError) as caught:
        require_openable(filled)
    assert caught.value.problem is problem
    with pytest.raises(OutboxUnusableError) as caught, reading(filled):
        pass
    assert caught.value.problem is problem


def test_a_file_that_is_no_database_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    path.write_bytes(b"this is not a database" * 100)
    for open_ in (reading, writing):
        with pytest.raises(OutboxUnusableError) as caught, open_(path):
            pass
        assert caught.value.problem is OutboxProblem.CORRUPT
    with pytest.raises(OutboxUnusableError):
        require_openable(path)


def test_an_error_in_the_middle_of_a_change_is_a_sentence(filled: Path) -> None:
    with pytest.raises(OutboxUnusableError, match="no such table"), writing(filled) as connection:
        connection.execute("DELETE FROM theirs")
