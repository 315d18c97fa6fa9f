"""What the API tells of the history."""

import pytest

from tests.support.outbox import EVENTS
from tests.support.web import Served


@pytest.mark.parametrize(
    ("query", "seqs"),
    [
        ("", [4, 3, 2, 1]),
        ("?state=unmatched", [4]),
        ("?state=dead", [2]),
        ("?state=delivered&destination=bot", [1]),
        ("?destination=other", []),
        ("?route=r&limit=1", [3]),
        ("?source=nothing", []),
        ("?text=no-such-words-in-it", []),
    ],
)
async def test_events_are_searched(served: Served, query: str, seqs: list[int]) -> None:
    assert [event["event_seq"] for event in (await served.get(f"/events{query}"))["events"]] == seqs


async def test_a_list_is_read_page_by_page(served: Served) -> None:
    first = await served.get("/events?limit=3")
    assert (await served.get(f"/events?limit=3&after={first['next']}"))["next"] is None
    deliveries = await served.get("/deliveries?limit=1&state=pending")
    assert [each["event_seq"] for each in deliveries["deliveries"]] == [3]
    assert deliveries["next"] is None
    assert (await served.get("/dead?state=expired"))["deliveries"] == []
    (letter,) = (await served.get("/dead?reason=HTTP%20500:%20no"))["deliveries"]
    assert letter["event_seq"] == 2


async def test_an_event_is_shown_and_explained(served: Served) -> None:
    id_ = EVENTS[1].id
    event = await served.get(f"/events/{id_}")
    assert [attempt["http_status"] for attempt in event["deliveries"][0]["attempts"]] == [503, 500]
    assert (await served.get(f"/events/{id_}?seq=2")) == event
    for missing in (f"/events/{id_}?seq=3", f"/events/{'0' * 32}", f"/events/{'0' * 32}/explanation"):
        assert "there is no such event" in (await served.get(missing, status=404))["error"]
    explained = await served.get(f"/events/{id_}/explanation")
    assert [route["name"] for route in explained["today"]["routes"]] == ["all"]
    for query in ("?route=other", "?outcome=cut%20off"):
        assert (await served.get(f"/events/{id_}/explanation{query}"))["today"]["routes"] == []


async def test_groups_gaps_and_actions_are_shown(served: Served) -> None:
    (group,) = (await served.get("/dead/groups"))["groups"]
    assert (group["destination"], group["count"], group["reason"]) == ("bot", 1, "HTTP 500: no")
    assert (await served.get("/gaps?open=true&stream=main"))["gaps"] == []
    assert (await served.get("/actions?since=2026-01-01T00:00:00Z"))["actions"] == []
