"""How the local scrape.st behaves where the real one leaves a choice."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class EmulatorSettings:
    """Holds the address, the intervals and the limits of an emulator. The defaults are those of the real service."""

    host: str = "127.0.0.1"
    port: int = 0
    """0 for any free port."""
    record: bool = True
    """Whether sent frames and handshakes are kept for a test to compare. The counters do not depend on it."""
    bad_key: Literal["401", "upgrade"] = "401"
    """What happens to an unknown key at `/ws`. With `upgrade` the connection opens and is closed at once without a code, as on the real service."""
    text_pong: bool = False
    """Whether a text `ping` is answered with a text `pong` in place of a PONG frame."""
    ping_interval_s: float = 30.0
    """After how long without a sign of life a WebSocket client is pinged."""
    idle_limit_s: float = 60.0
    """After how long without a sign of life a WebSocket client is disconnected."""
    comment_interval_s: float = 15.0
    """How often a comment is sent to an event stream."""
    token_ttl_s: float = 86400.0
    public_repeats: int = 5
    """How many of its last events the public stream sends again on each new connection."""
    max_connections: int | None = None
    """Above this limit the newest connection replaces the oldest one: with code 4409 on a WebSocket. `None` for no limit."""
    history_limit: int = 30
    """How many requests of the history are allowed in each `history_per_s`."""
    history_per_s: float = 60.0
    has_recent: bool = True
    """Whether `GET /x/tweets/recent` exists."""
