"""What the page and the API are told of a running daemon."""

import json
from pathlib import Path

import msgspec
import pytest

from forwarder.core.commands import PauseChange, Request
from forwarder.core.history import Cursor, Query
from forwarder.core.monitoring.status import DestinationReport, StatusReport
from forwarder.core.monitoring.verdict import HealthLevel
from forwarder.daemon.web_access import WebAccess
from forwarder.outbox.open import open_outbox
from forwarder.web.ports import DaemonAccess
from tests.support.history import CONFIG, fill
from tests.support.outbox import EVENTS, NOW, attempt, keep
from tests.support.web import access_of, parts_of

DOWN = DestinationReport(breaker="open")


@pytest.fixture
async def config(tmp_path: Path) -> Path:
    """Return a config whose outbox has four events: delivered, dead after two attempts, pending, and unmatched."""
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG, encoding="utf-8")
    await fill(path)
    return path


async def test_it_is_what_the_page_and_the_api_ask_for(config: Path) -> None:
    access: DaemonAccess = access_of(config)
    assert access.status().state == "running"
    with access.live.subscribe(most=1) as passing:
        assert passing.lost == 0
    backlog = await access.backlog()
    assert backlog is not None
    assert (backlog.waiting, backlog.dead) == ({"bot": 1}, {"bot": 1})
    assert (await access.verdict()).level is HealthLevel.OK
    assert access.now().tzinfo is not None


async def test_an_outbox_that_cannot_be_counted_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG, encoding="utf-8")
    access = access_of(path)
    assert await access.backlog() is None
    assert (await access.verdict()).level is HealthLevel.OK


async def test_events_come_a_page_at_a_time_without_their_bodies(config: Path) -> None:
    access = access_of(config)
    first = await access.events(Query(limit=3))
    assert [event.event_seq for event in first.events] == [4, 3, 2]
    assert {event.body for event in first.events} == {None}
    assert first.next is not None
    last = await access.events(Query(limit=3, after=first.next))
    assert ([event.event_seq for event in last.events], last.next) == ([1], None)
    assert (await access.events(Query(limit=4))).next is None
    assert [each.status for each in last.events[0].deliveries] == ["delivered"]


async def test_an_event_has_its_body_and_every_attempt(config: Path) -> None:
    access = access_of(config)
    (event,) = await access.event(EVENTS[1].id)
    assert event.body == EVENTS[1].body.decode()
    (delivery,) = event.deliveries
    assert [(each.number, each.http_status, each.excerpt) for each in delivery.attempts] == [
        (1, 503, "no"),
        (2, 500, "no"),
    ]
    assert await access.event(delivery.delivery_id) == [event]
    assert await access.event("#2") == [event]
    assert await access.event("#99") == []
    assert await access.event(EVENTS[1].id[:8]) == []
    assert await access.event("nothing") == []


async def test_what_is_no_utf_8_is_replaced(config: Path) -> None:
    async with open_outbox(config.with_name("outbox.db")) as outbox:
        event = msgspec.structs.replace(EVENTS[0], body=b'{"mid": "\xff"}')
        EVENTS.append(event)
        try:
            keep(outbox, len(EVENTS) - 1)
        finally:
            EVENTS.pop()
    (found,) = await access_of(config).event("#5")
    assert found.body == '{"mid": "?"}'
    msgspec.json.encode(found)


async def test_an_event_is_explained_route_by_route(config: Path) -> None:
    access = access_of(config)
    found = await access.explain(2)
    assert found is not None
    assert found.today is not None
    assert [(route.name, str(route.outcome)) for route in found.today.routes] == [("all", "matched")]
    assert found.why_not_then == "the config of that time was not kept"
    assert await access.explain(99) is None
    msgspec.json.encode(found)


async def test_deliveries_and_dead_letters_come_a_page_at_a_time(config: Path) -> None:
    access = access_of(config)
    first = await access.deliveries(Query(limit=2))
    assert [each.event_seq for each in first.deliveries] == [3, 2]
    assert first.next == Cursor(round(NOW.timestamp() * 1000), 2, "bot")
    assert [each.event_seq for each in (await access.deliveries(Query(limit=2, after=first.next))).deliveries] == [1]
    async with open_outbox(config.with_name("outbox.db")) as outbox:
        outbox.bury(keep(outbox, 4), attempt(400), reason="HTTP 400")
    dead = await access.dead_letters(Query(limit=1))
    assert dead.next is not None
    rest = await access.dead_letters(Query(limit=1, after=dead.next))
    assert {each.event_seq for each in (*dead.deliveries, *rest.deliveries)} == {2, 5}
    assert rest.next is None
    assert {group.reason: group.count for group in await access.dead_groups(Query())} == {
        "HTTP 400": 1,
        "HTTP 500: no": 1,
    }


async def test_what_a_delivery_waits_for_is_said_in_every_list(config: Path) -> None:
    parts = msgspec.structs.replace(parts_of(config), status=lambda: StatusReport(destinations={"bot": DOWN}))
    access, expected = WebAccess(parts), {"waits for a probe"}
    (event,) = await access.event("#3")
    listed = (await access.events(Query())).events
    deliveries = (await access.deliveries(Query())).deliveries
    assert {each.waits_for for each in event.deliveries} == expected
    assert {each.waits_for for found in listed if found.event_seq == 3 for each in found.deliveries} == expected
    assert {each.waits_for for each in deliveries if each.status == "pending"} == expected
    assert {each.waits_for for each in deliveries if each.status != "pending"} == {None}


async def test_gaps_and_actions_are_lists(config: Path) -> None:
    access = access_of(config)
    assert await access.gaps(Query(), stream=None, only_open=False) == []
    assert await access.actions(Query()) == []


SECRET = "hunter2-hunter2"
SECRETIVE = f"""\
streams: [{{url: 'ws://127.0.0.1:9', api_key: {SECRET}}}]
outbox: {{url: 'sqlite:outbox.db'}}
destinations:
  bot: {{url: 'https://example.com/hook/{SECRET}', headers: {{x-a: {SECRET}}}}}
routes: [{{name: coins, match: {{text: {{contains: [btc, '${{WORD}}', {SECRET}]}}}}, to: bot}}]
"""


async def test_the_config_is_shown_without_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORD", "of-a-variable")
    path = tmp_path / "config.yaml"
    path.write_text(SECRETIVE, encoding="utf-8")
    shown = await access_of(path).config()
    text = msgspec.json.encode(shown).decode()
    assert SECRET not in text
    assert "of-a-variable" not in text
    assert shown.routing["routes"] == [
        {"name": "coins", "match": {"text": {"contains": ["btc", "${WORD}", "***"]}}, "to": "bot"}
    ]
    assert json.loads(text)["settings"]["destinations"]["bot"]["url"] == "***"
    assert (shown.file, shown.refused) == (str(path), None)


async def test_the_last_refused_edit_is_shown_with_its_places(config: Path) -> None:
    access = access_of(config)
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace("destinations:", "destination:"), encoding="utf-8")
    await access._parts.reloader.reload()
    refused = (await access.config()).refused
    assert refused is not None
    assert [(problem.file, problem.line) for problem in refused.problems] == [(str(config), 1), (str(config), 3)]
    assert refused.more == 0


async def test_a_change_goes_to_the_daemon_with_the_person(config: Path) -> None:
    asked: list[tuple[Request, str]] = []
    request = PauseChange(verb="pause", destination="bot", now_ms=1)
    await access_of(config, asked=asked).change(request, "ann")
    assert asked == [(request, "ann")]
