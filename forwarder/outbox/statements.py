"""The statements of `statements.sql` by name, and the edges between our types and the columns."""

import re
from datetime import UTC, datetime
from importlib.resources import files


def _load() -> dict[str, str]:
    text = files("forwarder.outbox").joinpath("statements.sql").read_text(encoding="utf-8")
    parts = re.split(r"^-- name: (\w+)\n", text, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


SQL = _load()


def to_ms(at: datetime) -> int:
    """Return whole Unix milliseconds."""
    return round(at.timestamp() * 1000)


def from_ms(ms: float) -> datetime:
    """Return the moment, aware, in UTC."""
    return datetime.fromtimestamp(ms / 1000, UTC)


def storable(text: str) -> str:
    """Return the text without lone surrogates, which JSON can hold and UTF-8 cannot."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
