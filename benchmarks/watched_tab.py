"""What a tab that shows Live keeps while events pass: its memory, its nodes, and the memory of the daemon, which must not grow.

    python -m benchmarks.watched_tab [--seconds N] [--rate N] [--json FILE]

An hour of 5 events a second are 18,000, which is a minute at 300. The memory of the tab is taken after its garbage was collected.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path

from playwright.async_api import CDPSession

from forwarder.emulator.receiver import Receiver
from forwarder.emulator.server import Emulator
from tests.support.browser import chromium
from tests.support.page_scene import event
from tests.support.ports import free_port
from tests.support.process import KEY, forwarder

STEPS = 6
MAY_GROW_MB = 20.0
MAY_HAVE_NODES = 20_000


async def sample(tab: CDPSession, pid: int) -> dict[str, float]:
    """Return megabytes of the tab and of the daemon, and the nodes of the tab."""
    await tab.send("HeapProfiler.collectGarbage")
    heap = await tab.send("Runtime.getHeapUsage")
    counters = await tab.send("Memory.getDOMCounters")
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])  # noqa: ASYNC240 - it is no file of a disk
    return {"tab_mb": heap["usedSize"] / 1e6, "nodes": counters["nodes"], "daemon_mb": pages * 4096 / 1e6}


async def send(emulator: Emulator, rate: int) -> None:
    """Send this many events a second until cancelled."""
    began, number = time.monotonic(), 0
    while True:
        number += 1
        await emulator.send(event(number, f"post number {number} of many that pass"))
        await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))


async def measure(seconds: int, rate: int) -> list[dict[str, float]]:
    """Return the samples, the first after a sixth of the time."""
    with tempfile.TemporaryDirectory() as place:
        async with Emulator(api_key=KEY) as emulator, Receiver(record=False) as bot:
            port = free_port()
            config = Path(place) / "config.yaml"
            config.write_text(
                f"streams: [{{url: '{emulator.ws_url}', api_key: {KEY}, use_fast_x: true}}]\n"
                f"outbox: {{url: 'sqlite:outbox.db'}}\nadmin: {{listen: '127.0.0.1:{port}'}}\n"
                f"destinations: {{bot: {{url: '{bot.url}'}}}}\nroutes: [{{to: bot}}]\n",
                encoding="utf-8",
            )
            async with forwarder(config) as daemon, chromium() as browser:
                await daemon.wait_for("admin.listening")
                await emulator.wait_connected()
                page = await browser.new_page()
                await page.goto(f"http://127.0.0.1:{port}/live")
                tab = await page.context.new_cdp_session(page)
                sending = asyncio.create_task(send(emulator, rate))
                samples = []
                for _ in range(STEPS):
                    await asyncio.sleep(seconds / STEPS)
                    samples.append(await sample(tab, daemon.process.pid))
                    print("  ".join(f"{name} {value:,.1f}" for name, value in samples[-1].items()), flush=True)
                sending.cancel()
    return samples


def main() -> int:
    """Measure, print, and return 1 if something grows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=120)
    parser.add_argument("--rate", type=int, default=300)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    samples = asyncio.run(measure(arguments.seconds, arguments.rate))
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(samples, indent=2) + "\n", encoding="utf-8")
    first, last = samples[0], samples[-1]
    grows = [name for name in ("tab_mb", "daemon_mb") if last[name] - first[name] > MAY_GROW_MB]
    if last["nodes"] > MAY_HAVE_NODES:
        grows.append("nodes")
    print(f"more than allowed: {', '.join(grows)}" if grows else "ok")
    return int(bool(grows))


if __name__ == "__main__":
    sys.exit(main())
