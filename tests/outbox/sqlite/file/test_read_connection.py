"""A connection that only reads."""

import sqlite3
from contextlib import closing
from pathlib import Path
from threading import Thread

import pytest

from forwarder.outbox.sqlite.file.connection import FileSettings, open_connection
from forwarder.outbox.sqlite.file.integrity import Check
from forwarder.outbox.sqlite.file.read_connection import connect_to_read


@pytest.mark.parametrize("mode", ["ro", "rw"])
@pytest.mark.parametrize("name", ["outbox.db", "a b?mode=rwc#%20é.db"])
def test_it_reads_a_file_of_any_name_and_never_writes(tmp_path: Path, name: str, mode: str) -> None:
    path = tmp_path / name
    open_connection(FileSettings(path=path), Check.NOTHING).close()
    with closing(connect_to_read(path, mode=mode)) as connection:
        assert connection.execute("SELECT count(*) FROM events").fetchone() == (0,)
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            connection.execute("DELETE FROM events")


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    for mode in ("ro", "rw"):
        with pytest.raises(sqlite3.OperationalError, match="unable to open"):
            connect_to_read(tmp_path / "outbox.db", mode=mode)
    assert list(tmp_path.iterdir()) == []


def test_any_thread_may_use_it(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    open_connection(FileSettings(path=path), Check.NOTHING).close()
    found: list[object] = []
    with closing(connect_to_read(path)) as connection:
        thread = Thread(target=lambda: found.append(connection.execute("SELECT 1").fetchone()))
        thread.start()
        thread.join()
    assert found == [(1,)]
