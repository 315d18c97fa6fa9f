"""The public stream through the real daemon: without a key, cut, marked, without duplicates, and never in the place of a private one."""

import json
from pathlib import Path

from forwarder.emulator.receiver import Receiver
from forwarder.emulator.server import Emulator
from tests.support.delivery import bodies, ok, status, stopped
from tests.support.process import KEY, command, forwarder
from tests.support.streams import numbered

PRIVATE = "  - {{name: main, url: '{emulator.ws_url}', api_key: {key}, use_fast_x: true}}\n"


def write_config(folder: Path, emulator: Emulator, receiver: Receiver, *, private: bool = False) -> Path:
    path = folder / "config.yaml"
    main = PRIVATE.format(emulator=emulator, key=KEY) if private else ""
    path.write_text(
        f"streams:\n  - {{name: tryout, transport: public, url: '{emulator.url}/stream'}}\n{main}"
        f"outbox: {{url: 'sqlite:outbox.db'}}\n"
        f"destinations:\n  bot: {{url: '{receiver.url}/bot'}}\n  whole: {{url: '{receiver.url}/whole'}}\n"
        "routes:\n  - {to: bot, match: {truncated: true}}\n  - {to: whole, match: {truncated: false}}\n",
        encoding="utf-8",
    )
    return path


def of(receiver: Receiver, path: str) -> list[bytes]:
    return [each.body for each in receiver.requests if each.path.endswith(path)]


async def test_a_newcomer_without_a_key_gets_cut_posts_marked_and_once(tmp_path: Path) -> None:
    async with Emulator() as emulator, Receiver() as receiver:
        config = write_config(tmp_path, emulator, receiver)
        out = await command("check", "-c", str(config))
        assert out[0] == 0
        assert "Of each event only the first 100 characters come" in out[2]
        async with forwarder(config) as daemon:
            await emulator.wait_connected()
            frames = list(numbered(8, source="fast-x"))
            for frame in frames[:4]:
                await emulator.send(frame)
            await receiver.wait_for(4)
            await emulator.drop("close")
            await emulator.wait_until(lambda emulator: len(emulator.handshakes) == 2)
            await emulator.wait_connected()
            for frame in frames[4:]:
                await emulator.send(frame)
            await receiver.wait_for(8)
            said = await status(config)
            stream = said["streams"]["tryout"]
            assert (stream["transport"], said["since_start"]["doubles"]) == ("public", 4)
            explained = await ok(config, "events", "--json")
            await stopped(daemon)
        assert "x-api-key" not in emulator.handshakes[0].headers
        assert emulator.handshakes[0].query["useFastX"] == "true"
    events = [json.loads(body) for body in bodies(receiver)]
    assert [sorted(event) for event in events] == [["payload", "source", "timestamp"]] * 8
    assert all(event["payload"].endswith("...") for event in events)
    assert {each.headers["x-forwarder-truncated"] for each in receiver.requests} == {"true"}
    mids = {json.loads(line)["mid"] for line in explained.splitlines()}
    assert mids == {json.loads(frame)["mid"] for frame in frames}


async def test_next_to_a_private_stream_it_wins_nothing_covers_nothing_and_displaces_nothing(tmp_path: Path) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver() as receiver:
        config = write_config(tmp_path, emulator, receiver, private=True)
        async with forwarder(config) as daemon:
            await emulator.wait_connected(2)
            frames = [frame.encode() for frame in numbered(5, source="fast-x")]
            for frame in frames:
                await emulator.send(frame)
            await receiver.wait_for(10)
            private = next(each for each in emulator.connections if each.kind == "websocket")
            await private.end("reset", None)  # type: ignore[arg-type] # as DropHow reads it
            await daemon.wait_for("stream.gap")
            said = await status(config)
            assert {name: stream["wins"] for name, stream in said["streams"].items()} == {"tryout": 0, "main": 0}
            gaps = [json.loads(line) for line in (await ok(config, "gaps", "--json")).splitlines()]
            await stopped(daemon)
    assert sorted(of(receiver, "/whole")) == sorted(frames)
    assert len(of(receiver, "/bot")) == 5
    (gap,) = [gap for gap in gaps if gap["stream"] == "main"]
    assert gap["covered"] is False
