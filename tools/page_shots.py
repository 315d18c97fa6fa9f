"""Makes the pictures of the page for the documentation: `python -m tools.page_shots [FOLDER]`; the folder is `docs` if it is left out.

A daemon runs for a minute between an emulated stream and four receivers: one is fast, one takes its time, one is down, and one refuses
some. Debian's Chromium takes the pictures.
"""

import asyncio
import json
import random
import sys
import tempfile
import time
from pathlib import Path

from playwright.async_api import Browser

from forwarder.emulator.receiver import Answer, Received, Receiver
from forwarder.emulator.server import Emulator
from tests.support.browser import chromium
from tests.support.ports import free_port
from tests.support.process import KEY, forwarder

DOCS = Path(__file__).parents[1] / "docs"
PICTURES = ("page-overview.png", "page-event.png", "page-live.png", "page-phone.png")
_POSTS = (
    ("exchange_news", "Will list Example Coin (EXC) at 09:00 UTC"),
    ("novadesk", "$BTC breaks the range high on record volume"),
    ("chainlantern", "Rate decision: unchanged"),
    ("marsad_x", "CA 0xde709f2102306220921060314715629080e2fb77 do your own research"),
    ("devorbit", "airdrop claim is a scam, do not sign"),
    ("etoilepresse", "La météo se dégrade sur la côte ouest"),
    ("lisitsa_news", "Дата выхода объявлена"),
    ("futbolaldia", "We are hiring: distributed systems, remote #jobs"),
)
_CONFIG = """\
streams: [{{name: main, url: '{stream}', api_key: {key}, use_fast_x: true}}]
outbox: {{url: 'sqlite:outbox.db'}}
admin: {{listen: '127.0.0.1:{port}', token: a-token-that-only-these-pictures-have}}
destinations:
  trading-bot: {{url: '{fast}', canary: {{every: 10s}}}}
  alerts: {{url: '{slow}'}}
  archive: {{url: '{down}'}}
  team-chat: {{url: '{refuses}'}}
lists:
  exchanges: [exchange_news, novadesk]
routes:
  - name: listings
    match:
      author: {{list: exchanges}}
      text: {{word: [list, lists, listing]}}
    to: [trading-bot, alerts, archive]
  - name: contract addresses
    match: {{text: {{regex: '\\b0x[0-9a-f]{{40}}\\b'}}}}
    to: [trading-bot]
  - name: everything else
    match: {{not: {{text: {{contains: '#jobs'}}}}}}
    to: [team-chat, archive]
"""


def _event(number: int, author: str, text: str) -> bytes:
    payload = {"text": text, "author": {"screen_name": author}, "link": f"https://x.com/{author}/status/{number}"}
    now_ms = int(time.time() * 1000)
    return json.dumps({"source": "x", "mid": str(number), "sid": "7", "timestamp": now_ms, "payload": payload}).encode()


def _slowly(chance: random.Random) -> Answer:
    return Answer(delay_s=chance.choice((0.01, 0.02, 0.03, 0.12)))


def _some(request: Received) -> Answer:
    if b"scam" in request.body:
        return Answer(status=400, body=b'{"message": "Unknown Channel", "code": 10003}')
    return Answer(delay_s=0.005)


async def _flow(emulator: Emulator, chance: random.Random) -> None:
    number = 0
    while True:
        number += 1
        author, text = chance.choice(_POSTS)
        await emulator.send(_event(number, author, text))
        await asyncio.sleep(chance.expovariate(9 if number % 100 < 60 else 3))


async def _take(browser: Browser, url: str, folder: Path, *, after_s: float) -> None:
    """Take the pictures, the overview once its plots have something to show."""
    overview = await browser.new_page(viewport={"width": 1180, "height": 860})
    await overview.goto(url)
    live = await browser.new_page(viewport={"width": 1180, "height": 860}, color_scheme="dark")
    await live.goto(f"{url}/live")
    await overview.wait_for_timeout(1000 * after_s)
    await overview.screenshot(path=folder / "page-overview.png")
    await live.screenshot(path=folder / "page-live.png")
    phone = await browser.new_page(viewport={"width": 390, "height": 780}, color_scheme="dark")
    await phone.goto(url)
    await phone.screenshot(path=folder / "page-phone.png")
    event = await browser.new_page(viewport={"width": 1180, "height": 1100})
    await event.goto(f"{url}/events?route=listings&destination=archive")
    await event.locator("tbody tr a").last.click()
    await event.get_by_role("heading", name="Why, route by route").wait_for()
    await event.screenshot(path=folder / "page-event.png")


async def shoot(folder: Path, *, after_s: float = 75.0) -> None:
    """Make every picture in this folder, once the views have been open for so long."""
    chance = random.Random(7)  # noqa: S311 - for pictures
    with tempfile.TemporaryDirectory() as place:
        async with (
            Emulator(api_key=KEY) as emulator,
            Receiver(delay_s=0.004) as fast,
            Receiver() as slow,
            Receiver() as down,
            Receiver() as refuses,
        ):
            slow.respond = lambda _: _slowly(chance)
            down.respond = lambda _: Answer(status=503, body=b'{"message": "upstream is being deployed"}')
            refuses.respond = _some
            port = free_port()
            config = Path(place) / "config.yaml"
            config.write_text(
                _CONFIG.format(
                    stream=emulator.ws_url,
                    key=KEY,
                    port=port,
                    fast=fast.url,
                    slow=slow.url,
                    down=down.url,
                    refuses=refuses.url,
                ),
                encoding="utf-8",
            )
            async with forwarder(config) as daemon:
                await daemon.wait_for("admin.listening")
                await emulator.wait_connected()
                flowing = asyncio.create_task(_flow(emulator, chance))
                async with chromium() as browser:
                    await _take(browser, f"http://127.0.0.1:{port}", folder, after_s=after_s)
                flowing.cancel()


if __name__ == "__main__":
    asyncio.run(shoot(Path(sys.argv[1]) if len(sys.argv) > 1 else DOCS))
