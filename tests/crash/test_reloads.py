"""Reloads, pauses, outages, stops and kills in any order: all arrives everywhere, and in order where that is asked."""

import asyncio
import json
import random
import signal
from collections import defaultdict
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from time import time

from forwarder.control.client import control
from forwarder.control.errors import DaemonRefusedError, NoDaemonError
from forwarder.core.commands import PauseChange
from forwarder.emulator.receiver import Answer, Receiver
from forwarder.emulator.server import Emulator
from tests.support.crash import Load, Oracle, amount, assert_balanced, daemon, flaky, say, seeded
from tests.support.process import KEY, Forwarder, forwarder, look, write_config

STEPS = amount("FORWARDER_RELOAD_STEPS", 20)
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
            "retry": "{delays: [" + ", ".join(["50ms"] * 9 + ["1s"] * 40) + "]}",
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


@dataclass
class Torture:
    """Does one thing after another to a daemon, its config and its receivers."""

    chance: random.Random
    config: Path
    stream: str
    receivers: dict[str, Receiver]
    steps: int = 0

    def rewrite(self) -> None:
        """Set everything up another way."""
        urls = {name: receiver.url for name, receiver in self.receivers.items()}
        write(self.config, self.chance, stream=self.stream, urls=urls)

    async def ask(self, verb: str, name: str) -> None:
        """Pause or resume one; nothing where the daemon is just not there."""
        now_ms = int(time() * 1000)

        def call() -> None:
            asked = PauseChange.model_validate({"verb": verb, "destination": name, "now_ms": now_ms})
            with (
                suppress(NoDaemonError, DaemonRefusedError),
                control(self.config.parent / "control.sock") as connection,
            ):
                connection.ask(asked)

        await asyncio.to_thread(call)

    async def listen(self) -> None:
        """Have every receiver up."""
        for receiver in self.receivers.values():
            await receiver.start_listening()

    async def run(self, running: Forwarder) -> None:
        """Go on until a step ends the process, or enough were done."""
        while self.steps < STEPS:
            self.steps += 1
            name = self.chance.choice(ALL)
            match self.chance.randrange(9):
                case 0 | 1:
                    self.rewrite()
                    running.send(signal.SIGHUP)
                case 2:
                    for _ in range(3):
                        self.rewrite()
                        running.send(signal.SIGHUP)
                        await asyncio.sleep(self.chance.uniform(0, 0.15))
                case 3:
                    await self.ask("pause", name)
                case 4:
                    await self.ask("pause", name)
                    await self.ask("resume", name)
                case 5:
                    await self.ask("resume", name)
                case 6:
                    await self.receivers[name].stop_listening()
                case 7:
                    await self.listen()
                case _:
                    how = self.chance.choice([signal.SIGKILL, signal.SIGTERM])
                    running.send(how)
                    assert await running.ended() == (0 if how is signal.SIGTERM else -signal.SIGKILL)
                    return
            await asyncio.sleep(self.chance.uniform(0.02, 0.6))


async def test_everything_arrives_in_order_whatever_is_done_to_the_daemon(tmp_path: Path) -> None:
    chance = seeded("reloads")
    async with AsyncExitStack() as stack:
        emulator = await stack.enter_async_context(Emulator(api_key=KEY))
        receivers = {name: await stack.enter_async_context(Receiver(respond=flaky(chance))) for name in ALL}
        oracle = Oracle(tmp_path / "outbox.db", receivers)
        torture = Torture(chance, tmp_path / "config.yaml", emulator.ws_url, receivers)
        torture.rewrite()
        async with Load(emulator, rate=200).flowing():
            while torture.steps < STEPS:
                async with daemon(torture.config) as running:
                    await running.wait_for("daemon.ready")
                    await torture.run(running)
                await emulator.wait_disconnected()
        oracle.look()
        await torture.listen()
        for receiver in receivers.values():
            receiver.respond = None
        async with daemon(torture.config) as running:
            await running.wait_for("daemon.ready")
            for name in ALL:
                await torture.ask("resume", name)
            await oracle.drained()
            running.send(signal.SIGTERM)
            assert await running.ended() == 0
        oracle.look()
        oracle.assert_nothing_lost()
        await assert_balanced(torture.config)
        assert look(oracle.outbox, "SELECT DISTINCT status FROM deliveries") == [("delivered",)]
        assert_in_order(oracle, receivers)
    say(f"{torture.steps} steps, {len(oracle.committed)} events, {oracle.repeats} repeats")


def assert_in_order(oracle: Oracle, receivers: dict[str, Receiver]) -> None:
    """What a kill had come again may come again; nothing comes for the first time after what follows it."""
    seq_of = {body: seq for seq, body in oracle.committed.items()}
    for name in ("sid", "strict"):
        firsts: dict[bytes, None] = dict.fromkeys(
            request.body for request in receivers[name].requests if request.accepted
        )
        lines: defaultdict[str, list[int]] = defaultdict(list)
        for body in firsts:
            if body not in seq_of:  # a kill came before its commit
                continue
            event = json.loads(body)
            source = "x" if event["source"] == "fast-x" else event["source"]
            lines["*" if name == "strict" else f"{source}:{event['sid']}"].append(seq_of[body])
        for line, seqs in lines.items():
            assert seqs == sorted(seqs), f"{name} {line}"


async def test_a_destination_that_was_away_for_a_moment_keeps_its_order(tmp_path: Path) -> None:
    """Its first lane still waits for an answer when the second one comes."""
    frames = [
        f'{{"mid":"{mid}","sid":"7","source":"x","timestamp":1,"payload":{{"text":"{mid}"}}}}'.encode()
        for mid in range(4)
    ]
    async with Emulator(api_key=KEY) as emulator, Receiver() as receiver, Receiver() as other:
        receiver.respond = lambda _: Answer(
            delay_s=1.5 if receiver.received == 1 else 0, status=503 if receiver.received == 1 else 200
        )

        def write_for(*names: str) -> Path:
            urls = {"bot": f"{receiver.url}\n    order: sid\n    retry: {{delays: [200ms]}}", "other": other.url}
            return write_config(tmp_path, stream=emulator.ws_url, destinations={name: urls[name] for name in names})

        async with forwarder(write_for("bot", "other")) as daemon_:
            await daemon_.wait_for("daemon.ready")
            await emulator.wait_connected()
            await emulator.send(frames[0])
            await receiver.wait_until(lambda receiver: receiver.received == 1)
            for count, names in enumerate([("other",), ("bot", "other")], start=1):
                write_for(*names)
                daemon_.send(signal.SIGHUP)
                await daemon_.wait_for("reload.done", count=count)
            for frame in frames[1:]:
                await emulator.send(frame)
            await receiver.wait_for(4)
    assert [request.body for request in receiver.requests if request.accepted] == frames
