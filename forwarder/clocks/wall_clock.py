"""The wall clock, which may be set at any time."""

from datetime import UTC, datetime
from functools import partial

utc_now = partial(datetime.now, UTC)
"""Returns now, aware, in UTC. No function of ours, because it is called for every event."""
