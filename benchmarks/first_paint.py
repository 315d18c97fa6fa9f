"""How soon a view of the page is painted in Chromium, with an outbox of 10,000 events behind it, against the limit of a second.

    python -m benchmarks.first_paint [--runs N] [--json FILE]

Each run opens each view in a new profile, so that nothing is cached. The time is what the browser reports as first contentful paint,
from the beginning of the navigation.
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from playwright.async_api import Browser

from forwarder.emulator.receiver import Receiver
from forwarder.emulator.server import Emulator
from tests.support.browser import chromium
from tests.support.dead_letters import fill_with_dead_letters
from tests.support.ports import free_port
from tests.support.process import KEY, forwarder

VIEWS = ("/", "/live", "/events", "/events?text=nothing", "/dead", "/gaps", "/config", "/rules")
LIMIT_MS = 1000.0
_PAINT = """() => new Promise((resolve) => {
  new PerformanceObserver((list) => resolve(list.getEntriesByName('first-contentful-paint')[0]?.startTime)).observe(
    {type: 'paint', buffered: true});
})"""


async def painted_ms(browser: Browser, url: str) -> float:
    """Return the time to the first paint of a view in a new profile."""
    context = await browser.new_context()
    page = await context.new_page()
    await page.goto(url)
    taken: float = await page.evaluate(_PAINT)
    await context.close()
    return taken


async def measure(runs: int) -> dict[str, float]:
    """Return the median of each view."""
    taken: dict[str, list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        await fill_with_dead_letters(folder, 10_000)
        async with Emulator(api_key=KEY) as emulator, Receiver() as bot:
            port = free_port()
            config = folder / "config.yaml"
            config.write_text(
                f"streams: [{{url: '{emulator.ws_url}', api_key: {KEY}, use_fast_x: true}}]\n"
                f"outbox: {{url: 'sqlite:outbox.db'}}\nadmin: {{listen: '127.0.0.1:{port}'}}\n"
                f"destinations: {{bot: {{url: '{bot.url}'}}}}\nroutes: [{{to: bot}}]\n",
                encoding="utf-8",
            )
            async with forwarder(config) as daemon, chromium() as browser:
                await daemon.wait_for("admin.listening")
                for _ in range(runs):
                    for view in VIEWS:
                        taken[view].append(await painted_ms(browser, f"http://127.0.0.1:{port}{view}"))
    return {view: statistics.median(times) for view, times in taken.items()}


def main() -> int:
    """Measure, print, and return 1 if a view takes longer than its limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    found = asyncio.run(measure(arguments.runs))
    for view, taken in found.items():
        print(f"{view:24} {taken:7.0f} ms   {'ok' if taken <= LIMIT_MS else f'more than {LIMIT_MS:.0f} ms'}")
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return int(any(taken > LIMIT_MS for taken in found.values()))


if __name__ == "__main__":
    sys.exit(main())
