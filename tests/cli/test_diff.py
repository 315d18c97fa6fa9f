"""`forwarder check --diff` where no daemon runs, and its result as JSON."""

import json
from pathlib import Path

from forwarder.cli import exit_codes
from forwarder.emulator.receiver import Receiver
from forwarder.emulator.server import Emulator
from tests.support.delivery import configure, stopped
from tests.support.process import KEY, command, forwarder


async def test_a_difference_needs_a_daemon(config: Path) -> None:
    code, _, err = await command("check", "--diff", "-c", str(config))
    assert code == exit_codes.NO_DAEMON
    assert "no forwarder answers at " in err
    code, out, err = await command("check", "--diff", "--json", "-c", str(config))
    assert code == exit_codes.NO_DAEMON
    assert "no forwarder answers at " in err
    found = json.loads(out)
    assert (found["ok"], found["diff"]) == (True, None)


async def test_a_config_that_is_not_valid_is_compared_with_nothing(config: Path) -> None:
    config.write_text(f"{config.read_text(encoding='utf-8')}outbox_: 1\n", encoding="utf-8")
    code, out, err = await command("check", "--diff", "--json", "-c", str(config))
    assert (code, err) == (exit_codes.FAILURE, "")
    assert not {"diff", "streams"} & json.loads(out).keys()


async def test_what_would_change_is_in_the_json(tmp_path: Path) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver() as bot:
        config = configure(tmp_path, emulator, {"bot": (bot, "")})
        new = tmp_path / "new.yaml"
        async with forwarder(config) as daemon:
            await emulator.wait_connected()
            new.write_text(f"{config.read_text(encoding='utf-8')}\nunmatched: bot\n", encoding="utf-8")
            code, out, _ = await command("check", "--diff", "--json", "-c", str(new))
            assert code == exit_codes.OK
            diff = json.loads(out)["diff"]
            assert (diff["changed"], diff["file"], diff["problems"]) == (True, str(config), [])
            assert any("unmatched" in sentence for sentence in diff["plan"])
            code, out, _ = await command("check", "--diff", "--json", "-c", str(config))
            assert (code, json.loads(out)["diff"]["changed"]) == (exit_codes.OK, False)
            for line in ("reconnect nosuch", "pause nosuch", "replay --since 1h --to nosuch"):
                code, out, err = await command(*line.split(), "-c", str(config))
                assert (code, out) == (exit_codes.USAGE, ""), line
                assert '"nosuch"; ' in err
                assert "Traceback" not in err
            await stopped(daemon)
