"""No file of an outbox is used that another user has put there."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from forwarder.cli import exit_codes
from forwarder.outbox.open import open_history, require_openable
from forwarder.outbox.problems import OutboxProblem, OutboxUnusableError
from forwarder.outbox.sqlite.file.connection import FileSettings
from forwarder.outbox.sqlite.file.names import beside
from forwarder.outbox.sqlite.file.ownership import require_own, warning_of
from forwarder.outbox.sqlite.maintenance import SqliteMaintenance
from forwarder.outbox.sqlite.opening import open_outbox
from tests.support.outbox import keep
from tests.support.process import command, write_config
from tests.support.users import NOBODY, OTHER, as_root, run_as, shared_folder

SUFFIXES = ["", "-wal", "-shm", "-journal", ".lock", ".reserve", ".salvaged", ".salvaging", ".check"]


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder as /tmp is: everybody may make files in it."""
    with shared_folder(mode=0o1777) as folder:
        yield folder


async def make(path: Path) -> None:
    async with open_outbox(FileSettings(path=path)) as outbox:
        keep(outbox, 0)


def plant(path: Path, suffix: str, owner: int = NOBODY) -> Path:
    planted = beside(path, suffix)
    planted.touch()
    os.chown(planted, owner, owner)
    planted.chmod(0o666)
    return planted


@as_root
@pytest.mark.parametrize("suffix", SUFFIXES)
async def test_a_file_that_another_user_has_made_is_named_and_not_used(shared: Path, suffix: str) -> None:
    path = shared / "outbox.db"
    if suffix:
        await make(path)
    planted = plant(path, suffix)
    before = planted.read_bytes()
    for opening in (make(path), make(path)):
        with pytest.raises(OutboxUnusableError) as caught:
            await opening
        assert caught.value.problem is OutboxProblem.UNWRITABLE
        assert f"{planted} belongs to " in caught.value.detail
        assert "(user 65534), not to root (user 0)" in caught.value.detail
    with pytest.raises(OutboxUnusableError, match="belongs to"), open_history(path):
        pass
    with pytest.raises(OutboxUnusableError, match="belongs to"):
        require_openable(path)
    with pytest.raises(OutboxUnusableError, match="belongs to"):
        SqliteMaintenance(path).vacuum(lambda _seconds: None)
    assert planted.read_bytes() == before
    planted.unlink()
    await make(path)


@as_root
@pytest.mark.parametrize("suffix", SUFFIXES)
async def test_a_link_in_place_of_a_file_is_refused_whoever_made_it(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / "outbox.db"
    if suffix:
        await make(path)
    beside(path, suffix).unlink(missing_ok=True)
    beside(path, suffix).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OutboxUnusableError, match="is a symbolic link"):
        await make(path)
    assert not (tmp_path / "elsewhere").exists()


async def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    os.mkfifo(beside(path, ".lock"))
    with pytest.raises(OutboxUnusableError, match=r"not a regular file\. Delete it"):
        await make(path)


async def test_nobody_is_told_to_delete_a_device_that_the_url_names() -> None:
    with pytest.raises(OutboxUnusableError, match=r"not a regular file\. Set outbox\.url"):
        await make(Path("/dev/null"))


async def test_a_link_to_an_outbox_is_read_with_the_files_beside_the_outbox(tmp_path: Path) -> None:
    path, link = tmp_path / "state" / "outbox.db", tmp_path / "link.db"
    await make(path)
    link.symlink_to(path)
    with open_history(link) as history:
        assert history.waiting()
    assert not beside(link, ".lock").exists()


@as_root
def test_each_user_takes_own_files_and_those_of_root(shared: Path) -> None:
    script = (
        "from pathlib import Path; from forwarder.outbox.sqlite.file.ownership import require_own\n"
        "require_own(Path(sys.argv[1]))"
    )
    for owner, is_taken in ((NOBODY, True), (0, True), (OTHER, False)):
        path = shared / f"{owner}.db"
        plant(path, "-wal", owner)
        done = run_as(NOBODY, script, str(path))
        assert (done.returncode == 0) == is_taken, done.stderr
        assert is_taken or "belongs to" in done.stderr


@as_root
def test_root_takes_the_files_of_the_owner_of_the_folder_and_of_its_group(tmp_path: Path) -> None:
    path = tmp_path / "state" / "outbox.db"
    path.parent.mkdir(mode=0o700)
    plant(path, "", 1)
    with pytest.raises(OutboxUnusableError, match="belongs to"):
        require_own(path)
    os.chown(path.parent, 1, 0)
    require_own(path)
    os.chown(path.parent, 0, 1)  # the group of the user 1, as every system has it
    path.parent.chmod(0o2770)
    require_own(path)
    path.parent.chmod(0o2750)
    with pytest.raises(OutboxUnusableError, match="belongs to"):
        require_own(path)
    path.parent.chmod(0o777)
    with pytest.raises(OutboxUnusableError, match="belongs to"):
        require_own(path)


@as_root
async def test_a_backup_is_not_written_into_a_file_of_another_user(tmp_path: Path, shared: Path) -> None:
    path = tmp_path / "outbox.db"
    await make(path)
    planted, copy = plant(shared / "bk.db", ".part"), shared / "bk.db"
    SqliteMaintenance(path).back_up(copy, lambda _pages: None)
    assert planted.read_bytes() == b""
    assert (copy.stat().st_uid, copy.stat().st_mode & 0o777) == (0, 0o600)
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT count(*) FROM events").fetchone() == (1,)
    assert {file.name for file in shared.iterdir()} == {"bk.db", "bk.db.part"}


async def test_a_backup_that_is_exchanged_while_it_is_written_is_not_taken(tmp_path: Path) -> None:
    path, copy = tmp_path / "state" / "outbox.db", tmp_path / "bk.db"
    await make(path)

    def exchange(_pages: int) -> None:
        (part,) = tmp_path.glob("bk.db.*.part")
        part.rename(tmp_path / "taken")
        part.touch()

    with pytest.raises(OutboxUnusableError, match="it cannot be written"):
        SqliteMaintenance(path).back_up(copy, exchange)
    assert not copy.exists()


@as_root
async def test_a_command_says_it_with_the_exit_code_of_an_outbox_that_cannot_be_written(shared: Path) -> None:
    config = write_config(shared, stream="ws://127.0.0.1:9/", destinations={"bot": "http://127.0.0.1:9/"})
    await make(shared / "outbox.db")
    plant(shared / "outbox.db", "-wal")
    for arguments in (("events",), ("pause", "bot"), ("outbox", "check"), ("outbox", "backup", str(shared / "copy"))):
        code, out, err = await command(*arguments, "-c", str(config))
        assert (code, out) == (exit_codes.OUTBOX_UNWRITABLE, ""), arguments
        assert "outbox.db-wal belongs to" in err
        assert "Traceback" not in err


@pytest.mark.parametrize(
    ("mode", "is_warned"), [(0o777, True), (0o1777, False), (0o775, False), (0o700, False), (0o702, True)]
)
async def test_a_folder_in_which_every_user_may_replace_files_is_warned_of(
    tmp_path: Path, mode: int, is_warned: bool
) -> None:
    path = tmp_path / "state" / "outbox.db"
    path.parent.mkdir()
    path.parent.chmod(mode)
    with capture_logs() as lines:
        await make(path)
    assert [line["note"] for line in lines if line["event"] == "outbox.folder_is_open"] == [
        warning_of(path)
    ] * is_warned
    assert (warning_of(path) is not None) == is_warned
    assert warning_of(tmp_path / "none" / "outbox.db") is None
