"""`forwarder check` and `run` on what a config says about certificates."""

from pathlib import Path

import pytest
import trustme

from forwarder.cli import exit_codes
from forwarder.emulator.server import Emulator
from tests.support.process import KEY, command, forwarder, write_config

CA = trustme.CA()
CLIENT, OTHER = CA.issue_cert("me@example.com"), CA.issue_cert("other@example.com")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    CA.cert_pem.write_to_path(tmp_path / "ca.pem")
    CLIENT.cert_chain_pems[0].write_to_path(tmp_path / "me.pem")
    CLIENT.private_key_pem.write_to_path(tmp_path / "me.key")
    OTHER.private_key_pem.write_to_path(tmp_path / "other.key")
    for key in tmp_path.glob("*.key"):
        key.chmod(0o600)
    return tmp_path


def config_with(folder: Path, tls: str, *, stream: str = "ws://127.0.0.1:9/ws") -> Path:
    return write_config(folder, stream=stream, destinations={"bot": f"https://127.0.0.1:9/hook\n    tls: {{{tls}}}"})


async def test_certificates_that_fit_are_valid_and_public_ones_may_be_readable_by_all(folder: Path) -> None:
    config = config_with(folder, "ca_file: ca.pem, cert_file: me.pem, key_file: me.key")
    code, out, err = await command("check", "-c", str(config))
    assert (code, err) == (exit_codes.OK, "")
    assert "valid" in out
    (folder / "me.key").chmod(0o644)
    _, _, err = await command("check", "-c", str(config))
    assert err.startswith(f"warning: {folder}/me.key holds a secret and can be read by every user")


async def test_a_key_that_belongs_to_another_certificate_is_told_with_its_place(folder: Path) -> None:
    config = config_with(folder, "cert_file: me.pem, key_file: other.key")
    code, _, err = await command("check", "-c", str(config))
    assert code == exit_codes.FAILURE
    assert err.strip() == (
        f"{config}:10:40: destinations.bot.tls.key_file: the private key does not belong to the certificate"
    )


async def test_verify_false_is_warned_of_by_check_at_the_start_and_at_a_reload(folder: Path) -> None:
    import signal

    async with Emulator(api_key=KEY) as emulator:
        config = config_with(folder, "verify: false", stream=emulator.ws_url)
        code, _, err = await command("check", "-c", str(config))
        assert code == exit_codes.OK
        assert err.startswith("warning: destinations.bot.tls.verify: false: any certificate is taken")
        async with forwarder(config) as daemon:
            await daemon.wait_for("config.warning")
            await daemon.wait_for("daemon.ready")
            daemon.send(signal.SIGHUP)
            line = await daemon.wait_for("config.warning", count=2)
            assert line["level"] == "warning"
