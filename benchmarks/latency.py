"""How many milliseconds the daemon adds, and how much memory it takes, at a steady rate.

    .venv/bin/python benchmarks/latency.py [--rate 200] [--count 4000]

The stream, the receiver and the clock are in this process, the daemon is a process of its own. Added latency is from just
before the frame is written to the moment the POST has been read. Beside it, as the floor of this machine: the same POSTs
made directly from this process, without a daemon, in the same run.
"""

import argparse
import asyncio
import os
import platform
import statistics
import sys
import tempfile
from pathlib import Path
from time import monotonic

import aiohttp

from forwarder.cli.run import run_in_loop
from forwarder.emulator.receiver import Receiver
from forwarder.emulator.script import play, replay
from forwarder.emulator.server import Emulator

KEY = "benchmark"


def write_config(folder: Path, stream: str, url: str) -> Path:
    path = folder / "config.yaml"
    path.write_text(
        f"streams: [{{url: '{stream}', api_key: {KEY}, use_fast_x: true}}]\n"
        f"destinations: {{bot: {{url: '{url}'}}}}\nroutes: [{{to: bot}}]\n",
        encoding="utf-8",
    )
    return path


def memory_mib(pid: int) -> tuple[float, float]:
    """Return resident memory now and at its peak."""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(status["VmRSS"].split()[0]) / 1024, int(status["VmHWM"].split()[0]) / 1024


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def show(name: str, latencies: list[float]) -> None:
    cuts = statistics.quantiles(latencies, n=1000)
    print(
        f"{name:<22} median {statistics.median(latencies):.2f} ms   p95 {cuts[949]:.2f}   p99 {cuts[989]:.2f}   "
        f"max {max(latencies):.2f}   ({len(latencies)} events)"
    )


async def through_daemon(folder: Path, rate: float, count: int) -> None:
    sent: dict[bytes, float] = {}
    async with Emulator(api_key=KEY, record=False) as emulator, Receiver() as receiver:

        async def send(frame: bytes) -> None:
            sent.setdefault(frame, monotonic())
            await emulator.send(frame)

        config = write_config(folder, emulator.ws_url, receiver.url)
        daemon = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "forwarder", "run", "-c", str(config)), stdout=asyncio.subprocess.DEVNULL
        )
        try:
            await emulator.wait_connected()
            before = cpu_s(daemon.pid)
            await play(replay(rate=rate, count=count), send)
            await receiver.wait_for(len(sent), timeout=60)
            used = cpu_s(daemon.pid) - before
            now, peak = memory_mib(daemon.pid)
        finally:
            daemon.terminate()
            await daemon.wait()
        show("through forwarder", [(request.at - sent[request.body]) * 1000 for request in receiver.requests])
        print(f"{'':<22} memory {now:.1f} MiB, peak {peak:.1f} MiB; CPU {used / count * 1000:.2f} ms an event")


async def directly(rate: float, count: int) -> None:
    sent: dict[bytes, float] = {}
    async with Receiver() as receiver, aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:

        async def post(frame: bytes) -> None:
            async with session.post(receiver.url, data=frame) as response:
                await response.read()

        async def send(frame: bytes) -> None:
            if frame not in sent:
                sent[frame] = monotonic()
                group.create_task(post(frame))

        await play(replay(rate=rate, count=count), send)
        await receiver.wait_for(len(sent), timeout=60)
        show("directly, no daemon", [(request.at - sent[request.body]) * 1000 for request in receiver.requests])


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rate", type=float, default=200)
    parser.add_argument("--count", type=int, default=4000)
    arguments = parser.parse_args()
    print(
        f"{arguments.rate:g} events/s, {platform.python_implementation()} {platform.python_version()}, {os.cpu_count()} cores"
    )
    await directly(arguments.rate, arguments.count)
    with tempfile.TemporaryDirectory() as folder:
        await through_daemon(Path(folder), arguments.rate, arguments.count)
    await directly(arguments.rate, arguments.count)


if __name__ == "__main__":
    run_in_loop(main())
