"""What is wrong with a file that an option names as an outbox."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from forwarder.cli import exit_codes
from forwarder.cli.outbox_file import open_outbox_file
from forwarder.core.history import Query
from forwarder.outbox.problems import OutboxUnusableError
from tests.support.history import fill
from tests.support.process import command


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Return a folder with one file of each kind that is no outbox."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "text").write_text("pong\n")
    (tmp_path / "empty").touch()
    (tmp_path / "loop").symlink_to("loop")
    os.mkfifo(tmp_path / "pipe")
    with closing(sqlite3.connect(tmp_path / "other.db")) as other:
        other.execute("CREATE TABLE notes (text)")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "said", "code"),
    [
        ("folder", "it is a folder", exit_codes.OUTBOX_DAMAGED),
        ("", "it is a folder", exit_codes.OUTBOX_DAMAGED),
        ("text", "the file is not an outbox", exit_codes.OUTBOX_DAMAGED),
        ("empty", "the file is empty", exit_codes.OUTBOX_DAMAGED),
        ("other.db", "this is a database of another program", exit_codes.OUTBOX_DAMAGED),
        ("pipe", "it is not a regular file", exit_codes.OUTBOX_DAMAGED),
        ("loop", "it cannot be read (Too many levels of symbolic links)", exit_codes.OUTBOX_UNWRITABLE),
        ("text/none", "it cannot be read (Not a directory)", exit_codes.OUTBOX_UNWRITABLE),
        ("none", "there is no such file", exit_codes.NO_OUTBOX),
    ],
)
def test_the_message_says_what_the_file_is_and_what_the_option_needs(
    files: Path, name: str, said: str, code: int
) -> None:
    with pytest.raises(OutboxUnusableError) as error, open_outbox_file(files / name, option="--from"):
        pass
    assert str(error.value) == f"outbox {files / name}: {said}. --from needs the file of an outbox, such as outbox.db."
    assert exit_codes.OUTBOX_CODES[error.value.problem] == code


def test_no_name_of_a_file_has_a_nul(tmp_path: Path) -> None:
    with (
        pytest.raises(OutboxUnusableError, match="it cannot be read \\(not the name of a file\\)"),
        open_outbox_file(tmp_path / "a\0b", option="--from"),
    ):
        pass


async def test_an_outbox_is_opened(config: Path) -> None:
    await fill(config)
    with open_outbox_file(config.with_name("outbox.db"), option="--from") as history:
        assert len(list(history.events(Query()))) == 4


async def test_backtest_names_its_own_option(config: Path) -> None:
    code, out, err = await command("backtest", "-c", str(config), "--outbox", str(config))
    assert (code, out) == (exit_codes.OUTBOX_DAMAGED, "")
    assert (
        err == f"outbox {config}: the file is not an outbox. --outbox needs the file of an outbox, such as outbox.db.\n"
    )
