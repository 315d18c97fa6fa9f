"""Reads an outbox file page by page, without SQLite, which gives up a whole branch of a table for one bad page.

The format is that of SQLite (sqlite.org/fileformat2.html). A row is found on its own page, also where the pages that lead there are
damaged. Nothing that is wrong with the file raises: what cannot be read is left out.
"""

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from forwarder.outbox.sqlite.file.connection import PAGE_SIZE
from forwarder.outbox.sqlite.file.names import WAL, beside

_TABLE_LEAF, _INDEX_LEAF, _INDEX_INTERIOR = 0x0D, 0x0A, 0x02
_SIZES_OF_INTEGERS = (0, 1, 2, 3, 4, 6, 8)
_MAX_ROW_BYTES = 1 << 26
_MAGIC = b"SQLite format 3\0"
_PAGE_SIZES = frozenset(1 << power for power in range(9, 16))
_WAL_HEADER, _FRAME_HEADER = 32, 24
_NONSENSE = (IndexError, ValueError, struct.error)
"""The errors that reading at a wrong place raises."""

CellValue = str | int | float | bytes | None


class Cell(NamedTuple):
    """One row as it is in the file: its number, `None` in an index, and its columns."""

    rowid: int | None
    values: list[CellValue]


def _page_size(header: bytes) -> int:
    """Return the page size of the header; ours where it has none that is valid."""
    named = int.from_bytes(header[16:18], "big")
    return named if named in _PAGE_SIZES else PAGE_SIZE


class Pages:
    """Reads the pages as the last commit left them: a page in the WAL replaces that of the file."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        header = os.pread(self._file, 100, 0)
        self._size = page_size = _page_size(header)
        self._has_maps = any(header[52:56])  # an auto_vacuum file, as ours are
        self._wal: int | None = None
        self._in_wal: dict[int, int] = {}
        try:
            self._wal = os.open(beside(path, WAL), os.O_RDONLY | os.O_CLOEXEC)
            self._count = self._read_wal_index() or os.fstat(self._file).st_size // page_size
        except OSError:
            self._count = os.fstat(self._file).st_size // page_size
        self.is_cut = self._is_cut(header)
        """Whether pages are missing, or the number of pages is unknown."""
        self._free = self._free_pages()

    def __enter__(self) -> Self:
        """Return the pages; on the way out the file is closed."""
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """Close the file."""
        os.close(self._file)
        if self._wal is not None:
            os.close(self._wal)

    def _is_cut(self, header: bytes) -> bool:
        named = max(int.from_bytes(header[28:32], "big"), self._count)
        in_file = os.fstat(self._file).st_size // self._size
        return not header.startswith(_MAGIC) or any(
            number not in self._in_wal for number in range(in_file + 1, named + 1)
        )

    def _present(self) -> list[int]:
        """Return the pages that are there: a damaged number of pages may name billions that are not."""
        in_file = os.fstat(self._file).st_size // self._size
        only_in_wal = (number for number in self._in_wal if in_file < number <= self._count)
        return [*range(1, min(in_file, self._count) + 1), *sorted(only_in_wal)]

    def table_cells(self) -> Iterator[Cell]:
        """Yield the rows of all tables that have a rowid."""
        return self._cells({_TABLE_LEAF})

    def index_cells(self) -> Iterator[Cell]:
        """Yield the entries of all indexes, and the rows of tables WITHOUT ROWID, which are indexes too."""
        return self._cells({_INDEX_LEAF, _INDEX_INTERIOR})

    def _cells(self, kinds: set[int]) -> Iterator[Cell]:
        entries_of_a_map = self._size // 5  # each map page, then the pages that it describes
        for number in self._present():
            if number in self._free or (self._has_maps and (number - 2) % (entries_of_a_map + 1) == 0):
                continue
            page = self._page(number)
            begin = 100 if number == 1 else 0
            if len(page) != self._size or page[begin] not in kinds:
                continue
            kind = page[begin]
            (count,) = struct.unpack_from(">H", page, begin + 3)
            pointers = begin + (12 if kind == _INDEX_INTERIOR else 8)
            for pointer in range(pointers, min(pointers + 2 * count, self._size - 1), 2):
                try:
                    (start,) = struct.unpack_from(">H", page, pointer)
                    yield self._cell(page, kind, start)
                except _NONSENSE:
                    continue

    def _cell(self, page: bytes, kind: int, start: int) -> Cell:
        rowid = None
        size, at = _varint(page, start + (4 if kind == _INDEX_INTERIOR else 0))
        if kind == _TABLE_LEAF:
            rowid, at = _varint(page, at)
        return Cell(rowid, _record(self._payload(page, at, size, is_table=kind == _TABLE_LEAF)))

    def _payload(self, page: bytes, at: int, size: int, *, is_table: bool) -> bytes:
        """Return the bytes of a row: those on its page, and those that overflowed onto others."""
        if not 0 < size <= _MAX_ROW_BYTES:
            raise ValueError
        most = self._size - 35 if is_table else (self._size - 12) * 64 // 255 - 23
        if size <= most:
            local = size
        else:
            least = (self._size - 12) * 32 // 255 - 23
            local = least + (size - least) % (self._size - 4)
            local = local if local <= most else least
        parts = [page[at : at + local]]
        left = size - local
        if left:
            (next_page,) = struct.unpack_from(">I", page, at + local)
            seen: set[int] = set()
            while left > 0:
                if next_page in seen:  # a damaged chain that leads back to itself
                    raise ValueError
                seen.add(next_page)
                further = self._page(next_page)
                (next_page,) = struct.unpack_from(">I", further)
                parts.append(further[4 : 4 + left])
                left -= self._size - 4
        payload = b"".join(parts)
        if len(payload) != size:
            raise ValueError
        return payload

    def _page(self, number: int) -> bytes:
        """Return a page, or nothing where there is none to read."""
        try:
            if (at := self._in_wal.get(number)) is not None and self._wal is not None:
                return os.pread(self._wal, self._size, at)
            return os.pread(self._file, self._size, (number - 1) * self._size) if number > 0 else b""
        except OSError:
            return b""

    def _read_wal_index(self) -> int:
        """Learn where the WAL has pages, up to its last commit; return how many pages the database then has, 0 if unknown."""
        if self._wal is None:
            return 0
        header = os.pread(self._wal, _WAL_HEADER, 0)
        if len(header) < _WAL_HEADER or struct.unpack_from(">I", header, 8)[0] != self._size:
            return 0
        salts = header[16:24]
        at, count = _WAL_HEADER, 0
        since_commit: dict[int, int] = {}
        while len(frame := os.pread(self._wal, _FRAME_HEADER, at)) == _FRAME_HEADER and frame[8:16] == salts:
            number, pages = struct.unpack_from(">II", frame)
            since_commit[number] = at + _FRAME_HEADER
            if pages:
                self._in_wal |= since_commit
                since_commit.clear()
                count = pages
            at += _FRAME_HEADER + self._size
        return count

    def _free_pages(self) -> set[int]:
        """Return the pages that hold nothing any more, as far as their list can be read."""
        free: set[int] = set()
        try:
            (trunk,) = struct.unpack_from(">I", self._page(1), 32)
            while 0 < trunk <= self._count and trunk not in free:
                free.add(trunk)
                page = self._page(trunk)
                trunk, leaves = struct.unpack_from(">II", page)
                free.update(struct.unpack_from(f">{leaves}I", page, 8))
        except _NONSENSE:
            pass
        return free


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Return a number of 1 to 9 bytes and where it ends."""
    value = 0
    for index in range(at, at + 8):
        byte = data[index]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, index + 1
    return value << 8 | data[at + 8], at + 9


def _record(payload: bytes) -> list[CellValue]:
    header_size, at = _varint(payload, 0)
    if header_size > len(payload):
        raise ValueError
    values: list[CellValue] = []
    body = header_size
    while at < header_size:
        kind, at = _varint(payload, at)
        size = _size_of(kind)
        if body + size > len(payload):
            raise ValueError
        values.append(_value(kind, payload[body : body + size]))
        body += size
    return values


def _size_of(kind: int) -> int:
    if kind >= 12:
        return (kind - 12) // 2
    return (*_SIZES_OF_INTEGERS, 8, 0, 0)[kind]  # 10 and 11 are not used, and raise


def _value(kind: int, data: bytes) -> CellValue:
    if kind >= 12:
        return data.decode() if kind % 2 else data
    if kind == 0:
        return None
    if kind == 7:
        real: float = struct.unpack(">d", data)[0]
        return real
    return kind - 8 if kind >= 8 else int.from_bytes(data, "big", signed=True)
