"""`forwarder support` with a daemon, without one, and with a config that is not valid."""

import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from forwarder.cli import exit_codes
from forwarder.emulator.receiver import Receiver
from forwarder.emulator.server import Emulator
from tests.support.delivery import configure, stopped
from tests.support.history import fill
from tests.support.process import KEY, command, forwarder


def parts(file: Path) -> dict[str, str]:
    with tarfile.open(file) as bundle:
        return {
            member.name.removeprefix("forwarder-support/"): found.read().decode()
            for member in bundle.getmembers()
            if (found := bundle.extractfile(member)) is not None
        }


async def test_without_a_daemon_it_has_the_settings_and_the_counts_and_no_secrets(config: Path) -> None:
    await fill(config)
    secret_config = config.read_text(encoding="utf-8").replace("api_key: k", "api_key: a-key-that-nobody-may-see")
    config.write_text(secret_config.replace("9/'}, other", "9/secret-path'}, other"), encoding="utf-8")
    await command("pause", "bot", "--why", "a-key-that-nobody-may-see", "-c", str(config))
    file = config.with_name("bundle.tar.gz")
    code, out, err = await command("support", str(file), "-c", str(config))
    assert (code, err) == (exit_codes.OK, "")
    assert out.startswith(
        f"{file} has been written: README.txt, versions.json, config.json, check.txt, status.json, outbox.json.\n"
    )
    assert file.stat().st_mode & 0o777 == 0o600
    found = parts(file)
    assert not [name for name, text in found.items() if "nobody-may-see" in text or "secret-path" in text]
    assert not [name for name, text in found.items() if "breaks the range" in text]  # the text of a post
    outbox = json.loads(found["outbox.json"])
    assert (outbox["kept_events"], outbox["dead"], list(outbox["paused"])) == (4, {"bot": 1}, ["bot"])
    assert outbox["actions"][0]["what"] == "bot: ***"
    assert json.loads(found["config.json"])["destinations"]["bot"] == {"url": "***"}
    assert found["check.txt"].startswith("valid\n")
    assert "unknown" in json.loads(found["status.json"])
    assert json.loads(found["versions.json"])["packages"]["aiohttp"][0].isdigit()
    code, out, err = await command("support", str(file), "-c", str(config))
    assert (code, out, err) == (exit_codes.USAGE, "", f"{file} exists already; name a file that does not\n")


async def test_a_config_that_is_not_valid_is_said_in_the_bundle(config: Path) -> None:
    config.write_text("streams: nonsense\n  - {", encoding="utf-8")
    file = config.with_name("bundle.tar.gz")
    code, _, err = await command("support", str(file), "-c", str(config))
    assert code == exit_codes.OK
    assert err.endswith(
        f"The settings of {config} are not in it: it has mistakes or cannot be read, as check.txt says.\n"
    )
    found = parts(file)
    assert found["check.txt"].startswith("NOT valid\nproblem: ")
    assert "there is no such file yet" in json.loads(found["outbox.json"])["unknown"]


@pytest.mark.parametrize("name", ["nowhere/bundle.tar.gz", ""])
async def test_a_file_that_cannot_be_written_is_said(config: Path, name: str) -> None:
    await fill(config)
    file = str(config.parent / name) if name else ""
    code, out, err = await command("support", file, "-c", str(config))
    assert (code, out) == (exit_codes.FAILURE if name else exit_codes.USAGE, "")
    assert ("cannot be written" if name else "it is empty") in err


async def test_with_a_daemon_it_has_the_status(tmp_path: Path) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver() as bot:
        config = configure(tmp_path, emulator, {"bot": (bot, "")})
        async with forwarder(config) as daemon:
            await emulator.wait_connected()
            file = tmp_path / "bundle.tar.gz"
            code, _, err = await command("support", str(file), "-c", str(config))
            assert (code, err) == (exit_codes.OK, "")
            found = parts(file)
            status: dict[str, Any] = json.loads(found["status.json"])
            assert status["state"] == "running"
            assert not [name for name, text in found.items() if KEY in text]
            await stopped(daemon)
