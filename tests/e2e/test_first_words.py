"""First word, then full text, through the real daemon: what each destination gets of a post, and that everything is accounted for."""

import asyncio
import json
import signal
from pathlib import Path
from urllib.parse import urlsplit

from forwarder.core.ledger import SkipReason
from forwarder.emulator.receiver import Answer, Received, Receiver
from forwarder.emulator.server import Emulator
from tests.support.chats import Chat
from tests.support.process import KEY, LOG_ALL, Forwarder, command, forwarder, look

RAW = ("ignores", "sends", "gets_all", "off")


def frame(mid: int, word: str) -> str:
    """Return one of the two events of a post; its text says which."""
    source = "fast-x" if word == "first" else "x"
    payload = {"text": f"{word} text of {mid}", "author": {"id": "7", "name": "Nova", "screen_name": "nova"}}
    return json.dumps({"mid": str(mid), "sid": "7", "source": source, "timestamp": 1, "payload": payload})


class Receivers:
    """One server that is all of the destinations, each under a path of its own."""

    def __init__(self) -> None:
        self.discord, self.telegram = Chat("discord"), Chat("telegram")
        self.raw: dict[str, list[str]] = {name: [] for name in RAW}

    def respond(self, received: Received) -> Answer:
        path = urlsplit(received.path).path
        for chat in (self.discord, self.telegram):
            if path.startswith(urlsplit(chat.target).path.removesuffix("/sendMessage")):
                return chat.respond(received)
        event = json.loads(received.body)
        self.raw[path.strip("/")].append(f"{event['mid']} {event['payload']['text'].split()[0]}")
        return Answer()

    def config(self, folder: Path, stream: str, url: str, *, prefer: str = "first", off: bool = False) -> Path:
        url = url.removesuffix("/hook")
        path = folder / "config.yaml"
        path.write_text(
            f"""
streams: [{{url: "{stream}", api_key: {KEY}, use_fast_x: true}}]
outbox: {{url: "sqlite:outbox.db"}}
destinations:
  discord: {{url: "{url}/api/webhooks/1/token", format: discord, on_full: edit}}
  telegram: {{url: "{url}/bot1:token?chat_id=100", format: telegram, on_full: edit, order: sid}}
  ignores: {{url: "{url}/ignores"}}
  sends: {{url: "{url}/sends", on_full: send}}
  gets_all: {{url: "{url}/gets_all"}}
  off: {{url: "{url}/off", enabled: {str(not off).lower()}}}
routes:
  - {{to: [discord, telegram, ignores, sends, gets_all, off], prefer: {prefer}}}
  - {{match: {{source: [x, fast-x]}}, to: gets_all}}
""",
            encoding="utf-8",
        )
        return path


async def stopped(daemon: Forwarder) -> None:
    daemon.send(signal.SIGTERM)
    assert await daemon.ended() == 0


async def balanced(folder: Path) -> dict[str, int]:
    """Return the outcomes of the deliveries by `audit`, which says that everything is accounted for."""
    code, out, _ = await command("audit", "-c", str(folder / "config.yaml"), "--json")
    assert code == 0, out
    return {name: count for name, count in json.loads(out)["deliveries"].items() if count}


async def test_each_destination_gets_what_it_prefers_in_either_order_of_arrival(tmp_path: Path) -> None:
    receivers = Receivers()
    async with Emulator(api_key=KEY) as emulator, Receiver(respond=receivers.respond) as receiver:
        async with forwarder(receivers.config(tmp_path, emulator.ws_url, receiver.url)) as daemon:
            await emulator.wait_connected()
            await emulator.send(frame(1, "first"))
            await emulator.send(frame(1, "full"))
            await emulator.send(frame(2, "full"))
            await emulator.send(frame(2, "first"))
            await receiver.wait_for(6 + 4 + 6 + 1)
            await stopped(daemon)
    assert receivers.discord.read() == receivers.telegram.read() == [["first", "full"], ["full"]]
    assert {name: sorted(got) for name, got in receivers.raw.items()} == {
        "ignores": ["1 first", "2 full"],
        "sends": ["1 first", "1 full", "2 full"],
        "gets_all": ["1 first", "1 full", "2 first", "2 full"],
        "off": ["1 first", "2 full"],
    }
    assert await balanced(tmp_path) == {"planned": 24, "delivered": 17, "preferred": 7}
    code, out, _ = await command(
        "deliveries", "-c", str(tmp_path / "config.yaml"), "--destination", "ignores", "--json"
    )
    assert code == 0
    assert out.count(SkipReason.PREFERRED) == 2


async def test_what_came_first_is_known_after_a_kill_and_a_reload(tmp_path: Path) -> None:
    """The first words come, to a receiver that fails; the full texts to the next process."""
    receivers = Receivers()
    async with Emulator(api_key=KEY) as emulator, Receiver(respond=receivers.respond) as receiver:
        config = receivers.config(tmp_path, emulator.ws_url, receiver.url, off=True)
        receivers.discord.fails_first = 1
        async with forwarder(config, *LOG_ALL) as daemon:
            await emulator.wait_connected()
            await emulator.send(frame(1, "first"))
            await receiver.wait_for(4)
            await daemon.wait_for("delivery.retry_scheduled", destination="discord")
            for destination in ("telegram", "ignores", "sends", "gets_all"):
                await daemon.wait_for("delivery.delivered", destination=destination)
            await _written(tmp_path)
            daemon.send(signal.SIGKILL)
            await daemon.ended()
        async with forwarder(config) as daemon:
            await emulator.wait_connected()
            receivers.config(tmp_path, emulator.ws_url, receiver.url)
            daemon.send(signal.SIGHUP)
            await daemon.wait_for("reload.done")
            await emulator.send(frame(1, "full"))
            await receiver.wait_for(4 + 1 + 5)
            await stopped(daemon)
    assert receivers.discord.read() == receivers.telegram.read() == [["first", "full"]]
    assert receivers.raw == {
        "ignores": ["1 first"],
        "sends": ["1 first", "1 full"],
        "gets_all": ["1 first", "1 full"],
        "off": ["1 full"],  # which has not got the first word
    }
    assert await balanced(tmp_path) == {"planned": 12, "delivered": 10, "disabled": 1, "preferred": 1}


async def _written(folder: Path) -> None:
    for _ in range(200):
        statement = "SELECT count(*) FROM deliveries WHERE status = 'delivered'"
        if look(folder / "outbox.db", statement) == [(4,)]:
            return
        await asyncio.sleep(0.02)
    raise AssertionError("the outcomes are not on disk")


async def test_a_reload_while_the_first_word_is_under_way_changes_nothing(tmp_path: Path) -> None:
    """The lane that sends it ends, and another one has the edit."""
    receivers = Receivers()
    receivers.discord.delay_s = 1
    async with Emulator(api_key=KEY) as emulator, Receiver(respond=receivers.respond) as receiver:
        config = receivers.config(tmp_path, emulator.ws_url, receiver.url)
        async with forwarder(config) as daemon:
            await emulator.wait_connected()
            await emulator.send(frame(1, "first"))
            await receiver.wait_for(5)
            config.write_text(config.read_text().replace("format: discord,", "format: discord, timeout: 7s,"))
            daemon.send(signal.SIGHUP)
            await daemon.wait_for("reload.done", restarted=["destination discord"])
            await emulator.send(frame(1, "full"))
            await receiver.wait_for(6 + 4)
            await stopped(daemon)
    assert receivers.discord.read() == [["first", "full"]]
    assert await balanced(tmp_path) == {"planned": 12, "delivered": 10, "preferred": 2}


async def test_by_default_both_go_and_a_replay_of_what_is_missing_leaves_alone_what_was_not_wanted(
    tmp_path: Path,
) -> None:
    receivers = Receivers()
    async with Emulator(api_key=KEY) as emulator, Receiver(respond=receivers.respond) as receiver:
        config = receivers.config(tmp_path, emulator.ws_url, receiver.url, prefer="all")
        async with forwarder(config) as daemon:
            await emulator.wait_connected()
            await emulator.send(frame(1, "first"))
            await emulator.send(frame(1, "full"))
            await receiver.wait_for(12)
            receivers.config(tmp_path, emulator.ws_url, receiver.url)
            daemon.send(signal.SIGHUP)
            await daemon.wait_for("reload.done")
            await emulator.send(frame(2, "first"))
            await emulator.send(frame(2, "full"))
            await receiver.wait_for(12 + 6 + 4)
            code, out, _ = await command(
                "replay", "-c", str(config), "--since", "1h", "--to", "ignores", "--missing", "--json"
            )
            assert code == 0, out
            await stopped(daemon)
    assert receivers.discord.read() == receivers.telegram.read() == [["first"], ["full"], ["first", "full"]]
    assert sorted(receivers.raw["ignores"]) == ["1 first", "1 full", "2 first"]
    assert await balanced(tmp_path) == {"planned": 24, "delivered": 22, "preferred": 2}
