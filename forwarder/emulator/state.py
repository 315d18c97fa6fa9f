"""What the parts of the emulator share: its clients, its faults, its counters and who is notified of changes."""

import secrets
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from multidict import CIMultiDictProxy, MultiMapping

from forwarder.emulator.connection import ClientConnection, Envelope
from forwarder.emulator.faults import HandshakeRefusal
from forwarder.emulator.history import PostHistory
from forwarder.emulator.settings import EmulatorSettings
from forwarder.emulator.waiting import ChangeSignal


@dataclass(frozen=True, slots=True)
class SentFrame:
    """Is a frame that was sent to at least one client; `at` is monotonic, taken just before the write."""

    at: float
    frame: bytes
    receivers: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Handshake:
    """Describes one attempt to open `/ws` or `/stream`, refused ones included; `at` is monotonic."""

    at: float
    path: str
    headers: CIMultiDictProxy[str] = field(repr=False)
    query: MultiMapping[str]


class ServerChange(StrEnum):
    """Names the changes that the emulator reports to `on_change`."""

    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    REFUSED = "refused"
    FAULT = "fault"


OnChange = Callable[[ServerChange, Mapping[str, object]], None]


@dataclass(slots=True)
class Stats:
    """Counts what happened since the start."""

    sent: int = 0
    """Frames that were sent to at least one client."""
    skipped: int = 0
    """Frames that nobody received: there was no client, or it hung, or it did not want them. The real stream has no replay either."""
    handshakes: int = 0
    refused: int = 0
    text_pings: int = 0
    tokens: int = 0


class StreamToken:
    """Issues the token that opens the private event stream: the same one until it expires."""

    def __init__(self, ttl_s: float) -> None:
        self._ttl_s = ttl_s
        self._value = ""
        self._expires_at = 0.0

    def issue(self) -> tuple[str, int]:
        """Return the valid token and for how many seconds it remains valid."""
        now = time.monotonic()
        if now >= self._expires_at:
            self._value = secrets.token_hex(32)
            self._expires_at = now + self._ttl_s
        return self._value, round(self._expires_at - now)

    def is_valid(self, value: str) -> bool:
        """Return whether this is the token that is valid now."""
        return value == self._value and time.monotonic() < self._expires_at

    def expire(self) -> None:
        """End its validity now."""
        self._expires_at = 0.0


class EmulatorState:
    """Holds everything that clients, tests and faults change while the emulator runs."""

    def __init__(self, settings: EmulatorSettings, *, api_key: str, on_change: OnChange | None) -> None:
        self.settings = settings
        self.api_key = api_key
        self._on_change = on_change
        self.changes = ChangeSignal()
        self.refusal: HandshakeRefusal | None = None
        """The refusal that new handshakes get, if there is one."""
        self.handshakes_hang_until = 0.0
        self.token = StreamToken(settings.token_ttl_s)
        self.connections: list[ClientConnection] = []
        self.sent: list[SentFrame] = []
        self.handshakes: list[Handshake] = []
        self.stats = Stats()
        self.public = deque[tuple[bytes, Envelope]](maxlen=settings.public_repeats)
        """The last events of the public stream."""
        self.history = PostHistory(
            limit=settings.history_limit, per_s=settings.history_per_s, has_recent=settings.has_recent
        )

    def report(self, change: ServerChange, **facts: object) -> None:
        """Report a change to `on_change`, and to tasks that wait for one."""
        self.changes.notify()
        if self._on_change is not None:
            self._on_change(change, facts)
