"""The statements of `statements.sql` by name, and the conversions between our types and the columns."""

import re
from datetime import UTC, datetime, timedelta
from importlib.resources import files

MAX_EXPEDITED = 5
"""How often one delivery is made due early because its destination responds again."""


def load(package: str, name: str) -> dict[str, str]:
    """Return the statements of a `.sql` file of that package by their name."""
    text = files(package).joinpath(name).read_text(encoding="utf-8")
    parts = re.split(r"^-- name: (\w+)\n", text, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


SQL = load(__package__, "statements.sql")
_MS = timedelta(milliseconds=1)
_HALF_MS_BEFORE_EPOCH = datetime(1970, 1, 1, tzinfo=UTC) - _MS / 2
"""What is subtracted from a time so that whole milliseconds are rounded, and not cut off."""


def to_ms(at: datetime) -> int:
    """Return whole Unix milliseconds."""
    return (at - _HALF_MS_BEFORE_EPOCH) // _MS


def from_ms(ms: float) -> datetime:
    """Return the time, aware, in UTC."""
    return datetime.fromtimestamp(ms / 1000, UTC)


def time_of(ms: float) -> datetime:
    """Return the time of a row that the daemon goes on with; one out of a damaged row is moved between 1900 and 2200."""
    return from_ms(min(max(ms, _EARLIEST_MS), _LATEST_MS))


def time_or_none(ms: float | None) -> datetime | None:
    """Return the time, or `None` for `None`."""
    return None if ms is None else from_ms(ms)


_EARLIEST_MS, _LATEST_MS = (to_ms(datetime(year, 1, 1, tzinfo=UTC)) for year in (1900, 2200))


def ms_or_none(at: datetime | None) -> int | None:
    """Return whole Unix milliseconds, or `None` for `None`."""
    return None if at is None else to_ms(at)


def storable(text: str) -> str:
    """Return the text without lone surrogates, which JSON can hold and UTF-8 cannot."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
