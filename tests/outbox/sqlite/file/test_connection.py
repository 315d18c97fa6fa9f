"""How the file is opened and set up."""

from pathlib import Path

import pytest

from forwarder.outbox.problems import OutboxProblem, OutboxUnusableError
from forwarder.outbox.sqlite.file.connection import FileSettings, connection_to
from forwarder.outbox.sqlite.file.migrations import SCHEMA_VERSION
from forwarder.outbox.sqlite.opening import open_outbox


@pytest.mark.parametrize(("durability", "synchronous"), [("full", 2), ("normal", 1)])
async def test_the_connection_is_set_up_as_the_docs_say(path: Path, durability: str, synchronous: int) -> None:
    path.parent.mkdir()
    connection = connection_to(FileSettings(path=path, durability=durability))
    await connection.open()
    try:
        found = await connection.run(
            lambda plain: {
                name: plain.execute(f"PRAGMA {name}").fetchone()[0]
                for name in (
                    "journal_mode",
                    "synchronous",
                    "auto_vacuum",
                    "foreign_keys",
                    "secure_delete",
                    "user_version",
                )
            }
        )
    finally:
        await connection.close()
    assert found == {
        "journal_mode": "wal",
        "synchronous": synchronous,
        "auto_vacuum": 2,
        "foreign_keys": 1,
        "secure_delete": 2,
        "user_version": SCHEMA_VERSION,
    }


async def test_a_symbolic_link_in_place_of_the_file_is_refused(path: Path) -> None:
    path.parent.mkdir()
    path.symlink_to(path.parent / "elsewhere.db")
    with pytest.raises(OutboxUnusableError) as caught:
        async with open_outbox(FileSettings(path=path)):
            pass
    assert caught.value.problem is OutboxProblem.UNWRITABLE
