"""`forwarder reconnect` where no daemon runs."""

from pathlib import Path

from forwarder.cli import exit_codes
from tests.support.process import command


async def test_without_a_daemon_it_is_one_sentence(config: Path) -> None:
    code, out, err = await command("reconnect", "-c", str(config))
    assert (code, out) == (exit_codes.NO_DAEMON, "")
    assert err.startswith("no forwarder answers at ")
    assert err.count("\n") == 1
