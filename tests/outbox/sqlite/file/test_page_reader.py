"""Reading the file page by page finds what SQLite finds, and nothing that is wrong with the file raises."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from random import Random

import pytest

from forwarder.outbox.sqlite.file.page_reader import Cell, CellValue, Pages

VALUES: list[tuple[CellValue, ...]] = [
    (None, 0, 1, "text"),
    (-1, 127, -128, "é"),
    (32767, -32768, 1 << 23, ""),
    (1 << 31, -(1 << 47), (1 << 63) - 1, b""),
    (1.5, -0.25, "x" * 20_000, b"\x00\xff" * 15_000),
]
"""Every kind of value that SQLite stores, and values that overflow onto other pages."""


@contextmanager
def made(path: Path, *, page_size: int = 4096, auto_vacuum: str = "INCREMENTAL") -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA page_size = {page_size}")
        connection.execute(f"PRAGMA auto_vacuum = {auto_vacuum}")
        connection.execute("PRAGMA synchronous = OFF")  # each row is a transaction of its own
        connection.execute("CREATE TABLE rows (a, b, c, d)")
        connection.execute("CREATE TABLE keyed (k INTEGER PRIMARY KEY, body) WITHOUT ROWID")
        connection.executemany("INSERT INTO rows VALUES (?, ?, ?, ?)", VALUES)
        yield connection


def table_rows(path: Path) -> list[Cell]:
    """Return the rows of the table without those of the schema."""
    with Pages(path) as pages:
        return [cell for cell in pages.table_cells() if len(cell.values) == 4]


@pytest.mark.parametrize("auto_vacuum", ["INCREMENTAL", "NONE"])
@pytest.mark.parametrize("page_size", [512, 4096, 65536 // 2])
def test_every_value_is_read_as_sqlite_stored_it(tmp_path: Path, page_size: int, auto_vacuum: str) -> None:
    path = tmp_path / "a.db"
    with made(path, page_size=page_size, auto_vacuum=auto_vacuum):
        pass
    found = sorted(table_rows(path), key=lambda cell: cell.rowid or 0)
    assert [cell.rowid for cell in found] == [1, 2, 3, 4, 5]
    assert [tuple(cell.values) for cell in found] == VALUES


def test_many_rows_are_read_from_tables_and_from_indexes(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with made(path) as connection:
        connection.executemany("INSERT INTO keyed VALUES (?, zeroblob(100))", [(number,) for number in range(2_000)])
        connection.executemany("INSERT INTO rows VALUES (?, 1, 2, 3)", [(number,) for number in range(5_000)])
    assert {cell.values[0] for cell in table_rows(path) if cell.values[1:] == [1, 2, 3]} == set(range(5_000))
    with Pages(path) as pages:
        assert not pages.is_cut
        keys = {cell.values[0] for cell in pages.index_cells() if cell.values[1:] == [bytes(100)]}
    assert keys == set(range(2_000))


def test_pages_in_the_wal_replace_those_of_the_file_up_to_the_last_commit(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with made(path) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("UPDATE rows SET a = 'new'")
        connection.execute("BEGIN")
        connection.execute("UPDATE rows SET a = 'uncommitted'")
        assert {cell.values[0] for cell in table_rows(path)} == {"new"}
        connection.execute("ROLLBACK")


def test_deleted_rows_on_free_pages_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with made(path) as connection:
        connection.executemany("INSERT INTO rows VALUES (?, 1, 2, zeroblob(3000))", [(n,) for n in range(100)])
        connection.execute("DELETE FROM rows")
    assert table_rows(path) == []


def test_a_file_that_was_cut_short_is_known_as_cut(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with made(path):
        pass
    whole = path.read_bytes()
    path.write_bytes(whole[:-4096])
    with Pages(path) as pages:
        assert pages.is_cut
    path.write_bytes(b"no header" + whole[9:])
    with Pages(path) as pages:
        assert pages.is_cut


def test_a_wal_that_names_four_billion_pages_is_read_no_further_than_it_goes(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with made(path) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executemany("INSERT INTO rows VALUES (?, 1, 2, zeroblob(3000))", [(n,) for n in range(9)])
        wal, whole = bytearray(path.with_name("a.db-wal").read_bytes()), path.read_bytes()
    last_frame = len(wal) - 4096 - 24
    wal[last_frame + 4 : last_frame + 8] = b"\xff" * 4
    (tmp_path / "b.db").write_bytes(whole)
    (tmp_path / "b.db-wal").write_bytes(wal)
    assert len([cell for cell in table_rows(tmp_path / "b.db") if cell.values[1:3] == [1, 2]]) == 9


def test_a_row_whose_further_pages_lead_back_to_themselves_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with made(path, auto_vacuum="NONE") as connection:
        connection.execute("INSERT INTO rows VALUES ('looped', 1, 2, zeroblob(60000000))")
    whole = bytearray(path.read_bytes())
    middle = len(whole) // 4096 // 2
    at = (middle - 1) * 4096
    assert whole[at : at + 4] == (middle + 1).to_bytes(4, "big")
    whole[at : at + 4] = middle.to_bytes(4, "big")
    path.write_bytes(whole)
    assert [cell.values[0] for cell in table_rows(path) if cell.values[0] == "looped"] == []


@pytest.mark.parametrize("seed", range(30))
def test_whatever_is_wrong_with_the_file_nothing_raises(tmp_path: Path, seed: int) -> None:
    path, random = tmp_path / "a.db", Random(seed)  # noqa: S311 - seeded on purpose
    with made(path, page_size=512) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executemany("INSERT INTO keyed VALUES (?, zeroblob(300))", [(number,) for number in range(20)])
        wal = path.with_name("a.db-wal").read_bytes()
        whole = path.read_bytes()
    for name, content in (("b.db", whole), ("b.db-wal", wal)):
        damaged = bytearray(content)
        for _ in range(random.randrange(1, 400)):
            damaged[random.randrange(len(damaged))] = random.randrange(256)
        (tmp_path / name).write_bytes(damaged[: random.randrange(len(damaged))] if seed % 3 == 0 else damaged)
    with Pages(tmp_path / "b.db") as pages:
        assert all(isinstance(cell, Cell) for cell in (*pages.table_cells(), *pages.index_cells()))


@pytest.mark.parametrize("content", [b"", b"x", bytes(100_000), b"\xff" * 100_000])
def test_a_file_that_is_no_database_has_no_rows(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.db"
    path.write_bytes(content)
    with Pages(path) as pages:
        assert pages.is_cut
        assert [*pages.table_cells(), *pages.index_cells()] == []
