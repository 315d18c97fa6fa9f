"""`forwarder status` of a daemon that runs: the keys of its JSON, and what it does with a status of another version."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from forwarder.cli import exit_codes
from forwarder.emulator.receiver import Receiver
from forwarder.emulator.script import packaged_events
from forwarder.emulator.server import Emulator
from tests.support.delivery import configure
from tests.support.paths import ROOT
from tests.support.process import KEY, command, forwarder

EXAMPLE: dict[str, Any] = json.loads((ROOT / "tests" / "data" / "status.json").read_text(encoding="utf-8"))
BY_NAME = {"streams", "gap_repair_off", "lag_ms", "destinations", "waiting", "dead", "ends", "odd_frames"}
"""Keys whose mappings have names as keys."""


def assert_same_shape(found: object, example: object, place: str = "") -> None:
    """Assert that a value has the keys of another one, in their order, and values of their types; what is null has no type."""
    if found is None or example is None:
        return
    if isinstance(found, dict) and isinstance(example, dict):
        if place.rpartition(".")[2] in BY_NAME:
            for value in found.values():
                assert_same_shape(value, next(iter(example.values()), None), f"{place}.*")
            return
        assert list(found) == list(example), place
        for key, value in found.items():
            assert_same_shape(value, example[key], f"{place}.{key}")
        return
    assert type(found) is type(example), place


async def test_the_json_has_the_keys_and_types_of_the_example(tmp_path: Path) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver() as bot:
        config = configure(tmp_path, emulator, {"bot": (bot, "")})
        async with forwarder(config):
            await emulator.wait_connected()
            for frame in packaged_events()[:3]:
                await emulator.send(frame)
            await bot.wait_for(3)
            assert (await command("pause", "bot", "--why", "a test", "-c", str(config)))[0] == 0
            config.write_text(config.read_text(encoding="utf-8") + "nonsense: 1\n", encoding="utf-8")
            assert (await command("reload", "-c", str(config)))[0] == exit_codes.FAILURE
            code, out, _ = await command("status", "--json", "-c", str(config))
    status = json.loads(out)
    assert code == 0
    assert status["config"]["refused"] is not None
    assert status["destinations"]["bot"]["paused"]["why"] == "a test"
    assert_same_shape(status, EXAMPLE)


@contextmanager
def answering(folder: Path, result: dict[str, Any]) -> Iterator[Path]:
    """Answer one request as a daemon of another version would; give the config."""
    config = folder / "config.yaml"
    config.write_text("destinations: {bot: {}}\n", encoding="utf-8")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(str(folder / "outbox.db.sock"))
        listening.listen()

        def answer() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(1 << 16)
                connection.sendall(json.dumps({"result": result}).encode() + b"\n")

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield config
        thread.join()


@pytest.mark.parametrize("missing", ["log", "clock_jumped", "lag_ms", "outbox", "since_start"])
async def test_a_daemon_of_another_version_may_leave_keys_out_or_add_some(tmp_path: Path, missing: str) -> None:
    result = {key: value for key, value in EXAMPLE.items() if key != missing} | {"moon": "full"}
    with answering(tmp_path, result) as config:
        code, out, err = await command("status", "-c", str(config))
    assert (code, err) == (exit_codes.OK if missing == "outbox" else exit_codes.FAILURE, "")
    assert "the queued deliveries cannot be read now" in out


async def test_the_json_keeps_what_only_the_daemon_knows(tmp_path: Path) -> None:
    with answering(tmp_path, {"moon": "full"}) as config:
        code, out, _ = await command("status", "--json", "-c", str(config))
    assert (code, json.loads(out)) == (0, {"moon": "full", "waiting": None, "dead": None})


async def test_a_status_that_cannot_be_read_is_a_sentence(tmp_path: Path) -> None:
    with answering(tmp_path, {"pid": "many"}) as config:
        code, out, err = await command("status", "-c", str(config))
    assert (code, out) == (exit_codes.FAILURE, "")
    assert err.startswith("the running forwarder is of another version, and this one cannot read its status: ")
    assert "$.pid" in err
