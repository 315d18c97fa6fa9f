"""What can go wrong on demand: refused handshakes, dropped or hanging connections, odd frames, and how curl asks for them."""

import time
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

import msgspec
from aiohttp import web


class DropHow(StrEnum):
    """How connections end."""

    RESET = "reset"
    """TCP RST, as when a machine dies."""
    CLOSE = "close"
    """A close frame with a code (none: an empty close frame), then TCP ends. A stream of server-sent events just ends."""
    CLOSE_FRAME = "close_frame"
    """A close frame without a code, and TCP stays open until the client ends it."""


@dataclass(slots=True, kw_only=True)
class Refusal:
    """How handshakes are turned away, and for how long."""

    status: int | None
    """None closes TCP without an answer."""
    retry_after_s: int | None = None
    location: str | None = None
    until: float | None = None
    """Monotonic; None is no end by time."""
    left: int | None = None
    """So many handshakes; None is no end by number."""
    path: str | None = None
    """Only this one of `/ws`, `/stream`, `/stream/token`, `/track/x`, `/account/history`, `/x/tweets/recent`; None is all."""

    def is_for(self, path: str) -> bool:
        """Whether a request of that path is meant; `/account/history` is meant for each account."""
        return self.path in {None, path} or (self.path == _HISTORY and path.startswith(f"{_HISTORY}/"))

    def is_over(self) -> bool:
        """Whether it turns nobody away any more."""
        return (self.until is not None and time.monotonic() >= self.until) or (self.left is not None and self.left <= 0)

    def response(self) -> web.Response:
        """Return the answer, in the words the real service uses for it. Needs a status."""
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
    """A frame that is no event; `text` False is a binary frame."""

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
    """`{"fault":"drop","how":"close","code":1012}`."""

    how: DropHow = DropHow.RESET
    code: int | None = None


class HangFault(msgspec.Struct, tag_field="fault", tag="hang", forbid_unknown_fields=True):
    """`{"fault":"hang","seconds":90}`."""

    seconds: float
    handshakes: bool = False


class RefuseFault(msgspec.Struct, tag_field="fault", tag="refuse", forbid_unknown_fields=True):
    """`{"fault":"refuse","status":429,"handshakes":3,"retry_after":5}`; status null closes TCP without an answer."""

    status: int | None = 503
    seconds: float | None = None
    handshakes: int | None = None
    retry_after: int | None = None
    path: Literal["/ws", "/stream", "/stream/token", "/track/x", "/account/history", "/x/tweets/recent"] | None = None


class RedirectFault(msgspec.Struct, tag_field="fault", tag="redirect", forbid_unknown_fields=True):
    """`{"fault":"redirect","url":"http://127.0.0.1:1/ws","handshakes":1}`."""

    url: str
    status: int = 302
    seconds: float | None = None
    handshakes: int | None = None


class GarbageFault(msgspec.Struct, tag_field="fault", tag="garbage", forbid_unknown_fields=True):
    """`{"fault":"garbage"}`."""


class ClearFault(msgspec.Struct, tag_field="fault", tag="clear", forbid_unknown_fields=True):
    """`{"fault":"clear"}`: refuse and hang no longer."""


Fault = DropFault | HangFault | RefuseFault | RedirectFault | GarbageFault | ClearFault

decode_fault = msgspec.json.Decoder(Fault).decode
