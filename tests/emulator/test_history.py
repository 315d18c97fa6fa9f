"""The emulator's history of X accounts answers as scrape.st documents it."""

import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from forwarder.emulator.server import Emulator
from forwarder.emulator.settings import EmulatorSettings

HEADERS = {"x-api-key": "test-key"}
NOON_MS = 1_776_700_800_000


def post(mid: int, *, sid: str = "12", source: str = "x") -> str:
    return (
        f'{{"mid":"{mid}","sid":"{sid}","source":"{source}","timestamp":{NOON_MS + 1000 * mid},"payload":{{"id":"{mid}",'
        f'"text":"text {mid}","lang":"en","favorite_count":3,"author":{{"id":"{sid}","name":"Jack","screen_name":"jack"'
        ',"verified":true}}}'
    )


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    async with Emulator(EmulatorSettings(history_limit=6)) as emulator:
        yield emulator


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(headers=HEADERS) as session:
        yield session


async def ask(session: aiohttp.ClientSession, url: str, status: int = 200) -> Any:  # noqa: ANN401 - JSON
    async with session.get(url) as response:
        assert response.status == status
        return await response.json()


async def test_posts_are_kept_while_nobody_is_connected_and_served_cut_down(
    emulator: Emulator, session: aiohttp.ClientSession
) -> None:
    assert (await ask(session, f"{emulator.url}/track/x"))["data"] == []
    await emulator.send(post(1))
    await emulator.send(post(2, source="fast-x"))
    (account,) = (await ask(session, f"{emulator.url}/track/x"))["data"]
    assert account == {"name": "Jack", "username": "jack", "id": "cl12", "externalId": "12"}
    answer = await ask(session, f"{emulator.url}/account/history/cl12")
    (record,) = answer.pop("data")
    assert answer == {"nextCursor": None, "limit": 50, "backfillTriggered": False}
    assert record == {
        "id": "cm000000000001",
        "source": "X",
        "messageId": "1",
        "sourceId": "12",
        "content": "text 1",
        "rawPayload": {
            "id": "1",
            "created_at": "2026-04-20T16:00:01.000Z",
            "text": "text 1",
            "favorite_count": 3,
            "author": {"id": "12", "name": "Jack", "screen_name": "jack"},
        },
        "createdAt": "2026-04-20T16:00:01.000Z",
    }


async def test_pages_go_on_behind_the_cursor_within_the_dates(
    emulator: Emulator, session: aiohttp.ClientSession
) -> None:
    for mid in range(1, 8):
        await emulator.send(post(mid))
    dates = "startDate=2026-04-20T16:00:02.000Z&endDate=2026-04-20T16:00:06.000Z"
    found: list[list[str]] = []
    cursor: str | None = ""
    while cursor is not None:
        url = f"{emulator.url}/account/history/cl12?{dates}&order=asc&limit=2" + (f"&cursor={cursor}" if cursor else "")
        answer = await ask(session, url)
        found.append([record["messageId"] for record in answer["data"]])
        cursor = answer["nextCursor"]
    assert found == [["2", "3"], ["4", "5"], ["6"]]
    assert [r["messageId"] for r in (await ask(session, f"{emulator.url}/account/history/cl12?limit=2"))["data"]] == [
        "7",
        "6",
    ]
    await ask(session, f"{emulator.url}/account/history/cl12?limit=101", status=422)


async def test_too_many_requests_an_unknown_account_and_a_wrong_key(
    emulator: Emulator, session: aiohttp.ClientSession
) -> None:
    for _ in range(6):
        assert (await ask(session, f"{emulator.url}/account/history/no", status=404))["status"] == "not_found"
    assert await ask(session, f"{emulator.url}/account/history/no", status=429) == {
        "status": "error",
        "error": "Too many requests. Please try again later.",
        "retry_after": 60,
    }
    assert (emulator.history.stats.asked, emulator.history.stats.limited) == (6, 1)
    async with session.get(f"{emulator.url}/track/x", headers={"x-api-key": "wrong"}) as response:
        assert (response.status, await response.json()) == (401, {"status": "error", "error": "Invalid API key"})


async def test_it_can_be_refused_by_its_path(emulator: Emulator, session: aiohttp.ClientSession) -> None:
    emulator.refuse(503, path="/account/history")
    await ask(session, f"{emulator.url}/account/history/cl12", status=503)
    await ask(session, f"{emulator.url}/track/x")
    async with session.post(
        f"{emulator.url}/emulator/fault", json={"fault": "refuse", "status": 500, "path": "/track/x"}
    ) as response:
        assert response.status == 200
    await ask(session, f"{emulator.url}/track/x", status=500)


async def test_what_was_sent_of_late_is_served_whole_as_it_came(
    emulator: Emulator, session: aiohttp.ClientSession
) -> None:
    now_ms = int(time.time() * 1000)
    for mid, sid in ((1, "12"), (2, "13"), (3, "14"), (4, "12")):
        frame = post(mid, sid=sid).replace(f'"timestamp":{NOON_MS + 1000 * mid}', f'"timestamp":{now_ms + mid}')
        await emulator.send(frame)
    url = f"{emulator.url}/x/tweets/recent"
    tweets = (await ask(session, f"{url}?uids=12,13&since={now_ms + 2}"))["tweets"]
    assert [(tweet["id"], tweet["lang"], tweet["author"]["verified"]) for tweet in tweets] == [
        ("2", "en", True),
        ("4", "en", True),
    ]
    await ask(session, url, status=400)
    await ask(session, f"{url}?uids={','.join(map(str, range(101)))}", status=400)
