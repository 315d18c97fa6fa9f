"""The wall clock, which may be set at any time."""

from datetime import UTC, datetime


def utc_now() -> datetime:
    """Return now, aware, in UTC."""
    return datetime.now(UTC)
