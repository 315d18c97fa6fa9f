"""What is made of the history's answers: posts of the span, oldest first, as the stream would have sent them."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarder.core.event import JSONValue, decode_event
from forwarder.core.gaps.history_api import Account, Page, TimeSpan, accounts_of, page_of, read_json, time_of_id

JACK = Account(id="clxyz123abc", sid="12", name="jack")
NOON = datetime(2026, 4, 20, 15, 30, tzinfo=UTC)
SPAN = TimeSpan(NOON - timedelta(minutes=5), NOON + timedelta(minutes=5))
DOCUMENTED: dict[str, JSONValue] = {
    "id": "cm9abc123def456",
    "source": "X",
    "messageId": "1886493083207827456",
    "sourceId": "12",
    "content": "Bitcoin hits new all-time high! 🚀",
    "rawPayload": {
        "id": "1886493083207827456",
        "text": "Bitcoin hits new all-time high! 🚀",
        "created_at": "2026-04-20T15:30:00.000Z",
        "favorite_count": 15000,
        "retweet_count": 3000,
        "reply_count": 800,
        "author": {"id": "12", "name": "Jack", "screen_name": "jack"},
    },
    "createdAt": "2026-04-20T15:30:00.000Z",
}


def record(mid: int, at: datetime, **changes: JSONValue) -> dict[str, JSONValue]:
    payload: JSONValue = {"id": str(mid), "text": f"text {mid}", "created_at": at.isoformat(), "author": {"id": "12"}}
    return {"id": f"cm{mid}", "messageId": str(mid), "sourceId": "12", "rawPayload": payload, **changes}


def read(answer: object, span: TimeSpan = SPAN) -> Page:
    page = page_of(read_json(json.dumps(answer).encode()), JACK, span)
    assert page is not None
    return page


def mids(page: Page) -> list[str]:
    return [post.mid for post in page.posts]


def test_the_documented_post_becomes_the_event_that_the_stream_would_have_sent() -> None:
    page = read({"data": [DOCUMENTED], "nextCursor": "cm9xyz789ghi012", "limit": 50, "backfillTriggered": False})
    (post,) = page.posts
    assert (post.mid, post.at, page.cursor, page.odd) == ("1886493083207827456", NOON, "cm9xyz789ghi012", 0)
    assert post.frame.decode().startswith(
        '{"mid":"1886493083207827456","sid":"12","source":"x","timestamp":1776699000000,"payload":{"id":"18864930832078'
        '27456","text":"Bitcoin hits new all-time high! 🚀","created_at":"2026-04-20T15:30:00.000Z",'
    )
    event = decode_event(post.frame)
    assert (event.source, event.mid, event.sid) == ("x", post.mid, "12")
    assert event.payload == DOCUMENTED["rawPayload"]


def test_posts_come_oldest_first_each_once_and_only_those_of_the_span() -> None:
    data = [record(n, NOON + timedelta(minutes=n)) for n in (5, 3, 3, -1, 6, -6, -5)]
    assert mids(read({"data": data})) == ["-5", "-1", "3", "5"]


@pytest.mark.parametrize(
    ("changes", "at"),
    [
        ({"rawPayload": {"id": "1", "created_at": "Mon Apr 20 15:31:00 +0000 2026"}}, NOON + timedelta(minutes=1)),
        ({"rawPayload": {"id": "1"}, "createdAt": "2026-04-20T15:32:00Z"}, NOON + timedelta(minutes=2)),
        ({"rawPayload": {"id": "1"}, "createdAt": 1776699180000}, NOON + timedelta(minutes=3)),
        ({"rawPayload": '{"id": "1", "created_at": "2026-04-20T15:34:00Z"}'}, NOON + timedelta(minutes=4)),
    ],
)
def test_the_time_of_a_post_is_read_from_any_of_its_places(changes: dict[str, JSONValue], at: datetime) -> None:
    (post,) = read({"data": [record(1, NOON, **changes)]}).posts
    assert post.at == at


def test_an_id_holds_the_time_to_the_millisecond() -> None:
    mid = "2046251238842040321"
    at = time_of_id(mid)
    assert at is not None
    said = at.replace(microsecond=0).strftime("%a %b %d %H:%M:%S +0000 %Y")
    for payload in ({"id": mid, "created_at": said}, {"id": mid}):
        (post,) = read([payload | {"author": {"id": "12"}}], TimeSpan(at, at)).posts
        assert post.at == at
        assert decode_event(post.frame).timestamp == at.timestamp() * 1000


@pytest.mark.parametrize("name", ["data", "tweets", None])
def test_a_list_is_found_wherever_it_is_and_a_bare_post_is_one(name: str | None) -> None:
    posts = [DOCUMENTED["rawPayload"]]
    assert mids(read(posts if name is None else {name: posts})) == ["1886493083207827456"]
    assert mids(read({"data": {"posts": posts}})) == ["1886493083207827456"]


def test_what_cannot_be_read_is_counted_and_what_is_of_another_source_is_not() -> None:
    data: list[JSONValue] = [
        None,
        7,
        [],
        {},
        {"rawPayload": None},
        {"rawPayload": "{"},
        {"messageId": "1"},
        record(1, NOON, rawPayload={"id": "1"}),  # without a time
        record(2, NOON, rawPayload={"id": 2.5, "created_at": NOON.isoformat()}, messageId=None),
        record(3, NOON) | {"source": "TELEGRAM"},
    ]
    page = read({"data": data})
    assert (page.posts, page.odd) == ([], 9)


def test_half_a_character_and_long_numbers_go_on_as_they_are() -> None:
    body = (
        b'{"data":[{"id":"1","author":{"id":12},"created_at":"2026-04-20T15:30:00Z","text":"cut \\ud83d","n":%s}]}'
        % (b"9" * 40)
    )
    page = page_of(read_json(body), JACK, SPAN)
    assert page is not None
    (post,) = page.posts
    assert b'"text":"cut \\ud83d","n":' + b"9" * 40 in post.frame
    assert decode_event(post.frame).sid == "12"


def test_an_event_that_ingest_would_not_take_is_none() -> None:
    deep: JSONValue = "x"
    for _ in range(600):
        deep = [deep]
    raw: JSONValue = {"id": "1", "created_at": NOON.isoformat(), "author": {"id": "1"}, "deep": deep}
    assert read({"data": [record(1, NOON, rawPayload=raw)]}).odd == 1
    body = b'{"data":[{"id":"1","author":{"id":"1"},"created_at":"2026-04-20T15:30:00Z","n":1e999}]}'
    assert page_of(read_json(body), JACK, SPAN) == Page(posts=[], cursor=None, odd=1)


@pytest.mark.parametrize("body", [b"", b"{", b"NaN", b'{"a":Infinity}', b"\xff", b"[" * 200_000, b"1" * 5_000])
def test_what_is_no_json_is_a_value_error(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"JSON|parser|limit|codec|Expecting|digits"):
        read_json(body)


def test_going_on_ends_where_the_answer_says_or_the_span_does() -> None:
    ahead = [record(n, NOON + timedelta(minutes=n)) for n in (1, 2)]
    beyond = [record(n, NOON + timedelta(minutes=n)) for n in (1, 9)]
    before = [record(n, NOON + timedelta(minutes=n)) for n in (1, -9)]
    assert read({"data": ahead, "nextCursor": "a"}).cursor == "a"
    assert read({"data": ahead, "next_cursor": 7}).cursor == "7"
    assert read({"data": beyond, "nextCursor": "a"}).cursor is None
    assert read({"data": before, "nextCursor": "a"}).cursor is None
    for end in ({"nextCursor": None}, {"nextCursor": ""}, {}):
        assert read({"data": ahead, **end}).cursor is None
    assert read({"data": [], "nextCursor": "a"}).cursor is None
    full = [record(n, NOON) for n in range(100)]
    assert read({"data": full}).cursor == "cm99"
    assert read({"data": full, "nextCursor": None}).cursor is None
    assert read(full).cursor is None


def test_tracked_accounts_are_read_as_the_server_lists_them_and_in_other_ways() -> None:
    listed: JSONValue = {"name": "Jack", "username": "jack", "id": "clxyz123abc", "externalId": "12"}
    found = accounts_of({"data": [listed], "message": "1 sources tracked on x"})
    assert found is not None
    assert (found.known, found.odd) == ([JACK], 0)
    nested = accounts_of([{"sourceInfo": listed}, {"externalId": 13}, {"id": "a/../b"}, {"id": ".."}, 5, {}])
    assert nested is not None
    assert (nested.known, nested.odd) == ([JACK, Account(id="13", sid="13", name="13")], 4)
    others = accounts_of({"data": [listed, {"id": "a", "source": "DISCORD"}], "total": 5})
    assert others is not None
    assert (others.known, others.odd) == ([JACK], 3)
    useless: list[JSONValue] = [None, "x", 5, {}, {"data": None}, {"status": "error", "error": "no"}]
    for none in useless:
        assert accounts_of(none) is None
        assert page_of(none, JACK, SPAN) is None


KEYS = st.sampled_from(
    [
        *("data", "posts", "nextCursor", "total", "id", "id_str", "messageId", "sourceId", "rawPayload", "source"),
        *("created_at", "createdAt", "author", "externalId", "username", "sourceInfo", "x"),
    ]
)
SCALARS: st.SearchStrategy[JSONValue] = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=()))
    | st.sampled_from(["2026-04-20T15:30:00Z", "9999-12-31T23:59:59-23:59", "2046251238842040321", "telegram", 10**18])
)
ANYTHING: st.SearchStrategy[JSONValue] = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner), max_leaves=40
)
WHENEVER = st.datetimes(timezones=st.just(UTC))


@given(ANYTHING, WHENEVER, WHENEVER)
def test_any_json_gives_events_of_the_span_or_nothing(answer: JSONValue, one: datetime, other: datetime) -> None:
    accounts_of(answer)
    span = TimeSpan(min(one, other), max(one, other))
    page = page_of(answer, JACK, span)
    if page is not None:
        for post in page.posts:
            event = decode_event(post.frame)
            assert (event.source, event.mid) == ("x", post.mid)
            assert post.at in span
        assert [post.at for post in page.posts] == sorted(post.at for post in page.posts)


@given(st.binary() | st.text().map(str.encode))
def test_any_bytes_are_json_or_a_value_error(body: bytes) -> None:
    try:
        read_json(body)
    except ValueError:
        return
