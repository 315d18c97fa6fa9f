"""Decodes a frame of a stream into an `Event`, or says why it is not one.

The bytes are kept unchanged, because they are the body of every webhook. Only rules and ids use what is decoded here.
"""

import hashlib
import json
import math
import struct
import unicodedata
from enum import StrEnum
from typing import Any, NewType, NoReturn

import msgspec

from forwarder.core.cut_frame import cut_mid, is_cut, read_cut

OWN_SOURCE = "forwarder"
"""The source of forwarder's own events: notices and tests."""
_DOCUMENTED_SOURCES = ("x", "fast-x", "telegram", "discord", "rss", "web")
KNOWN_SOURCES = (*_DOCUMENTED_SOURCES, OWN_SOURCE)
"""The sources that scrape.st documents, and forwarder's own. scrape.st may add others at any time."""

_LENGTHS = struct.Struct(">QQQQ").pack
_SOURCE_LOOKED_AT = 400
"""How many characters of a source are compared with forwarder's own."""
_LOOKALIKES = {
    ord(mark): letter
    for letter, marks in {
        "a": "\N{CYRILLIC SMALL LETTER A}\N{GREEK SMALL LETTER ALPHA}\N{LATIN SMALL LETTER ALPHA}\N{LATIN LETTER SMALL CAPITAL A}",
        "d": "\N{CYRILLIC SMALL LETTER KOMI DE}\N{CHEROKEE LETTER A}\N{LATIN LETTER SMALL CAPITAL D}",
        "e": "\N{CYRILLIC SMALL LETTER IE}\N{GREEK SMALL LETTER EPSILON}\N{CHEROKEE LETTER GV}\N{LATIN LETTER SMALL CAPITAL E}",
        "f": "\N{LATIN SMALL LETTER F WITH HOOK}\N{GREEK SMALL LETTER DIGAMMA}\N{LATIN LETTER SMALL CAPITAL F}",
        "o": "\N{CYRILLIC SMALL LETTER O}\N{GREEK SMALL LETTER OMICRON}\N{ARMENIAN SMALL LETTER OH}\N{LATIN LETTER SMALL CAPITAL O}",
        "r": "\N{CYRILLIC SMALL LETTER GHE}\N{CHEROKEE LETTER E}\N{CHEROKEE LETTER SV}\N{LATIN LETTER SMALL CAPITAL R}",
        "w": "\N{CYRILLIC SMALL LETTER WE}\N{CYRILLIC SMALL LETTER OMEGA}\N{CHEROKEE LETTER LA}\N{CHEROKEE LETTER TA}\N{LATIN LETTER SMALL CAPITAL W}",
    }.items()
    for mark in marks
}
"""Letters of other scripts that look like letters of `forwarder`, some of them only as capitals (from Unicode's confusables.txt)."""

EventId = NewType("EventId", str)
"""32 hex digits, derived from source, mid, sid and the payload's bytes. The same event has the same id everywhere."""

JSONValue = None | bool | int | float | str | list["JSONValue"] | dict[str, "JSONValue"]


class NotAnEvent(StrEnum):
    """Why a frame is not a `SourceEvent`. Such frames are counted by kind, logged once for each kind, and never forwarded."""

    BINARY = "binary"
    PONG = "pong"
    INVALID_JSON = "invalid_json"
    TOO_DEEP = "too_deep"
    NUMBER_TOO_LONG = "number_too_long"
    NOT_AN_OBJECT = "not_an_object"
    MISSING_FIELD = "missing_field"
    WRONG_TYPE = "wrong_type"
    OTHER_TYPE = "other_type"
    """A named event of an event stream (SSE)."""
    OWN_SOURCE = "own_source"
    """An event that says it is from forwarder itself: it would look like a notice of ours."""


class NotAnEventError(ValueError):
    """A frame is not a `SourceEvent`; `kind` says why."""

    def __init__(self, kind: NotAnEvent, detail: str) -> None:
        self.kind = kind
        self.detail = detail
        super().__init__(f"{kind}: {detail}")


class Event(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A `SourceEvent`: its unchanged bytes, its envelope, and its payload decoded for the rules.

    `mid` and `sid` are always text. Telegram sends numbers, and 64-bit ids would lose digits as floats.
    """

    id: EventId
    source: str
    mid: str
    sid: str
    timestamp: float
    """Unix milliseconds as sent. For X it is the time of the post, not of its arrival."""
    payload: JSONValue
    body: bytes
    truncated: bool = False
    """Whether it is of the public stream: its payload is what can be read of a cut text, it has no `sid`, and its `mid` may be a hash."""

    def __repr__(self) -> str:  # neither payload nor body
        return f"Event({self.id}, {self.source} {self.mid} of {self.sid})"


_TEXT_KEYS = ("text", "message", "content", "title")
"""The keys of the text that a person wrote: of x and fast-x, Telegram, Discord and feeds, in this order."""


class _Envelope(msgspec.Struct, gc=False):
    source: str
    mid: str | int
    sid: str | int
    timestamp: int | float
    payload: msgspec.Raw


MAX_DEPTH = 500
"""How many levels of nesting an event may have. Python's parsers fail at 1,000 levels and more."""

_decode_envelope = msgspec.json.Decoder(_Envelope).decode
_decode_payload = msgspec.json.Decoder().decode
_ENVELOPE_FIELDS = ("source", "mid", "sid", "timestamp", "payload")


def decode_event(frame: bytes) -> Event:
    r"""Return the event that `frame` (one WebSocket text message or SSE `data:` value) holds.

    Raises `NotAnEventError` for anything else; no input raises another error. msgspec reads the usual frames. What it refuses
    is read again by the slower standard library, because a lone surrogate (`"\ud800"`, a post cut in the middle of an emoji) is
    valid JSON. Frames of the public stream, which are cut, are events with `truncated`.
    """
    try:
        if not frame.isascii():
            frame.decode()  # msgspec does not check the parts that it skips
        envelope = _decode_envelope(frame)
        payload: JSONValue = _decode_payload(envelope.payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _decode_slowly(frame)
    return _event(
        frame, envelope.source, envelope.mid, envelope.sid, envelope.timestamp, payload, bytes(envelope.payload)
    )


def decode_foreign_event(frame: bytes, *, is_public: bool = False) -> Event:
    """Return the event of a frame that somebody else sent; as `decode_event`, which is for events that forwarder may have made itself.

    Raises `NotAnEventError` also for an event whose source reads as `forwarder`, or as a part of it such as `forwarder-alerts`, and
    for a cut event unless it came from a stream that `is_public`.
    """
    event = decode_event(frame)
    if event.truncated and not is_public:
        raise NotAnEventError(NotAnEvent.MISSING_FIELD, "without mid, sid")
    if event.source not in _DOCUMENTED_SOURCES and _reads_as_own(event.source):
        raise NotAnEventError(NotAnEvent.OWN_SOURCE, "its source is a name of forwarder itself")
    return event


def _reads_as_own(source: str) -> bool:
    """Return whether a source looks like that of forwarder to a person: in other letters, or with other characters in it."""
    folded = unicodedata.normalize("NFKD", source[:_SOURCE_LOOKED_AT]).casefold()
    letters = "".join(mark for mark in folded if mark.isalpha())
    return letters.translate(_LOOKALIKES).startswith(OWN_SOURCE)


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
            raise NotAnEventError(NotAnEvent.PONG, "the answer to a ping") from None
        raise NotAnEventError(NotAnEvent.INVALID_JSON, "not valid JSON") from None
    except ValueError:
        raise NotAnEventError(NotAnEvent.NUMBER_TOO_LONG, "a number longer than a parser takes") from None
    if not isinstance(value, dict):
        raise NotAnEventError(NotAnEvent.NOT_AN_OBJECT, f"a JSON {_json_type(value)}, not an object")
    if is_cut(value):
        return _event_of_cut(frame, value)
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
        id=_event_id(source, mid, sid, digested),
        source=source,
        mid=mid,
        sid=sid,
        timestamp=timestamp,
        payload=payload,
        body=frame,
    )


def _event_of_cut(frame: bytes, envelope: dict[str, Any]) -> Event:
    """Return the event of a frame for which `is_cut`. The `mid` is the post's id where that is not cut off, and else a hash of the frame."""
    source, text = envelope["source"], envelope["payload"]
    payload = read_cut(text)
    mid = cut_mid(payload) or fingerprint(frame)
    return Event(
        id=_event_id(source, mid, "", text.encode("utf-8", "surrogatepass")),
        source=source,
        mid=mid,
        sid="",
        timestamp=_as_float(envelope["timestamp"]),
        payload=payload,
        body=frame,
        truncated=True,
    )


def _as_float(timestamp: float) -> float:
    """Return the timestamp as a float that every later reader, such as the outbox, can hold."""
    try:
        value = float(timestamp)
    except OverflowError:
        value = math.inf
    if not math.isfinite(value):
        raise NotAnEventError(NotAnEvent.NUMBER_TOO_LONG, "timestamp is too large for a time")
    return value


def event_text(payload: JSONValue) -> str | None:
    """Return the text that a person wrote, under whichever key the source has it; `None` if there is none."""
    if isinstance(payload, dict):
        for key in _TEXT_KEYS:
            value = payload.get(key)
            if isinstance(value, str):
                return value
    return None


def _is_deeper(value: JSONValue, depth: int, frame: bytes) -> bool:
    """Return whether `value`, a part of `frame`, has more than `depth` levels of arrays and objects."""
    # This avoids the walk for nearly every event: each level has two brackets.
    if len(frame) < 2 * depth or frame.count(b"[") + frame.count(b"{") <= depth:
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


def _event_id(source: str, mid: str, sid: str, digested: bytes) -> EventId:
    """Return the `fingerprint` of these parts. It is written out here, because it is made for every event."""
    parts = (
        source.encode("utf-8", "surrogatepass"), mid.encode("utf-8", "surrogatepass"), sid.encode("utf-8", "surrogatepass")
    )  # fmt: skip
    first, second, third = parts
    lengths = _LENGTHS(len(first), len(second), len(third), len(digested))
    hashed = b"".join((
        lengths[:8], first, lengths[8:16], second, lengths[16:24], third, lengths[24:], digested
    ))  # fmt: skip
    return EventId(hashlib.blake2b(hashed, digest_size=16).hexdigest())


def fingerprint(*parts: str | bytes) -> str:
    """Return 32 hex digits (BLAKE2b, 128 bits) of the parts. Each is prefixed by its length, so different lists never look the same."""
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
