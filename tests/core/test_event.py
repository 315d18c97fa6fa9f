"""What is an event and what is not, and that ids are derived from the event alone."""

import json
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarder.core.event import (
    Event,
    NotAnEvent,
    NotAnEventError,
    decode_event,
    decode_foreign_event,
    event_text,
    fingerprint,
)
from forwarder.emulator.script import packaged_events
from tests.support.paths import EVENTS

EXAMPLES = sorted(EVENTS.glob("*.json"))
ENVELOPE = {"mid": "1", "sid": "2", "source": "x", "timestamp": 3, "payload": {"text": "t"}}


def frame(**changes: object) -> bytes:
    return json.dumps(ENVELOPE | changes, separators=(",", ":")).encode()


def kind_of(data: bytes) -> NotAnEvent:
    with pytest.raises(NotAnEventError) as caught:
        decode_event(data)
    return caught.value.kind


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_is_an_event_with_its_bytes(path: Path) -> None:
    data = path.read_bytes()
    event = decode_event(data)
    assert event.body == data
    assert event.truncated is path.stem.startswith("public-sse")
    if not event.truncated:
        value = json.loads(data)
        assert (event.source, event.mid, event.sid) == (value["source"], str(value["mid"]), str(value["sid"]))
        assert event.payload == value["payload"]


CUT = b'{"source":"fast-x","timestamp":1767225600000,"payload":"{\\"id\\":\\"18\\",\\"text\\":\\"Markets op..."}'
NO_ID = b'{"source":"telegram","timestamp":1767225600000,"payload":"{\\"className\\":\\"Message\\",\\"fl..."}'


def test_a_frame_of_the_public_stream_is_an_event_of_what_can_be_read_of_it() -> None:
    event = decode_foreign_event(CUT, is_public=True)
    assert (event.source, event.mid, event.sid, event.truncated) == ("fast-x", "18", "", True)
    assert (event.payload, event.body) == ({"id": "18", "text": "Markets op"}, CUT)
    assert decode_event(CUT).id == event.id
    without = decode_foreign_event(NO_ID, is_public=True)
    assert (without.mid, without.payload) == (fingerprint(NO_ID), {"className": "Message"})


def test_a_cut_frame_of_another_stream_is_no_event_and_neither_is_one_that_looks_like_a_notice() -> None:
    with pytest.raises(NotAnEventError, match="missing_field: without mid, sid"):
        decode_foreign_event(CUT)
    with pytest.raises(NotAnEventError, match="own_source"):
        decode_foreign_event(CUT.replace(b"fast-x", b"forwarder"), is_public=True)


def test_the_packaged_stream_holds_204_events_and_four_duplicates() -> None:
    frames = packaged_events()
    assert (len(frames), len({decode_event(data).id for data in frames})) == (208, 204)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"pong", NotAnEvent.PONG),
        (b"", NotAnEvent.INVALID_JSON),
        (b'{"mid":"1"', NotAnEvent.INVALID_JSON),
        (frame() + b" x", NotAnEvent.INVALID_JSON),
        (b"\xef\xbb\xbf" + frame(), NotAnEvent.INVALID_JSON),
        (frame().replace(b'"t"', b'"\xff"'), NotAnEvent.INVALID_JSON),
        (frame().replace(b'"t"', b"NaN"), NotAnEvent.INVALID_JSON),
        (b"null", NotAnEvent.NOT_AN_OBJECT),
        (b"[]", NotAnEvent.NOT_AN_OBJECT),
        (b"true", NotAnEvent.NOT_AN_OBJECT),
        (b"1.5", NotAnEvent.NOT_AN_OBJECT),
        (b'"text"', NotAnEvent.NOT_AN_OBJECT),
        (frame(mid=True), NotAnEvent.WRONG_TYPE),
        (frame(mid=1.5), NotAnEvent.WRONG_TYPE),
        (frame(sid=None), NotAnEvent.WRONG_TYPE),
        (frame(source=5), NotAnEvent.WRONG_TYPE),
        (frame(timestamp="3"), NotAnEvent.WRONG_TYPE),
        (frame(payload=None), NotAnEvent.WRONG_TYPE),
        (frame(payload=[1]), NotAnEvent.WRONG_TYPE),
        (frame(payload="cut"), NotAnEvent.WRONG_TYPE),
        (frame(mid=""), NotAnEvent.MISSING_FIELD),
        (frame().replace(b'"t"', b"[" * 5000 + b"]" * 5000), NotAnEvent.TOO_DEEP),
        (frame().replace(b'"t"', b"[" * 499 + b"1" + b"]" * 499), NotAnEvent.TOO_DEEP),
        (frame().replace(b'"t"', b'"\xed\xa0\xbd"'), NotAnEvent.INVALID_JSON),
        (frame().replace(b'"t"', b'"\x01"'), NotAnEvent.INVALID_JSON),
        (frame().replace(b'"t"', b"7" * 4301), NotAnEvent.NUMBER_TOO_LONG),
        (frame().replace(b'"t"', b"7" * 5000), NotAnEvent.NUMBER_TOO_LONG),
        (frame().replace(b'"mid":"1"', b'"mid":' + b"7" * 5000), NotAnEvent.NUMBER_TOO_LONG),
        (frame().replace(b'"timestamp":3', b'"timestamp":' + b"7" * 500), NotAnEvent.NUMBER_TOO_LONG),
        (frame().replace(b'"timestamp":3', b'"timestamp":1e400'), NotAnEvent.NUMBER_TOO_LONG),
    ],
)
def test_what_is_no_event_is_reported_by_kind(data: bytes, kind: NotAnEvent) -> None:
    assert kind_of(data) is kind


@pytest.mark.parametrize("timestamp", [3, -3, 2.5, 1 << 63, 1 << 64, 10**30])
def test_a_timestamp_is_a_float_however_large(timestamp: float) -> None:
    event = decode_event(frame(timestamp=timestamp))
    assert type(event.timestamp) is float
    assert event.timestamp == float(timestamp)


@pytest.mark.parametrize("name", ENVELOPE)
def test_every_field_of_the_envelope_must_be_there(name: str) -> None:
    data = json.dumps({key: value for key, value in ENVELOPE.items() if key != name}).encode()
    assert kind_of(data) is NotAnEvent.MISSING_FIELD


def test_nesting_and_breadth_within_the_bounds_are_taken() -> None:
    for text in (b"[" * 498 + b"1" + b"]" * 498, b"[" + b"[{}]," * 5000 + b"1]"):
        assert decode_event(frame().replace(b'"t"', text)).source == "x"


@pytest.mark.parametrize(
    "data",
    [
        b" \r\n\t" + frame() + b"\n",
        frame().replace(b'"t"', b'"t","text":"u"'),
        frame().replace(b'"t"', b'"t","text":"u"', 1).replace(b'"mid":"1"', b'"mid":"0","mid":"1","more":[]'),
        frame().replace(b'"t"', rb'"\u0000"'),
        frame().replace(b'"t"', b"7" * 4300),
        frame().replace(b'"t"', b"0." + b"7" * 5000),
        frame().replace(b'"t"', b"1e400"),
    ],
    ids=[
        "white space",
        "a key twice",
        "and in the envelope",
        "NUL escaped",
        "4,300 digits",
        "a long fraction",
        "1e400",
    ],
)
def test_what_is_unusual_and_json_is_an_event_byte_for_byte(data: bytes) -> None:
    event = decode_event(data)
    assert (event.body, event.mid) == (data, "1")


def test_a_post_cut_in_the_middle_of_an_emoji_is_an_event() -> None:
    data = frame().replace(b'"t"', rb'"\ud83d"')
    assert decode_event(data).body == data


@given(st.binary() | st.text().map(str.encode) | st.from_type(float).map(lambda n: frame(timestamp=n)))
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    with suppress(NotAnEventError):
        assert isinstance(decode_event(data), Event)


def test_the_id_is_that_of_the_event_not_of_its_envelope() -> None:
    same = [frame(), frame(timestamp=99), frame(vmName="edge"), frame(mid=1), frame(sid=2)]
    other = [frame(mid="9"), frame(sid="9"), frame(source="fast-x"), frame(payload={"text": "edited"})]
    assert len({decode_event(data).id for data in same}) == 1
    assert len({decode_event(data).id for data in [frame(), *other]}) == 5


@given(st.lists(st.text(max_size=3), min_size=1, max_size=4), st.lists(st.text(max_size=3), min_size=1, max_size=4))
def test_fingerprints_of_different_parts_differ(one: list[str], other: list[str]) -> None:
    assert (fingerprint(*one) == fingerprint(*other)) == (one == other)


@given(st.text(min_size=1), st.text(min_size=1), st.text(min_size=1), st.text())
def test_the_id_is_the_fingerprint_of_source_mid_sid_and_payload(source: str, mid: str, sid: str, text: str) -> None:
    payload = json.dumps({"text": text}, ensure_ascii=False)
    envelope = json.dumps({"source": source, "mid": mid, "sid": sid, "timestamp": 1})
    body = f'{envelope[:-1]}, "payload": {payload}}}'.encode("utf-8", "surrogatepass")
    lone = any(0xD800 <= ord(character) <= 0xDFFF for character in source + mid + sid + text)
    if not lone:
        assert decode_event(body).id == fingerprint(source, mid, sid, payload.encode())


def test_the_text_of_an_event_is_the_first_of_the_known_keys() -> None:
    assert event_text({"title": "t", "message": "m"}) == "m"
    assert event_text({"text": 5, "content": "c"}) == "c"
    assert event_text({"other": "o"}) is None
    assert event_text(["text"]) is None


def test_the_representation_of_an_event_does_not_show_its_payload() -> None:
    event = decode_event(b'{"mid":"1","sid":"2","source":"x","timestamp":1,"payload":{"text":"secret"}}')
    assert "secret" not in repr(event)
    assert "x 1 of 2" in repr(event)


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (None, "null"),
        (True, "boolean"),
        (1.5, "number"),
        ([1], "array"),
        ({"a": 1}, "object"),
    ],
)
def test_a_value_of_the_wrong_type_is_named_by_its_json_type(value: object, name: str) -> None:
    with pytest.raises(NotAnEventError, match=f"^wrong_type: source is a JSON {name}$"):
        decode_event(frame(source=value))
    with pytest.raises(NotAnEventError, match="payload is a JSON string, not an object"):
        decode_event(frame(payload="text"))


@pytest.mark.parametrize(
    "source",
    [
        "forwarder", "Forwarder", "FORWARDER", " forwarder", "forwarder ", "forwarder-alerts", "forwarder.status", "forwarder\u200b",
        "for\u00adwarder", "\uff46\uff4f\uff52\uff57\uff41\uff52\uff44\uff45\uff52", "f\u043erwarder", "forw\u0430rder", "fórwarder", "\u202eforwarder", "for warder", " " * 300 + "forwarder",
        "F\u039fRW\u0391RD\u0395R", "for\u0461arder", "for\u051dar\u0501er", "\u0192orwarder", "FORWAR\u13a0\u13acR", "FOR\u13b3ARDER",
        "\ua730\u1d0f\u0280\u1d21\u1d00\u0280\u1d05\u1d07\u0280", "f\u0585rwarder",
    ],
)  # fmt: skip
def test_an_event_of_a_stream_cannot_say_that_it_is_from_forwarder(source: str) -> None:
    data = frame(source=source)
    assert decode_event(data).source == source
    with pytest.raises(NotAnEventError) as caught:
        decode_foreign_event(data)
    assert caught.value.kind is NotAnEvent.OWN_SOURCE
    assert caught.value.detail == "its source is a name of forwarder itself"


@pytest.mark.parametrize(
    "source",
    [
        "x",
        "fast-x",
        "telegram",
        "rss",
        "mastodon",
        "forward",
        "email-forwarder",
        "\u0444\u043e\u0440\u0432\u0430\u0440\u0434",
        "1",
        "🙂",
    ],
)
def test_an_event_of_any_other_source_is_taken(source: str) -> None:
    assert decode_foreign_event(frame(source=source)) == decode_event(frame(source=source))
