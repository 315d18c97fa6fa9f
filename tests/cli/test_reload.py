"""`forwarder reload` where no daemon runs."""

from pathlib import Path

from forwarder.cli import exit_codes
from tests.support.process import command


async def test_without_a_daemon_it_is_one_sentence(config: Path) -> None:
    code, out, err = await command("reload", "-c", str(config))
    assert (code, out) == (exit_codes.NO_DAEMON, "")
    assert err.startswith("no forwarder answers at ")
    assert err.count("\n") == 1


async def test_a_config_that_cannot_be_read_is_refused_before_the_daemon_is_asked(config: Path) -> None:
    config.write_text("outbox: {url: 'mysql:x'}\n", encoding="utf-8")
    code, out, err = await command("reload", "-c", str(config))
    assert (code, out) == (exit_codes.FAILURE, "")
    assert "outbox.url" in err
    assert err.endswith("refused: the running config stays active\n")
