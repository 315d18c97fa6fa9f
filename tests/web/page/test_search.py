"""What a search form asks for, and the addresses of the pages of a list."""

from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import pytest

from forwarder.core.history import Cursor, Query
from forwarder.web.page.search import MOST_ROWS, Asked, asked_of, cursor_of, place_of

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def test_an_empty_form_asks_for_everything() -> None:
    asked = asked_of({"text": "  ", "state": "nonsense", "period": "forever", "unknown": "x"})
    assert not asked.is_narrow
    assert asked.query(NOW) == Query(limit=MOST_ROWS)
    assert asked.address("/events") == "/events"


def test_each_field_narrows_the_search() -> None:
    asked = asked_of(
        {
            "text": " moon ",
            "author": "@a",
            "link": "l",
            "route": "r",
            "destination": "d",
            "state": "dead",
            "reason": "no",
            "period": "24h",
        }
    )
    assert asked.is_narrow
    assert asked.query(NOW) == Query(
        text="moon", author="@a", link="l", route="r", destination="d", status="dead", reason="no",
        since_ms=round(datetime(2026, 1, 1, tzinfo=UTC).timestamp() * 1000), limit=MOST_ROWS,
    )  # fmt: skip


def test_unmatched_is_no_state_of_a_delivery() -> None:
    query = asked_of({"state": "unmatched"}).query(NOW)
    assert (query.status, query.unmatched) == (None, True)


def test_an_address_brings_the_same_search_again() -> None:
    asked = Asked(text='a&b "c" <d>', author="ключ", after="1.2.bot")
    fields = {name: values[0] for name, values in parse_qs(urlsplit(asked.address("/events")).query).items()}
    assert asked_of(fields) == asked
    assert asked.address("/events", after="", author="") == "/events?text=a%26b+%22c%22+%3Cd%3E"


@pytest.mark.parametrize("cursor", [Cursor(at_ms=1767225600000, seq=12), Cursor(at_ms=1, seq=2, destination="a.b")])
def test_a_place_in_a_list_is_read_as_it_was_written(cursor: Cursor) -> None:
    assert cursor_of(place_of(cursor)) == cursor
    assert Asked(after=place_of(cursor)).query(NOW).after == cursor


@pytest.mark.parametrize("place", ["x", "1", "1.", "1.x", "-1.2", "²4.1", "1" * 20 + ".1", "1." + "2" * 20])
def test_a_place_that_is_none_is_refused(place: str) -> None:
    with pytest.raises(ValueError, match="not a place"):
        cursor_of(place)


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("https://twitter.com/nova/status/123?s=20", Query(mid="123", limit=MOST_ROWS)),
        ("https://t.me/nova/123", Query(mid="123", source="telegram", limit=MOST_ROWS)),
        ("https://discord.com/channels/1/2/123", Query(mid="123", limit=MOST_ROWS)),
        ("123", Query(mid="123", limit=MOST_ROWS)),
        ("https://news.example/a/b", Query(link="https://news.example/a/b", limit=MOST_ROWS)),
        ("https://x.com/nova", Query(link="https://x.com/nova", limit=MOST_ROWS)),
        ("", Query(limit=MOST_ROWS)),
    ],
)
def test_a_post_is_found_by_each_form_of_its_link(link: str, expected: Query) -> None:
    assert Asked(link=link).query(NOW) == expected


@pytest.mark.parametrize(
    ("link", "event_id"),
    [
        ("A" * 32, "a" * 32),
        ("msg_" + "a" * 32 + "b" * 8, "a" * 32),
        ("a" * 31, ""),
        ("https://x.com/nova/status/123", ""),
        ("", ""),
    ],
)
def test_an_id_names_one_event(link: str, event_id: str) -> None:
    assert Asked(link=link).event_id == event_id
