"""The connection is reopened after a fault."""

import sqlite3
from pathlib import Path

from forwarder.outbox.sqlite.file.connection import FileSettings
from forwarder.outbox.sqlite.opening import open_outbox
from tests.support.outbox import keep
from tests.support.write_faults import IOERR, WriteFaults


async def test_a_reopened_file_has_its_wal_moved(path: Path, faults: WriteFaults) -> None:
    async with open_outbox(FileSettings(path=path)) as outbox:
        faults.left, faults.is_after = [IOERR], True
        keep(outbox, 0)
        await outbox._queue.ask(lambda _connection: None)
        wal = path.with_name("outbox.db-wal")
        moved = path.read_bytes()
        assert moved[-4096:] != b"\x00" * 4096
        connection = sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)  # without its WAL
        try:
            assert connection.execute("SELECT count(*) FROM events").fetchone() == (1,)
        finally:
            connection.close()
        assert wal.exists()
