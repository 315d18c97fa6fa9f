"""What an earlier process had in flight becomes pending at the start."""

import sqlite3

from forwarder.core.delivery import DeliveryStatus, DestinationName
from forwarder.outbox.sqlite.delivery_row import DeliveryRow, row_on_disk
from forwarder.outbox.sqlite.file.database import Database
from forwarder.outbox.sqlite.row_cache import RowCache
from forwarder.outbox.sqlite.statements import SQL
from forwarder.outbox.sqlite.write_queue import WriteQueue

_MAX_IN_FLIGHT = 20_000
"""The most deliveries that are made pending in memory: more than lanes have room for. A larger number is made pending on disk."""


async def recover(database: Database, queue: WriteQueue, rows: RowCache) -> dict[DestinationName, int]:
    """Make them pending; return how many deliveries wait, by destination.

    In memory they are pending at once, and on disk with the next commit, which is not waited for where nothing can be written.
    """

    def look(connection: sqlite3.Connection) -> tuple[list[DeliveryRow], dict[DestinationName, int]]:
        found = connection.execute(SQL["in_flight"], {"limit": _MAX_IN_FLIGHT}).fetchall()
        return [row_on_disk(columns) for columns in found], _waiting(connection)

    in_flight, waiting = await database.read(look)
    if len(in_flight) == _MAX_IN_FLIGHT:
        return await queue.ask(_release_all, apart=True)
    for row in in_flight:
        row.status = str(DeliveryStatus.PENDING)
        rows.add(row)
        name = DestinationName(row.destination)
        waiting[name] = waiting.get(name, 0) + 1
    if in_flight:
        queue.wake()
        await queue.settle()
    return waiting


def _waiting(connection: sqlite3.Connection) -> dict[DestinationName, int]:
    return {DestinationName(name): count for name, count in connection.execute(SQL["waiting"])}


def _release_all(connection: sqlite3.Connection) -> dict[DestinationName, int]:
    connection.execute(SQL["release_all"])
    return _waiting(connection)
