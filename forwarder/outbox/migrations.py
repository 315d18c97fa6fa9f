"""From an empty file, or from the file of any earlier version, to the present one: each step in a transaction of its own."""

import sqlite3
from importlib.resources import files

APPLICATION_ID = 0x46574452
"""`FWDR`, in the file's header: another program's database is never taken for an outbox."""
SCHEMA_VERSION = 5

_SCHEMA_MARK = "-- schema --"
"""Stands in a migration where the tables of the new version are made."""
_PARTS = ("deliveries", "revisions", "gaps")
"""What stands in the schema between `-- NAME begin --` and `-- NAME end --`, and is made alone at `-- schema of NAME --`."""


def migrate(connection: sqlite3.Connection, *, version: int) -> None:
    """Bring a file of `version` (0: an empty one) to `SCHEMA_VERSION`. Killed in between, it is as it was."""
    if version == SCHEMA_VERSION:
        return
    schema = _read("schema.sql")
    script = schema if version == 0 else _read(f"migrate_{version}_to_{SCHEMA_VERSION}.sql")
    script = script.replace(_SCHEMA_MARK, schema)
    for name in _PARTS if version else ():
        part = schema.partition(f"-- {name} begin --")[2].partition(f"-- {name} end --")[0]
        script = script.replace(f"-- schema of {name} --", part)
    connection.execute("PRAGMA foreign_keys = OFF")  # a table is renamed with what refers to it
    connection.execute("PRAGMA legacy_alter_table = ON")
    try:
        connection.executescript(
            f"BEGIN IMMEDIATE;\n{script}\n"
            f"PRAGMA application_id = {APPLICATION_ID};\nPRAGMA user_version = {SCHEMA_VERSION};\nCOMMIT;"
        )
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        connection.execute("PRAGMA legacy_alter_table = OFF")
        connection.execute("PRAGMA foreign_keys = ON")


def _read(name: str) -> str:
    return files("forwarder.outbox").joinpath(name).read_text(encoding="utf-8")
