"""Sessions of browsers."""

import aiohttp

from tests.support.web import TOKEN, Served

OURS = {"X-Forwarder": "1"}


async def test_who_sent_the_token_once_need_not_send_it_again(served: Served) -> None:
    async with aiohttp.ClientSession(headers=OURS, cookie_jar=aiohttp.CookieJar(unsafe=True)) as browser:
        bearer = {"Authorization": f"Bearer {TOKEN}"}
        async with browser.post(f"{served.url}/session", headers=bearer) as answer:
            assert (answer.status, await answer.json()) == (200, {"may_change": True, "why_not": ""})
            cookie = answer.headers["Set-Cookie"]
        assert cookie.startswith(f"forwarder-{served.port}=")
        assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= {part.strip() for part in cookie.split(";")}
        assert TOKEN not in cookie
        async with browser.get(f"{served.url}/session") as answer:
            assert (await answer.json())["may_change"] is True
        async with browser.post(f"{served.url}/logout") as answer:
            assert (await answer.json())["may_change"] is False
        async with browser.get(f"{served.url}/session") as answer:
            found = await answer.json()
        assert found["may_change"] is False
        assert "Authorization: Bearer" in found["why_not"]


async def test_a_session_needs_the_token(served: Served) -> None:
    for headers in (OURS, {**OURS, "Authorization": "Bearer wrong-wrong-wrong"}):
        async with served.session.post(f"{served.url}/session", headers=headers) as answer:
            assert answer.status == 401
            assert "Set-Cookie" not in answer.headers
