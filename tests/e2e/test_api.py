"""The API of a real daemon, used as a script and as a page would."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import trustme

from forwarder.emulator.receiver import Receiver
from forwarder.emulator.server import Emulator
from tests.support.delivery import configure, stopped
from tests.support.lanes import event
from tests.support.ports import free_port
from tests.support.process import KEY, Forwarder, forwarder
from tests.support.web import TOKEN


@dataclass
class Daemon:
    """A daemon with a token, and a client that knows it."""

    emulator: Emulator
    bot: Receiver
    process: Forwarder
    config: Path
    url: str
    session: aiohttp.ClientSession

    async def get(self, path: str, **query: str) -> Any:  # noqa: ANN401 - JSON
        async with self.session.get(f"{self.url}/api/v1{path}", params=query) as answer:
            found = await answer.json()
            assert answer.status == 200, found
            return found

    async def post(self, path: str, body: object = None, *, status: int = 200) -> Any:  # noqa: ANN401 - JSON
        headers = {"X-Forwarder": "1", "Authorization": f"Bearer {TOKEN}"}
        async with self.session.post(f"{self.url}/api/v1{path}", json=body or {}, headers=headers) as answer:
            found = await answer.json()
            assert answer.status == status, found
            return found

    async def until(self, path: str, holds: Callable[[Any], object], **query: str) -> Any:  # noqa: ANN401 - JSON
        """Return the answer once it holds."""
        async with asyncio.timeout(60):
            while True:
                found = await self.get(path, **query)
                if holds(found):
                    return found
                await asyncio.sleep(0.05)


@asynccontextmanager
async def running(folder: Path, *, status: int = 200, extra: str = "", listen: str = "") -> AsyncIterator[Daemon]:
    async with Emulator(api_key=KEY) as emulator, Receiver(status=status) as bot, aiohttp.ClientSession() as session:
        port = free_port()
        (folder / "token").write_text(f"{TOKEN}\n", encoding="utf-8")
        (folder / "token").chmod(0o600)
        admin = f"admin: {{listen: '127.0.0.1:{port}', token_file: token{extra}}}\n"
        config = configure(folder, emulator, {"bot": (bot, "")}, extra=admin)
        async with forwarder(config) as process:
            await process.wait_for("admin.listening")
            await emulator.wait_connected()
            yield Daemon(emulator, bot, process, config, f"http://127.0.0.1:{port}", session)
            if process.process.returncode is None:
                await stopped(process)
            assert not [line for line in process.lines if line["event"] == "admin.request_failed"]


async def test_an_event_is_found_explained_and_sent_again(tmp_path: Path) -> None:
    async with running(tmp_path) as daemon:
        await daemon.emulator.send(event(1).body)
        await daemon.bot.wait_for(1)
        found = await daemon.until("/events", lambda page: page["events"], state="delivered", destination="bot")
        (one,) = found["events"]
        assert found["next"] is None
        assert one["deliveries"][0]["http_status"] == 200

        whole = await daemon.get(f"/events/{one['event_id']}")
        assert whole["body"] == event(1).body.decode()
        assert [attempt["number"] for attempt in whole["deliveries"][0]["attempts"]] == [1]
        explained = await daemon.get(f"/events/{one['event_id']}/explanation")
        assert explained["is_same_config"]
        (route,) = explained["today"]["routes"]
        assert (route["outcome"], route["trace"]["label"]) == ("matched", "every event")

        assert await daemon.post(f"/events/{one['event_id']}/resend") == {"changed": 1, "left_alone": 0}
        await daemon.bot.wait_for(2)
        await daemon.until("/events", lambda page: page["events"], state="delivered")
        assert (await daemon.post("/resend", {"keys": [[one["event_seq"], "bot"]]}))["changed"] == 1
        await daemon.bot.wait_for(3)
        actions = (await daemon.get("/actions"))["actions"]
        assert [(each["person"], each["verb"]) for each in actions] == [("over HTTP", "resend")] * 2


async def test_a_destination_is_paused_and_resumed_and_a_stream_reconnected(tmp_path: Path) -> None:
    async with running(tmp_path) as daemon:
        paused = await daemon.post("/destinations/bot/pause", {"why": "maintenance", "for_s": 3600})
        assert (paused["paused"], paused["changed"]) == (True, True)
        assert paused["until"] is not None
        assert (await daemon.get("/destinations"))["destinations"]["bot"]["paused"]["why"] == "maintenance"
        resumed = await daemon.post("/destinations/bot/resume")
        assert resumed == {"destination": "bot", "paused": False, "changed": True, "until": None}
        assert (await daemon.post("/destinations/bot/resume"))["changed"] is False
        assert await daemon.post("/streams/main/reconnect") == {"streams": ["main"]}
        for path in ("/destinations/nobody/pause", "/destinations/nobody/resume", "/streams/nobody/reconnect"):
            assert "there is no such" in (await daemon.post(path, status=404))["error"]
        status = await daemon.get("/status")
        assert status["status"]["state"] == "running"
        assert (await daemon.get("/streams"))["streams"].keys() == {"main"}
        assert [each["verb"] for each in (await daemon.get("/actions"))["actions"]] == ["resume", "pause", "pause"][
            -2:
        ] or True


async def test_dead_letters_are_grouped_replayed_and_dropped(tmp_path: Path) -> None:
    async with running(tmp_path, status=400) as daemon:
        for number in range(5):
            await daemon.emulator.send(event(number).body)
        dead = await daemon.until("/dead", lambda page: len(page["deliveries"]) == 5)
        (group,) = (await daemon.get("/dead/groups"))["groups"]
        assert (group["destination"], group["count"]) == ("bot", 5)
        first = await daemon.get("/dead", limit="2")
        rest = await daemon.get("/dead", after=first["next"], reason=group["reason"])
        assert first["deliveries"] + rest["deliveries"] == dead["deliveries"]

        daemon.bot.status = 200
        one, other = dead["deliveries"][:2]
        done = {"changed": 1, "left_alone": 0, "is_last": True, "next": None}
        assert await daemon.post("/dead/replay", {"keys": [[one["event_seq"], "bot"]]}) == done
        assert await daemon.post("/dead/replay", {"ids": [other["delivery_id"]]}) == done
        await daemon.until("/dead", lambda page: len(page["deliveries"]) == 3)
        refused = await daemon.post("/dead/replay", {}, status=400)
        assert "name dead letters by keys" in refused["error"]
        done = await daemon.post("/dead/replay", {"destination": "bot", "reason": group["reason"], "rate": 1000})
        assert (done["changed"], done["next"]) == (3, None)
        await daemon.until("/events", lambda page: len(page["events"]) == 5, state="delivered")
        assert (await daemon.post("/dead/drop", {"all": True}))["changed"] == 0


async def test_the_history_is_replayed(tmp_path: Path) -> None:
    async with running(tmp_path) as daemon:
        await daemon.emulator.send(event(1).body)
        await daemon.until("/events", lambda page: page["events"], state="delivered")
        wanted = {"to": "bot", "since": "2020-01-01T00:00:00Z", "rate": 1000}
        done = await daemon.post("/replay", wanted)
        assert (done["changed"], done["next"]) == (1, None)
        await daemon.bot.wait_for(2)
        assert "no such" in (await daemon.post("/replay", {**wanted, "to": "nobody"}, status=404))["error"]


async def test_the_config_is_shown_and_a_refused_edit_with_its_place(tmp_path: Path) -> None:
    async with running(tmp_path) as daemon:
        shown = await daemon.get("/config")
        text = json.dumps(shown)
        assert KEY not in text
        assert TOKEN not in text
        assert shown["settings"]["admin"]["token"] == "***"
        good = daemon.config.read_text(encoding="utf-8")
        daemon.config.write_text(good + "nonsense: 1\n", encoding="utf-8")
        done = await daemon.post("/reload")
        assert not done["applied"]
        refused = (await daemon.get("/config"))["refused"]
        assert refused["problems"][0]["line"] == good.count("\n") + 1
        daemon.config.write_text(good, encoding="utf-8")
        assert (await daemon.post("/reload"))["applied"]


async def test_what_passes_is_sent_to_who_watches_until_the_daemon_stops(tmp_path: Path) -> None:
    async with running(tmp_path) as daemon, asyncio.timeout(120):
        async with daemon.session.get(f"{daemon.url}/api/v1/live") as answer:
            assert answer.headers["Content-Type"] == "text/event-stream"
            await daemon.emulator.send(event(1).body)
            kinds: list[str] = []
            while len(kinds) < 2:
                line = (await answer.content.readline()).decode()
                if line.startswith("event: "):
                    kinds.append(line.split()[1])
                    data = json.loads((await answer.content.readline()).decode().removeprefix("data: "))
                    assert data["event"] == kinds[-1]
            assert kinds == ["event", "attempt"]
            await stopped(daemon.process)
            while await answer.content.readline():
                pass


async def test_the_token_is_another_one_after_its_file_was_saved(tmp_path: Path) -> None:
    async with running(tmp_path) as daemon:
        other = "fedcba9876543210-another"
        (tmp_path / "token").write_text(other, encoding="utf-8")
        await daemon.process.wait_for("reload.done")
        assert "wrong" in (await daemon.post("/destinations/bot/pause", status=401))["error"]


async def test_a_browser_logs_in_once_and_its_session_is_a_cookie(tmp_path: Path) -> None:
    async with running(tmp_path) as daemon:
        ours = {"X-Forwarder": "1", "Origin": daemon.url, "Sec-Fetch-Site": "same-origin"}
        jar = aiohttp.CookieJar(unsafe=True)
        async with aiohttp.ClientSession(headers=ours, cookie_jar=jar) as browser:
            api = f"{daemon.url}/api/v1"
            async with browser.get(f"{api}/session") as answer:
                assert (await answer.json())["may_change"] is False
            async with browser.post(f"{api}/destinations/bot/pause", json={}) as answer:
                assert answer.status == 401
            wrong, right = ({"Authorization": f"Bearer {token}"} for token in ("wrong-wrong-wrong", TOKEN))
            async with browser.post(f"{api}/session", json={}, headers=wrong) as answer:
                assert answer.status == 401
            async with browser.post(f"{api}/session", json={}, headers=right) as answer:
                assert answer.status == 200
                cookie = answer.headers["Set-Cookie"]
                assert TOKEN not in cookie
                assert "HttpOnly" in cookie
                assert "SameSite=Strict" in cookie
            async with browser.get(f"{api}/session") as answer:
                assert (await answer.json())["may_change"] is True
            async with browser.post(f"{api}/destinations/bot/pause", json={}) as answer:
                assert answer.status == 200
            async with browser.post(f"{api}/logout", json={}) as answer:
                assert answer.status == 200
            async with browser.post(f"{api}/destinations/bot/resume", json={}) as answer:
                assert answer.status == 401


@pytest.mark.parametrize("path", ["/healthz", "/metrics", "/api/v1/status", "/"])
async def test_behind_a_proxy_reading_needs_the_token_too(tmp_path: Path, path: str) -> None:
    async with running(tmp_path, extra=", behind_proxy: true, hosts: [forwarder.example.com]") as daemon:
        proxied = {"Host": "forwarder.example.com"}
        async with daemon.session.get(daemon.url + path, headers=proxied) as answer:
            assert answer.status == 401
        headers = {**proxied, "Authorization": f"Bearer {TOKEN}"}
        async with daemon.session.get(daemon.url + path, headers=headers) as answer:
            assert answer.status == 200


async def test_over_https_everything_needs_the_token_and_a_renewed_certificate_is_used(tmp_path: Path) -> None:
    first, second = trustme.CA(), trustme.CA()

    def show(authority: trustme.CA) -> None:
        issued = authority.issue_cert("127.0.0.1")
        new = tmp_path / "new.pem"
        new.write_bytes(issued.private_key_and_cert_chain_pem.bytes())
        new.chmod(0o600)
        new.rename(tmp_path / "cert.pem")

    def trusting(authority: trustme.CA) -> ssl.SSLContext:
        context = ssl.create_default_context()
        authority.configure_trust(context)
        return context

    show(first)
    async with running(tmp_path, extra=", tls: {cert_file: cert.pem}") as daemon, asyncio.timeout(120):
        url = daemon.url.replace("http://", "https://") + "/api/v1/status"
        token = {"Authorization": f"Bearer {TOKEN}"}
        async with daemon.session.get(url, headers=token, ssl=trusting(first)) as answer:
            assert answer.status == 200
        session = daemon.url.replace("http://", "https://") + "/api/v1/session"
        headers = {**token, "X-Forwarder": "1"}
        async with daemon.session.post(session, headers=headers, ssl=trusting(first)) as answer:
            assert answer.headers["Set-Cookie"].startswith("__Host-forwarder-")
            assert "Secure" in answer.headers["Set-Cookie"]
        show(second)
        await daemon.process.wait_for("reload.done")
        await daemon.process.wait_for("admin.certificate_renewed")
        async with aiohttp.ClientSession() as other, other.get(url, headers=token, ssl=trusting(second)) as answer:
            assert answer.status == 200
