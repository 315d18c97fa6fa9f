"""Reloads, pauses, outages, stops and kills in any order: all arrives everywhere, and in order where that is asked."""

import asyncio
import json
import random
import signal
from collections import defaultdict
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from time import time

from forwarder.admin.client import DaemonRefusedError, NoDaemonError, control
from forwarder.core.changes import PauseChange
from forwarder.emulator.receiver import Receiver
from forwarder.emulator.server import Emulator
from tests.support.crash import Load, Oracle, amount, assert_balanced, daemon, flaky, say, seeded
from tests.support.process import KEY, Forwarder, look

STEPS = amount("FORWARDER_RELOAD_STEPS", 30)
ORDERS = {"loose": ["none"], "sid": ["sid", "strict"], "strict": ["strict"]}
ALL = list(ORDERS)


def write(config: Path, chance: random.Random, *, stream: str, urls: dict[str, str]) -> None:
    """Write a config in which every destination is set up another way."""
    named = ""
    for name, url in urls.items():
        settings = {
            "url": f"{url}/{chance.randrange(3)}",
            "order": chance.choice(ORDERS[name]),
            "concurrency": chance.choice([1, 2, 16, 64]),
            "rate_limit": chance.choice([None, "400/s", "{rate: 500/s, burst: 20}"]),
            "breaker": chance.choice([None, "{enabled: false}", "{failures_in_a_row: 2}"]),
            "retry": "{delays: [" + ", ".join(["50ms"] * 49) + "]}",
        }
        named += f"  {name}:\n" + "".join(f"    {key}: {value}\n" for key, value in settings.items() if value)
    text = (
        f"streams:\n  - url: {stream}\n    api_key: {KEY}\n    use_fast_x: true\n"
        f"outbox: {{url: 'sqlite:outbox.db'}}\nadmin: {{socket: control.sock}}\ngrace_period: 1s\ndestinations:\n{named}"
        f"routes:\n  - name: everything\n    to: [{', '.join(urls)}]\n"
    )
    beside = config.with_suffix(".new")
    beside.write_text(text, encoding="utf-8")
    beside.replace(config)


async def ask(folder: Path, verb: str, name: str) -> None:
    """Pause or resume one; nothing where the daemon is just not there."""

    def call() -> None:
        with suppress(NoDaemonError, DaemonRefusedError), control(folder / "control.sock") as connection:
            connection.ask(PauseChange.model_validate({"verb": verb, "destination": name, "now_ms": int(time() * 1000)}))

    await asyncio.to_thread(call)


async def test_everything_arrives_in_order_whatever_is_done_to_the_daemon(tmp_path: Path) -> None:
    chance = seeded("reloads")
    async with AsyncExitStack() as stack:
        emulator = await stack.enter_async_context(Emulator(api_key=KEY))
        receivers = {name: await stack.enter_async_context(Receiver(respond=flaky(chance))) for name in ALL}
        urls = {name: receiver.url for name, receiver in receivers.items()}
        config, oracle = tmp_path / "config.yaml", Oracle(tmp_path / "outbox.db", receivers)

        def rewrite() -> None:
            write(config, chance, stream=emulator.ws_url, urls=urls)

        async def torture(running: Forwarder) -> None:
            """One step after another until one of them ends the process."""
            nonlocal steps
            while steps < STEPS:
                steps += 1
                name = chance.choice(ALL)
                match chance.randrange(9):
                    case 0 | 1:
                        rewrite()
                        running.send(signal.SIGHUP)
                    case 2:
                        for _ in range(3):
                            rewrite()
                            running.send(signal.SIGHUP)
                            await asyncio.sleep(chance.uniform(0, 0.15))
                    case 3:
                        await ask(tmp_path, "pause", name)
                    case 4:
                        await ask(tmp_path, "pause", name)
                        await ask(tmp_path, "resume", name)
                    case 5:
                        await ask(tmp_path, "resume", name)
                    case 6:
                        await receivers[name].stop_listening()
                    case 7:
                        for receiver in receivers.values():
                            await receiver.start_listening()
                    case _:
                        how = chance.choice([signal.SIGKILL, signal.SIGTERM])
                        running.send(how)
                        assert await running.ended() == (0 if how is signal.SIGTERM else -signal.SIGKILL)
                        return
                await asyncio.sleep(chance.uniform(0.02, 0.6))

        steps = 0
        rewrite()
        load = Load(emulator, rate=200)
        async with load.flowing():
            while steps < STEPS:
                async with daemon(config) as running:
                    await running.wait_for("daemon.ready")
                    await torture(running)
                await emulator.wait_disconnected()
        oracle.look()
        for receiver in receivers.values():
            await receiver.start_listening()
            receiver.respond = None
        async with daemon(config) as running:
            await running.wait_for("daemon.ready")
            for name in ALL:
                await ask(tmp_path, "resume", name)
            await oracle.drained(limit_s=60)
            running.send(signal.SIGTERM)
            assert await running.ended() == 0
        oracle.look()
        oracle.assert_nothing_lost()
        await assert_balanced(config)
        assert look(oracle.outbox, "SELECT DISTINCT status FROM deliveries") == [("delivered",)]
        assert_in_order(oracle, receivers)
    say(f"{steps} steps, {len(oracle.committed)} events, {oracle.repeats} repeats")


def assert_in_order(oracle: Oracle, receivers: dict[str, Receiver]) -> None:
    """What a kill had come again may come again; nothing comes for the first time after what follows it."""
    seq_of = {body: seq for seq, body in oracle.committed.items()}
    for name in ("sid", "strict"):
        firsts: dict[bytes, None] = dict.fromkeys(request.body for request in receivers[name].requests if request.accepted)
        lines: defaultdict[str, list[int]] = defaultdict(list)
        for body in firsts:
            if body not in seq_of:  # a kill came before its commit
                continue
            event = json.loads(body)
            source = "x" if event["source"] == "fast-x" else event["source"]
            lines["*" if name == "strict" else f"{source}:{event['sid']}"].append(seq_of[body])
        for line, seqs in lines.items():
            assert seqs == sorted(seqs), f"{name} {line}"
