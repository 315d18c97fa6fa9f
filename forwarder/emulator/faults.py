"""Faults on demand: refused handshakes, dropped or hanging connections, odd frames, and how curl requests them."""

import time
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

import msgspec
from aiohttp import web


class DropHow(StrEnum):
    """Says how connections end."""

    RESET = "reset"
    """TCP is reset, as when a machine crashes."""
    CLOSE = "close"
    """A close frame with a code (or an empty one), then TCP ends. A stream of server-sent events just ends."""
    CLOSE_FRAME = "close_frame"
    """A close frame without a code, and TCP stays open until the client ends it."""


@dataclass(slots=True, kw_only=True)
class HandshakeRefusal:
    """Describes how handshakes are refused, and for how long."""

    status: int | None
    """The status of the response; None closes TCP without one."""
    retry_after_s: int | None = None
    location: str | None = None
    until: float | None = None
    """When it ends, monotonic; None for no limit of time."""
    left: int | None = None
    """How many more handshakes it refuses; None for no limit."""
    path: str | None = None
    """The only path that it refuses: `/ws`, `/stream`, `/stream/token`, `/track/x`, `/account/history` or `/x/tweets/recent`; None for all."""

    def is_for(self, path: str) -> bool:
        """Return whether it refuses requests of that path; `/account/history` stands for that of each account."""
        return self.path in {None, path} or (self.path == _HISTORY and path.startswith(f"{_HISTORY}/"))

    def is_over(self) -> bool:
        """Return whether it has ended."""
        return (self.until is not None and time.monotonic() >= self.until) or (self.left is not None and self.left <= 0)

    def response(self) -> web.Response:
        """Return the response, with the text of the real service. Needs a status."""
        status = 503 if self.status is None else self.status
        headers: dict[str, str] = {}
        if self.retry_after_s is not None:
            headers["Retry-After"] = str(self.retry_after_s)
        if self.location is not None:
            headers["Location"] = self.location
        body: dict[str, object] = {"status": "error", "error": _WORDS.get(status, "Refused by the emulator")}
        if status == 429:
            body["retry_after"] = 60 if self.retry_after_s is None else self.retry_after_s
            headers.setdefault("Retry-After", "60")
        return web.json_response(body, status=status, headers=headers)


_HISTORY = "/account/history"

_WORDS = {
    401: "Invalid API key",
    403: "API key limit reached",
    429: "Too many requests. Please try again later.",
    500: "Internal server error",
    503: "Service unavailable",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OddFrame:
    """Is a frame that is not an event; with `text` False it is binary."""

    name: str
    frame: bytes
    text: bool = True


_ENVELOPE = b'{"mid":"1","sid":"1","source":"x","timestamp":1767225600000,"payload":%b}'

GARBAGE = (
    OddFrame(name="broken JSON", frame=b'{"mid":"1","sid":"1","source":"x","payload":{"text":"cut o'),
    OddFrame(name="text pong", frame=b"pong"),
    OddFrame(name="binary", frame=b"\x00\x01\xfe\xff", text=False),
    OddFrame(name="empty", frame=b""),
    OddFrame(name="missing fields", frame=b'{"source":"x","timestamp":1767225600000}'),
    OddFrame(name="null", frame=b"null"),
    OddFrame(name="array", frame=b"[]"),
    OddFrame(name="nested 5,000 deep", frame=_ENVELOPE % (b'{"a":' * 5000 + b"1" + b"}" * 5000)),
    OddFrame(name="number of 5,000 digits", frame=_ENVELOPE % (b'{"n":' + b"7" * 5000 + b"}")),
    OddFrame(name="NaN", frame=b"NaN"),
    OddFrame(name="NaN in a payload", frame=_ENVELOPE % b'{"n":NaN}'),
)


class DropFault(msgspec.Struct, tag_field="fault", tag="drop", forbid_unknown_fields=True):
    """Ends all connections: `{"fault":"drop","how":"close","code":1012}`."""

    how: DropHow = DropHow.RESET
    code: int | None = None


class HangFault(msgspec.Struct, tag_field="fault", tag="hang", forbid_unknown_fields=True):
    """Sends nothing for a time: `{"fault":"hang","seconds":90}`."""

    seconds: float
    handshakes: bool = False


class RefuseFault(msgspec.Struct, tag_field="fault", tag="refuse", forbid_unknown_fields=True):
    """Refuses handshakes: `{"fault":"refuse","status":429,"handshakes":3,"retry_after":5}`. Status null closes TCP without a response."""

    status: int | None = 503
    seconds: float | None = None
    handshakes: int | None = None
    retry_after: int | None = None
    path: Literal["/ws", "/stream", "/stream/token", "/track/x", "/account/history", "/x/tweets/recent"] | None = None


class RedirectFault(msgspec.Struct, tag_field="fault", tag="redirect", forbid_unknown_fields=True):
    """Redirects handshakes: `{"fault":"redirect","url":"http://127.0.0.1:1/ws","handshakes":1}`."""

    url: str
    status: int = 302
    seconds: float | None = None
    handshakes: int | None = None


class GarbageFault(msgspec.Struct, tag_field="fault", tag="garbage", forbid_unknown_fields=True):
    """Sends every odd frame: `{"fault":"garbage"}`."""


class ClearFault(msgspec.Struct, tag_field="fault", tag="clear", forbid_unknown_fields=True):
    """Ends refusals and hangs: `{"fault":"clear"}`."""


EmulatedFault = DropFault | HangFault | RefuseFault | RedirectFault | GarbageFault | ClearFault

decode_fault = msgspec.json.Decoder(EmulatedFault).decode
