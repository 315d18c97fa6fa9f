"""What a request says, as values."""

from datetime import UTC, datetime

import msgspec
import pytest
from aiohttp.test_utils import make_mocked_request

from forwarder.core.history import FOREVER_MS, Cursor, Query
from forwarder.web.parameters import (
    EventId,
    Filters,
    InvalidRequestError,
    Period,
    read_cursor,
    read_path,
    read_query,
    write_cursor,
)

AT = datetime(2026, 1, 1, tzinfo=UTC)
AT_MS = round(AT.timestamp() * 1000)


def asked(query: str) -> Query:
    return read_query(make_mocked_request("GET", f"/?{query}"), Filters).query()


def test_a_query_becomes_one_of_the_history() -> None:
    found = asked("text=abc&author=a&source=x&route=r&destination=b&limit=7&since=2026-01-01T00:00:00Z&after=5.6.bot")
    assert found == Query(
        text="abc",
        author="a",
        source="x",
        route="r",
        destination="b",
        limit=7,
        since_ms=AT_MS,
        after=Cursor(5, 6, "bot"),
    )
    assert asked("text=null").text == "null"
    assert asked("") == Query(limit=50, until_ms=FOREVER_MS)


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("unknown=1", "there is no parameter 'unknown' here"),
        ("text=a&text=b", "text is given twice"),
        ("limit=0", "`int` >= 1"),
        ("limit=501", "`int` <= 500"),
        ("limit=many", "limit does not fit"),
        ("text=", "length >= 1"),
        ("since=yesterday", "since does not fit"),
        ("since=2026-01-01T00:00:00", "timezone"),
        ("since=2026-01-01T00:00:00Z&until=2026-01-01T00:00:00Z", "until must be later than since"),
        ("after=1", "after does not fit"),
        ("after=9999999999999999.1", "no page ends there"),
        ("limit=%F0%9F%92%A9%07", "limit does not fit"),
    ],
)
def test_what_does_not_fit_is_said_in_a_sentence(query: str, text: str) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        asked(query)
    assert text in str(refused.value)
    assert str(refused.value).isprintable()
    assert refused.value.status == 400


def test_a_name_in_the_path_that_cannot_be_one_is_not_found() -> None:
    request = make_mocked_request("GET", "/", match_info={"event_id": "x"})
    with pytest.raises(InvalidRequestError, match="there is no such event id") as refused:
        read_path(request, "event_id", EventId)
    assert refused.value.status == 404


@pytest.mark.parametrize("cursor", [Cursor(1, 2), Cursor(1, 2, "a.b c"), Cursor(0, 1, "😀")])
def test_a_cursor_is_written_and_read(cursor: Cursor) -> None:
    written = write_cursor(cursor)
    assert written is not None
    assert read_cursor(written) == cursor
    assert write_cursor(None) is None


def test_a_time_before_all_is_the_beginning() -> None:
    assert msgspec.convert({"since": "0001-01-01T00:00:00Z"}, Period).bounds()[0] == 0
