"""The statements of `statements.sql` by name, and the edges between our types and the columns."""

import re
from datetime import UTC, datetime
from importlib.resources import files

MAX_EXPEDITED = 5
"""How often one delivery is brought forward because its destination answers again."""


def load(name: str) -> dict[str, str]:
    """Return the statements of a file of this package by their name."""
    text = files("forwarder.outbox").joinpath(name).read_text(encoding="utf-8")
    parts = re.split(r"^-- name: (\w+)\n", text, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


SQL = load("statements.sql")


def to_ms(at: datetime) -> int:
    """Return whole Unix milliseconds."""
    return round(at.timestamp() * 1000)


def from_ms(ms: float) -> datetime:
    """Return the moment, aware, in UTC."""
    return datetime.fromtimestamp(ms / 1000, UTC)


def storable(text: str) -> str:
    """Return the text without lone surrogates, which JSON can hold and UTF-8 cannot."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
