"""The names of the files that belong to an outbox."""

from pathlib import Path

WAL, SHARED_MEMORY = "-wal", "-shm"
"""The suffixes of the files that SQLite keeps beside its database."""


def beside(path: Path, suffix: str) -> Path:
    """Return the path of a file that belongs to the outbox."""
    return path.with_name(path.name + suffix)
