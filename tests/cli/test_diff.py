"""`forwarder check --diff` where no daemon runs."""

from pathlib import Path

from forwarder.cli import exit_codes
from tests.support.process import command


async def test_a_difference_needs_a_daemon(config: Path) -> None:
    code, _, err = await command("check", "--diff", "-c", str(config))
    assert code == exit_codes.NO_DAEMON
    assert "no forwarder answers at " in err
