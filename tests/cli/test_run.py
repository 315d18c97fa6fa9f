"""`forwarder run`: why it does not start, and what ends it."""

from pathlib import Path

import pytest

from forwarder.cli import exit_codes
from forwarder.cli.run import run_in_loop
from tests.support.process import command


async def test_a_config_that_is_not_there_is_a_config_error_with_advice(tmp_path: Path) -> None:
    code, out, err = await command("run", "-c", str(tmp_path / "none.yaml"))
    assert (code, out) == (exit_codes.BAD_CONFIG, "")
    assert "cannot be read: No such file or directory. Name the file with -c" in err
    assert err.count("\n") == 1


async def test_an_outbox_that_cannot_be_written_is_one_sentence(config: Path) -> None:
    (config.parent / "file").write_text("not a folder")
    config.write_text(config.read_text().replace("sqlite:outbox.db", "sqlite:file/outbox.db"))
    code, _, err = await command("run", "-c", str(config))
    assert code == exit_codes.OUTBOX_UNWRITABLE
    assert len(err.splitlines()) == 1
    assert "cannot be written (Not a directory)" in err


def test_what_ends_the_daemon_is_passed_on() -> None:
    async def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_in_loop(fail())
