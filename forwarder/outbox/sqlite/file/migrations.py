"""Brings an empty file, or one of any earlier version, to the present schema in one transaction."""

import sqlite3
from importlib.resources import files

from forwarder.outbox.sqlite.transactions import Step, unconditionally

APPLICATION_ID = 0x46574452
"""`FWDR`, in the header of the file: a database of another program is never used as an outbox."""
SCHEMA_VERSION = 7

_SCHEMA_MARK = "-- schema --"
"""The place in a migration where all tables of the new version are made."""
_PARTS = ("deliveries", "revisions", "gaps")
"""The parts of the schema, between `-- NAME begin --` and `-- NAME end --`; a migration makes one at `-- schema of NAME --`."""
_FROM_MARKS = {version: f"-- from version {version} on --" for version in (5, 6)}
"""The places in a migration where the steps from these versions on follow, by version, earliest first."""


def migrate(connection: sqlite3.Connection, *, version: int, before_commit: Step[None] = unconditionally) -> None:
    """Bring a file of `version` (0: an empty one) to `SCHEMA_VERSION`. After a kill in between the file is as it was.

    Raises what SQLite and `before_commit` raise; the file is then as it was, too.
    """
    if version == SCHEMA_VERSION:
        return
    schema = _read("schema.sql")
    script = schema if version == 0 else _read(f"migrate_{version}_to_{SCHEMA_VERSION}.sql")
    script = script.replace(_SCHEMA_MARK, schema)
    for later, mark in _FROM_MARKS.items():
        script = script.replace(mark, _read(f"migrate_{later}_to_{SCHEMA_VERSION}.sql"))
    for name in _PARTS if version else ():
        part = schema.partition(f"-- {name} begin --")[2].partition(f"-- {name} end --")[0]
        script = script.replace(f"-- schema of {name} --", part)
    connection.execute("PRAGMA foreign_keys = OFF")  # a table is renamed with what refers to it
    connection.execute("PRAGMA legacy_alter_table = ON")
    try:
        connection.executescript(
            f"BEGIN IMMEDIATE;\n{script}\n"
            f"PRAGMA application_id = {APPLICATION_ID};\nPRAGMA user_version = {SCHEMA_VERSION};"
        )
        before_commit(connection)
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        connection.execute("PRAGMA legacy_alter_table = OFF")
        connection.execute("PRAGMA foreign_keys = ON")


def _read(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")
