"""A daemon with a stream and two receivers, and a browser that looks at its page."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.async_api import Browser

from forwarder.emulator.receiver import Answer, Received, Receiver
from forwarder.emulator.server import Emulator
from tests.support.browser import chromium
from tests.support.crash import until
from tests.support.ports import free_port
from tests.support.process import KEY, Forwarder, forwarder, look

TOKEN = "a-token-of-tests-that-is-long-enough"


def event(number: int, text: str, author: str = "someone") -> bytes:
    payload = {"text": text, "author": {"screen_name": author}, "link": f"https://x.com/{author}/status/{number}"}
    return json.dumps(
        {"source": "x", "mid": str(number), "sid": "7", "timestamp": 1767225600000, "payload": payload}
    ).encode()


def answer(request: Received) -> Answer:
    """Refuse what says so."""
    if b"refuse" in request.body:
        return Answer(status=400, body=b'{"message": "no <b>such</b> channel"}')
    return Answer()


@dataclass
class Scene:
    """Is a daemon with a stream, a receiver that answers, and one that is down."""

    url: str
    emulator: Emulator
    bot: Receiver
    down: Receiver
    daemon: Forwarder
    config: Path

    async def until_stored(self, events: int, *, dead: int = 0) -> None:
        """Return once so many events and dead letters are on disk, which is what the page shows."""
        statement = "SELECT (SELECT count(*) FROM events), (SELECT count(*) FROM deliveries WHERE status = 'dead')"
        await until(
            lambda: look(self.config.with_name("outbox.db"), statement) == [(events, dead)],
            limit_s=90,
            what=f"{events} events and {dead} dead letters on disk",
        )


@asynccontextmanager
async def scene(folder: Path, *, admin: str = f"token: {TOKEN}") -> AsyncIterator[Scene]:
    """Run a daemon whose route sends what is no advert to two destinations."""
    async with Emulator(api_key=KEY) as emulator, Receiver() as bot, Receiver(status=503) as down:
        bot.respond = answer
        down.respond = lambda _: Answer(status=503, body=b'{"message": "upstream is being deployed"}')
        port = free_port()
        config = folder / "config.yaml"
        config.write_text(
            f"""\
streams: [{{name: main, url: '{emulator.ws_url}', api_key: {KEY}, use_fast_x: true}}]
outbox: {{url: 'sqlite:outbox.db'}}
admin: {{listen: '127.0.0.1:{port}', {admin}}}
destinations:
  bot: {{url: '{bot.url}'}}
  archive: {{url: '{down.url}'}}
routes:
  - name: posts
    match: {{not: {{text: {{contains: advert}}}}}}
    to: [bot, archive]
""",
            encoding="utf-8",
        )
        async with forwarder(config) as daemon:
            await daemon.wait_for("admin.listening")
            await emulator.wait_connected()
            yield Scene(f"http://127.0.0.1:{port}", emulator, bot, down, daemon, config)


@asynccontextmanager
async def browser_at(folder: Path, *, admin: str = f"token: {TOKEN}") -> AsyncIterator[tuple[Scene, Browser]]:
    """Run such a daemon and a browser."""
    async with scene(folder, admin=admin) as on, chromium() as browser:
        yield on, browser
