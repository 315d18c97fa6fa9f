"""The parser of event streams: the standard's cases, and that it does not matter where the bytes are cut."""

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarder.core.streams.sse import MAX_ID_BYTES, EventStreamParser, ServerEvent
from tests.support.paths import DATA

CASES: list[dict[str, Any]] = json.loads((DATA / "event_stream.json").read_text(encoding="utf-8"))
MANY = 1 << 20
TOKENS = [
    b"data", b"event", b"id", b"id:1", b"id:2\n", b"retry", b"Data", b" data", b":", b": ", b" ", b"\n", b"\r", b"\r\n", b"\n\n", b"\r\r", b"\r\n\r\n",
    b"x", b"12", b"\0", b"\xef\xbb\xbf", b"\xef", b"\xff", "é".encode(), b"\xe2\x80\xa8", b"data:a\n\n", b"data: {}\r\n\r\n",
]  # fmt: skip
STREAMS = st.lists(st.sampled_from(TOKENS), max_size=40).map(b"".join)


def parse(*chunks: bytes, max_bytes: int = MANY) -> tuple[list[ServerEvent], EventStreamParser]:
    parser = EventStreamParser(max_bytes=max_bytes)
    return [event for chunk in chunks for event in parser.feed(chunk)], parser


def plainly(stream: bytes) -> tuple[list[ServerEvent], str, int | None]:
    """Read a whole stream as the standard describes it, line by line."""
    text = stream.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    lines = text.split(b"\n")[:-1]
    events, data, kind, next_id, last_id, retry = [], b"", b"", b"", b"", None
    for line in lines:
        if not line:
            last_id = next_id
            if data:
                events.append(ServerEvent(data[:-1], kind.decode("utf-8", "replace") or "message"))
            data, kind = b"", b""
            continue
        if line[:1] == b":":
            continue
        name, colon, value = line.partition(b":")
        value = value[1:] if colon and value[:1] == b" " else value
        if name == b"data":
            data += value + b"\n"
        elif name == b"event":
            kind = value
        elif name == b"id" and b"\0" not in value:
            next_id = value
        elif name == b"retry" and value and all(48 <= byte <= 57 for byte in value):
            retry = int(value[:9])
    return events, last_id.decode("utf-8", "replace"), retry


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_the_standard_s_cases(case: dict[str, Any]) -> None:
    stream = case["stream"].encode("latin-1") if case.get("latin-1") else case["stream"].encode()
    events, parser = parse(stream)
    assert [[event.type, event.data.decode("latin-1" if case.get("latin-1") else "utf-8")] for event in events] == [
        [each[0], each[1]] for each in case["events"]
    ]
    assert parser.last_id == case.get("last_id", "")
    assert parser.retry_ms == case.get("retry_ms")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_every_one_of_them_cut_at_every_byte_and_byte_by_byte(case: dict[str, Any]) -> None:
    stream = case["stream"].encode("latin-1") if case.get("latin-1") else case["stream"].encode()
    whole, _ = parse(stream)
    for cut in range(len(stream) + 1):
        assert parse(stream[:cut], stream[cut:])[0] == whole
    assert parse(*(stream[at : at + 1] for at in range(len(stream))))[0] == whole


@given(STREAMS)
def test_it_reads_as_the_standard_describes_it(stream: bytes) -> None:
    events, parser = parse(stream)
    assert (events, parser.last_id, parser.retry_ms) == plainly(stream)


@given(STREAMS, st.lists(st.integers(0, 200), max_size=12))
def test_any_cut_of_the_bytes_gives_the_same_events(stream: bytes, cuts: list[int]) -> None:
    places = sorted({0, len(stream), *(min(cut, len(stream)) for cut in cuts)})
    chunks = [stream[begin:end] for begin, end in pairwise(places)]
    events, parser = parse(*chunks, b"")
    whole, at_once = parse(stream)
    assert (events, parser.last_id, parser.retry_ms) == (whole, at_once.last_id, at_once.retry_ms)


@pytest.mark.parametrize(
    "stream",
    [b"data:" + b"x" * 200, b":" + b"x" * 200, b"data: yyyy\n" * 30, b"data:" + b"x" * 200 + b"\n\ndata: after\n\n"],
    ids=["a line without end", "a comment without end", "an event without end", "a long one with an end"],
)
@pytest.mark.parametrize("step", [1, 7, 1000])
def test_what_is_longer_than_allowed_ends_it_and_what_came_before_is_there(stream: bytes, step: int) -> None:
    stream = b"data: before\n\n" + stream
    chunks = [stream[at : at + step] for at in range(0, len(stream), step)]
    events, parser = parse(*chunks, max_bytes=100)
    assert events == [ServerEvent(b"before")]
    assert parser.is_too_long
    assert parser.feed(b"\n\ndata: more\n\n") == []


def test_as_many_events_as_there_are_may_come_in_one_piece() -> None:
    events, parser = parse(b"data: 123456789\n\n" * 1000, max_bytes=100)
    assert len(events) == 1000
    assert not parser.is_too_long


@pytest.mark.parametrize("piece", [1, 7, 1 << 20])
def test_an_id_over_1_kib_is_passed_over_and_counted_and_its_event_is_there(piece: int) -> None:
    fits, too_long = b"7" * MAX_ID_BYTES, b"8" * (MAX_ID_BYTES + 1)
    wide = b"\xff" * (MAX_ID_BYTES // 3 + 1)  # as a header each of these has three bytes
    stream = b"id:%b\ndata:a\n\nid:%b\ndata:b\n\nid:%b\ndata:c\n\n" % (fits, too_long, wide)
    events, parser = parse(*(stream[at : at + piece] for at in range(0, len(stream), piece)))
    assert events == [ServerEvent(b"a"), ServerEvent(b"b"), ServerEvent(b"c")]
    assert (parser.last_id, parser.ids_skipped) == (fits.decode(), 2)


def test_each_event_knows_the_id_that_holds_when_it_has_been_taken() -> None:
    events, _ = parse(b"data:a\n\nid:1\ndata:b\n\ndata:c\n\nid:2\n\ndata:d\n\nid\ndata:e\n\n")
    assert [event.last_id for event in events] == ["", "1", "1", "2", ""]


def test_the_id_of_the_connection_before_holds_until_another_one_comes() -> None:
    parser = EventStreamParser(max_bytes=MANY, last_id="7")
    parser.feed(b":\n\ndata:a\n\n")
    assert parser.last_id == "7"
    parser.feed(b"id:8\n\n")
    assert parser.last_id == "8"


@given(st.binary(max_size=1100))
def test_whatever_an_id_is_what_is_kept_of_it_fits_in_a_header(value: bytes) -> None:
    _, parser = parse(b"id:" + value + b"\n\n")
    sent = parser.last_id.encode()
    assert len(sent) <= MAX_ID_BYTES
    assert not any((byte < 32 and byte != 9) or byte == 127 for byte in sent)
