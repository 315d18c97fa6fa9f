"""A new file takes the place of another one as a whole, also where that was interrupted."""

from pathlib import Path

import pytest

from forwarder.outbox.sqlite.file import atomic_swap
from forwarder.outbox.sqlite.file.atomic_swap import finish, make_ready, name_aside


class KilledError(Exception):
    """Stands for a kill."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of a file that is there, with its WAL."""
    (tmp_path / "outbox.db").write_text("old")
    (tmp_path / "outbox.db-wal").write_text("old wal")
    (tmp_path / "made").write_text("new")
    return tmp_path / "outbox.db"


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def test_the_old_file_is_set_aside_with_its_wal(path: Path) -> None:
    aside = path.with_name("aside")
    make_ready(path, path.with_name("made"))
    assert path.read_text() == "old"
    finish(path, aside)
    assert (path.read_text(), aside.read_text(), path.with_name("aside-wal").read_text()) == ("new", "old", "old wal")
    assert names(path.parent) == ["aside", "aside-wal", "outbox.db"]


def test_without_a_new_file_nothing_happens(path: Path) -> None:
    finish(path)
    assert names(path.parent) == ["made", "outbox.db", "outbox.db-wal"]


@pytest.mark.parametrize("cut_at", [1, 2, 3])
def test_the_next_start_completes_what_was_interrupted(
    path: Path, monkeypatch: pytest.MonkeyPatch, cut_at: int
) -> None:
    """At each sync of the folder; between them the file system has all renames or some."""
    synced = 0

    def sync(_folder: Path) -> None:
        nonlocal synced
        synced += 1
        if synced == cut_at:
            raise KilledError

    def swap() -> None:
        make_ready(path, path.with_name("made"))
        finish(path)

    with monkeypatch.context() as cut:
        cut.setattr(atomic_swap, "sync_folder", sync)
        with pytest.raises(KilledError):
            swap()
    finish(path)
    assert path.read_text() == "new"
    assert not path.with_name("outbox.db-wal").exists()
    (aside,) = path.parent.glob("outbox.db.damaged-*Z")
    assert aside.read_text() == "old"


def test_no_file_that_was_set_aside_is_overwritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "outbox.db"
    taken: set[Path] = set()
    for _ in range(3):
        aside = name_aside(path)
        assert aside not in taken
        aside.touch()
        taken.add(aside)
    assert all(each.name.startswith("outbox.db.damaged-") for each in taken)
