"""The views, over HTTP, on a real outbox and without a browser."""

import asyncio
import json
import re
import threading
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from forwarder.core.commands import PauseChange
from forwarder.core.delivery import DeliveryStatus, WaitsFor
from forwarder.core.history import AWAITS_FULL, KEPT_BY_QUIET, KEPT_FOR_DIGEST
from forwarder.outbox.open import open_outbox
from forwarder.web.page import pages
from forwarder.web.page.pages import VIEWS, PageViews
from tests.support.history import CONFIG, fill
from tests.support.outbox import keep, keep_unmatched
from tests.support.web import access_of


@pytest.fixture
async def config(tmp_path: Path) -> Path:
    """Return a config whose outbox has four events: delivered, dead after two attempts, pending, and unmatched."""
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG, encoding="utf-8")
    await fill(path)
    return path


@pytest.fixture
async def url(config: Path) -> AsyncIterator[str]:
    """Serve the pages of a daemon with this config."""
    application = web.Application()
    PageViews(access_of(config)).add_to(application)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def shown(address: str, status: int = 200) -> str:
    async with aiohttp.ClientSession() as session, session.get(address) as answer:
        text = await answer.text()
        assert answer.status == status, text
        assert answer.content_type == "text/html"
        return text


def links_to_events(text: str) -> list[str]:
    return re.findall(r'href="(/events/[^"]+)"', text)


@pytest.mark.parametrize(("name", "path", "label"), VIEWS)
async def test_each_view_is_complete_html_with_landmarks(url: str, name: str, path: str, label: str) -> None:
    text = await shown(url + path)
    assert text.lstrip().startswith("<!doctype html>")
    for piece in ('<html lang="en">', "<main", "</main>", "<nav", 'href="#main"', "</html>"):
        assert piece in text
    assert f'<a href="{path}" aria-current="page">{label}</a>' in text
    assert text.count("<h1") == 1


async def test_the_overview_shows_streams_destinations_and_what_waits(url: str) -> None:
    text = await shown(f"{url}/")
    for piece in ("Streams are open", "websocket", "Time to disk", "dead letters"):
        assert piece in text


async def test_events_are_listed_and_searched(url: str) -> None:
    assert len(links_to_events(await shown(f"{url}/events"))) == 4
    assert len(links_to_events(await shown(f"{url}/events?state=dead"))) == 1
    assert len(links_to_events(await shown(f"{url}/events?state=unmatched"))) == 1
    assert len(links_to_events(await shown(f"{url}/events?destination=bot&state=delivered"))) == 1
    nothing = await shown(f"{url}/events?text=%3Cscript%3Ealert(1)%3C/script%3E")
    assert "No event that is kept matches this search." in nothing
    assert "<script>alert" not in nothing


async def test_an_id_leads_to_its_event(url: str) -> None:
    (link,) = links_to_events(await shown(f"{url}/events?state=dead"))
    event_id = link.partition("?")[0].rpartition("/")[2]
    text = await shown(f"{url}/events?link=%20{event_id.upper()}")
    assert "Why, route by route" in text
    (webhook_id,) = re.findall(r"msg_[0-9a-f]{40}", text)
    assert f"<code>{event_id}</code>" in await shown(f"{url}/events?link={webhook_id}")


async def test_a_long_list_has_pages(url: str, config: Path) -> None:
    async with open_outbox(config.with_name("outbox.db")) as outbox:
        for number in range(100, 160):
            keep_unmatched(outbox, number)
    first = await shown(f"{url}/events")
    (older,) = re.findall(r'href="([^"]+)" rel="next"', first)
    second = await shown(url + older.replace("&amp;", "&"))
    found = [*links_to_events(first), *links_to_events(second)]
    assert (len(found), len(set(found))) == (64, 64)
    assert 'rel="next"' not in second


async def test_an_event_has_its_deliveries_attempts_payload_and_why(url: str) -> None:
    (link,) = links_to_events(await shown(f"{url}/events?state=dead"))
    text = await shown(url + link)
    for piece in (
        "HTTP 500: no",
        "503",
        "webhook-id",
        'class="waterfall"',
        "headers of requests are not kept",
        "&#34;payload&#34;",
    ):
        assert piece in text, piece
    assert text.count('<rect class="failed"') == 2


@pytest.mark.parametrize(
    ("waits_for", "said"),
    [
        (WaitsFor.FULL_TEXT, AWAITS_FULL),
        (WaitsFor.QUIET_END, KEPT_BY_QUIET),
        (WaitsFor.DIGEST, KEPT_FOR_DIGEST),
    ],
)
async def test_what_is_kept_for_later_says_so_in_the_words_of_the_commands(
    url: str, config: Path, waits_for: WaitsFor, said: str
) -> None:
    async with open_outbox(config.with_name("outbox.db")) as outbox:
        until = datetime.now(UTC) + timedelta(hours=1)
        keep(outbox, 50, DeliveryStatus.PENDING, waits_until=until, waits_for=waits_for)
    text = await shown(f"{url}/events?state=pending")
    assert f"bot: {said}</span>" in text
    page = await shown(url + links_to_events(text)[0])
    assert f"<dt>Now</dt><dd>{said}</dd>" in page
    assert "<dt>Why</dt>" not in page
    assert "awaits_full" not in page


async def test_what_people_did_is_listed(url: str, config: Path) -> None:
    assert "Nobody has changed anything in this time." in await shown(f"{url}/actions")
    change = PauseChange(
        verb="pause", destination="bot", why="<b>it</b> is flooded", now_ms=round(datetime.now(UTC).timestamp() * 1000)
    )
    async with open_outbox(config.with_name("outbox.db")) as outbox:
        await outbox.change(change, person="ada")
    text = await shown(f"{url}/actions?period=24h")
    for piece in ("<bdi>ada</bdi>", ">pause<", "&lt;b&gt;it&lt;/b&gt; is flooded"):
        assert piece in text, piece


async def test_dead_letters_are_grouped_by_reason(url: str) -> None:
    text = await shown(f"{url}/dead")
    (group,) = set(re.findall(r'data-group="([^"]+)"', text))
    found = json.loads(group.replace("&#34;", '"'))
    assert found.pop("last_at")
    assert found == {
        "destination": "bot",
        "reason": "HTTP 500: no",
        "status": "dead",
        "count": 1,
    }
    assert text.count('name="letter"') == 1
    assert "No dead letter matches" in await shown(f"{url}/dead?destination=other")


async def test_the_config_is_shown_without_its_secrets(url: str) -> None:
    text = await shown(f"{url}/config")
    assert "routes:\n" in text
    assert "api_key: &#39;***&#39;" in text
    assert "sqlite:outbox.db" in text


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/events/nothing", 404, "No such event"),
        ("/events/%3Cscript%3E", 404, "No such event"),
        ("/events?after=nonsense", 400, "Not understood"),
        ("/dead?after=1.x", 400, "Not understood"),
        ("/events/%23x", 400, "Not understood"),
    ],
)
async def test_what_is_not_there_is_said_on_a_page(url: str, path: str, status: int, said: str) -> None:
    assert said in await shown(url + path, status)


async def test_an_outbox_that_cannot_be_read_is_said_on_a_page(url: str, config: Path) -> None:
    config.with_name("outbox.db").unlink()
    for path in ("/events?text=moon", "/dead?text=moon"):
        text = await shown(url + path, 503)
        assert "the outbox cannot be read now" in text
        assert 'value="moon"' in text  # the form keeps what was asked
        assert "Nothing can be shown now." in text
    assert "Not available now" in await shown(f"{url}/gaps", 503)
    assert "Destinations" in await shown(f"{url}/")


async def test_a_config_is_written_once_and_not_in_the_loop(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real, writers = pages._written, list[threading.Thread]()

    def written(value: object) -> str:
        writers.append(threading.current_thread())
        return real(value)

    monkeypatch.setattr(pages, "_written", written)
    texts = await asyncio.gather(*(shown(f"{url}/config") for _ in range(4)))
    assert all("routes:" in text for text in texts)
    assert len(writers) == 2
    assert threading.main_thread() not in writers


@pytest.mark.parametrize("path", ["/events?text=%00", "/dead?reason=a%00"])
async def test_a_null_character_is_not_understood(url: str, path: str) -> None:
    assert "Not understood" in await shown(url + path, status=400)
