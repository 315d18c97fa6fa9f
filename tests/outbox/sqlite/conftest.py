"""An outbox in a folder that it makes itself, and a disk that fails."""

import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from forwarder.outbox.sqlite.batch import Batch
from forwarder.outbox.sqlite.file.connection import FileSettings, open_connection
from forwarder.outbox.sqlite.file.integrity import Check
from forwarder.outbox.sqlite.opening import open_outbox
from forwarder.outbox.sqlite.outbox import SqliteOutbox
from tests.support.write_faults import WriteFaults


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "outbox.db"


@pytest.fixture
async def outbox(path: Path) -> AsyncIterator[SqliteOutbox]:
    async with open_outbox(FileSettings(path=path)) as opened:
        yield opened


@pytest.fixture
def connection(path: Path) -> Iterator[sqlite3.Connection]:
    """Return a connection to a new file, opened as the daemon opens it."""
    path.parent.mkdir()
    with closing(open_connection(FileSettings(path=path), Check.NOTHING)) as opened:
        yield opened


@pytest.fixture
def faults(monkeypatch: pytest.MonkeyPatch) -> WriteFaults:
    made = WriteFaults()
    monkeypatch.setattr(Batch, "write", lambda *arguments: made.write(*arguments))  # noqa: PLW0108 - becomes a method
    return made


@pytest.fixture
def logged() -> Iterator[list[EventDict]]:
    with capture_logs() as lines:
        yield lines
