"""`forwarder log-level`: shown and changed in a running daemon, and what it says without one."""

import json
from pathlib import Path

from forwarder.cli import exit_codes
from forwarder.emulator.receiver import Answer, Receiver
from forwarder.emulator.server import Emulator
from tests.support.delivery import configure, ok, stopped
from tests.support.lanes import event
from tests.support.process import KEY, command, forwarder


async def test_it_changes_what_the_running_daemon_logs_of_each_delivery(tmp_path: Path) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver() as bot:
        config = configure(tmp_path, emulator, {"bot": (bot, "")})
        async with forwarder(config) as daemon:
            await daemon.wait_for("daemon.ready")
            assert await ok(config, "log-level") == "The log has lines at info and above.\n"
            await emulator.send(event(1).body)
            await bot.wait_for(1)
            said = await ok(config, "log-level", "debug", "--for", "10m")
            assert said.startswith("The log has lines at debug and above until 20")
            assert said.endswith(", then info.\n")
            await emulator.send(event(2).body)
            await daemon.wait_for("delivery.delivered", level="debug", event_id=event(2).id)
            await ok(config, "log-level", "error")
            bot.respond = lambda _request: Answer(status=400)
            await emulator.send(event(3).body)
            await bot.wait_until(lambda it: it.received == 3)
            shown = json.loads(await ok(config, "log-level", "info", "--json"))
            assert shown == {"level": "info", "until": None, "at_start": "info"}
            bot.respond = None
            await emulator.send(event(4).body)
            await bot.wait_for(3)
            await stopped(daemon)
    names = [line["event"] for line in daemon.lines]
    assert names.count("delivery.delivered") == 1
    assert "delivery.dead" not in names
    changes = [line for line in daemon.lines if line["event"] == "log.level_changed"]
    assert [(line["level_before"], line["level_now"]) for line in changes] == [
        ("info", "debug"),
        ("debug", "error"),
        ("error", "info"),
    ]


async def test_a_level_that_there_is_not_and_a_time_without_a_level_are_refused(config: Path) -> None:
    for arguments in (("trace",), ("--for", "10m")):
        code, out, err = await command("log-level", *arguments, "-c", str(config))
        assert (code, out) == (exit_codes.USAGE, "")
        assert "debug" in err


async def test_without_a_daemon_it_is_one_sentence(config: Path) -> None:
    code, out, err = await command("log-level", "-c", str(config))
    assert (code, out) == (exit_codes.NO_DAEMON, "")
    assert err.startswith("no forwarder answers at ")
