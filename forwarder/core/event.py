"""One message of the stream as a value, and what a frame must be to become one.

The bytes are kept as they came: they are the body of every webhook. What is decoded here serves rules and ids only.
"""

import hashlib
import json
import math
from enum import StrEnum
from typing import NewType, NoReturn

import msgspec

KNOWN_SOURCES = ("x", "fast-x", "telegram", "discord", "rss", "web", "forwarder")
"""What scrape.st names as sources, and our own notices; it may add others at any time."""

EventId = NewType("EventId", str)
"""32 hex digits, derived from source, mid, sid and the payload's bytes: the same event has the same id everywhere."""

JSONValue = None | bool | int | float | str | list["JSONValue"] | dict[str, "JSONValue"]


class NotAnEvent(StrEnum):
    """Why a frame is no `SourceEvent`; each kind is counted, logged once and never forwarded."""

    BINARY = "binary"
    PONG = "pong"
    INVALID_JSON = "invalid_json"
    TOO_DEEP = "too_deep"
    NUMBER_TOO_LONG = "number_too_long"
    NOT_AN_OBJECT = "not_an_object"
    MISSING_FIELD = "missing_field"
    WRONG_TYPE = "wrong_type"
    OTHER_TYPE = "other_type"
    """Of an event stream: one that is named."""


class NotAnEventError(ValueError):
    """A frame that is not a `SourceEvent`; `kind` says why."""

    def __init__(self, kind: NotAnEvent, detail: str) -> None:
        self.kind = kind
        self.detail = detail
        super().__init__(f"{kind}: {detail}")


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """A `SourceEvent`: its bytes verbatim, its envelope, and its payload decoded for the rules.

    `mid` and `sid` are text whatever JSON type they came in: Telegram sends numbers, and 64-bit ids do not survive floats.
    """

    id: EventId
    source: str
    mid: str
    sid: str
    timestamp: float
    """Unix milliseconds as sent; for X the time of the post, not of its arrival."""
    payload: JSONValue
    body: bytes

    def __repr__(self) -> str:  # neither payload nor body
        return f"Event({self.id}, {self.source} {self.mid} of {self.sid})"


_TEXT_KEYS = ("text", "message", "content", "title")
"""Where x and fast-x, Telegram, Discord and feeds, in this order, keep what a person wrote."""


class _Envelope(msgspec.Struct):
    source: str
    mid: str | int
    sid: str | int
    timestamp: int | float
    payload: msgspec.Raw


MAX_DEPTH = 500
"""Levels of nesting: well below where the parsers of the Python versions give up, at 1,000 and more."""

_decode_envelope = msgspec.json.Decoder(_Envelope).decode
_decode_payload = msgspec.json.Decoder().decode
_ENVELOPE_FIELDS = ("source", "mid", "sid", "timestamp", "payload")


def decode_event(frame: bytes) -> Event:
    r"""Return the event that `frame` (one WebSocket text message or SSE `data:` value) holds.

    Raises `NotAnEventError` for anything else; no input raises another error. msgspec reads what is usual; what it
    refuses gets a second, slower look by the standard library, because a lone surrogate (`"\ud800"`, a post cut in
    the middle of an emoji) is JSON all the same.
    """
    try:
        if not frame.isascii():
            frame.decode()  # msgspec leaves out what it does not look into
        envelope = _decode_envelope(frame)
        raw_payload = bytes(envelope.payload)
        payload: JSONValue = _decode_payload(raw_payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _decode_slowly(frame)
    return _event(frame, envelope.source, envelope.mid, envelope.sid, envelope.timestamp, payload, raw_payload)


def _decode_slowly(frame: bytes) -> Event:
    """Return the event, or raise the `NotAnEventError` that names what is wrong with the frame."""
    try:
        value = json.loads(frame.decode(), parse_constant=_refuse_constant)
    except RecursionError:
        raise NotAnEventError(NotAnEvent.TOO_DEEP, "nested deeper than a parser takes") from None
    except UnicodeDecodeError:
        raise NotAnEventError(NotAnEvent.INVALID_JSON, "not valid UTF-8") from None
    except json.JSONDecodeError:
        if frame.strip().lower() == b"pong":
            raise NotAnEventError(NotAnEvent.PONG, "an answer to our ping") from None
        raise NotAnEventError(NotAnEvent.INVALID_JSON, "not valid JSON") from None
    except ValueError:
        raise NotAnEventError(NotAnEvent.NUMBER_TOO_LONG, "a number longer than a parser takes") from None
    if not isinstance(value, dict):
        raise NotAnEventError(NotAnEvent.NOT_AN_OBJECT, f"a JSON {_json_type(value)}, not an object")
    missing = [name for name in _ENVELOPE_FIELDS if name not in value]
    if missing:
        raise NotAnEventError(NotAnEvent.MISSING_FIELD, f"without {', '.join(missing)}")
    for name, types in (("source", (str,)), ("mid", (str, int)), ("sid", (str, int)), ("timestamp", (int, float))):
        if isinstance(value[name], bool) or not isinstance(value[name], types):
            raise NotAnEventError(NotAnEvent.WRONG_TYPE, f"{name} is a JSON {_json_type(value[name])}")
    payload: JSONValue = value["payload"]
    canonical = json.dumps(payload, sort_keys=True, separators=(",", ":")).encode()
    return _event(frame, value["source"], value["mid"], value["sid"], value["timestamp"], payload, canonical)


def _event(  # noqa: PLR0917 - the envelope in its order
    frame: bytes, source: str, mid: str | int, sid: str | int, timestamp: float, payload: JSONValue, digested: bytes
) -> Event:
    if _is_deeper(payload, MAX_DEPTH - 1, frame):
        raise NotAnEventError(NotAnEvent.TOO_DEEP, f"nested more than {MAX_DEPTH} deep")
    if not isinstance(payload, dict):
        raise NotAnEventError(NotAnEvent.WRONG_TYPE, f"payload is a JSON {_json_type(payload)}, not an object")
    timestamp = _as_float(timestamp)
    mid, sid = str(mid), str(sid)
    if not (source and mid and sid):
        raise NotAnEventError(NotAnEvent.MISSING_FIELD, "source, mid or sid is empty")
    return Event(
        id=EventId(fingerprint(source, mid, sid, digested)),
        source=source,
        mid=mid,
        sid=sid,
        timestamp=timestamp,
        payload=payload,
        body=frame,
    )


def _as_float(timestamp: float) -> float:
    """Return it as what every later reader, the outbox among them, can hold."""
    try:
        value = float(timestamp)
    except OverflowError:
        value = math.inf
    if not math.isfinite(value):
        raise NotAnEventError(NotAnEvent.NUMBER_TOO_LONG, "timestamp is beyond any time")
    return value


def event_text(payload: JSONValue) -> str | None:
    """Return what a person wrote, wherever the event's source keeps it; `None` where there is no such text."""
    if isinstance(payload, dict):
        for key in _TEXT_KEYS:
            value = payload.get(key)
            if isinstance(value, str):
                return value
    return None


def _is_deeper(value: JSONValue, depth: int, frame: bytes) -> bool:
    """Return whether `value`, a part of `frame`, has more than `depth` levels of arrays and objects."""
    if frame.count(b"[") + frame.count(b"{") <= depth:  # spares nearly every event the walk
        return False
    level = [value]
    for _ in range(depth + 1):
        level = [
            below
            for value in level
            if isinstance(value, dict | list)
            for below in (value.values() if isinstance(value, dict) else value)
        ]
    return bool(level)


def fingerprint(*parts: str | bytes) -> str:
    """Return 32 hex digits (BLAKE2b, 128 bits) of the parts; each is prefixed by its length, so no two lists collide."""
    hashed: list[bytes] = []
    for part in parts:
        data = part if isinstance(part, bytes) else part.encode("utf-8", "surrogatepass")
        hashed += (len(data).to_bytes(8, "big"), data)
    return hashlib.blake2b(b"".join(hashed), digest_size=16).hexdigest()


def _refuse_constant(name: str) -> NoReturn:
    raise json.JSONDecodeError(f"{name} is not JSON", name, 0)


def _json_type(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"
