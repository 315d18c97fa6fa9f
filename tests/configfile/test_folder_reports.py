"""What the kernel reports about folders, and what it does not."""

import ctypes
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from forwarder.configfile import folder_reports
from forwarder.configfile.folder_reports import FolderReports

NEVER = threading.Event()
LONG_S = 60.0


def is_inotify_open() -> bool:
    for each in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # the one of this look at the folder
            if str(each.readlink()) == "anon_inode:inotify":
                return True
    return False


@pytest.mark.parametrize(
    "save",
    [
        lambda file: file.write_text("more"),
        lambda file: file.touch(),
        lambda file: file.chmod(0o600),
        lambda file: file.unlink(),
        lambda file: file.rename(file.with_name("other")),
        lambda file: file.with_name("new").mkdir(),
        lambda file: file.parent.rename(file.parent.with_name("moved")),
    ],
)
def test_every_way_of_saving_is_reported_once(tmp_path: Path, save: Callable[[Path], object]) -> None:
    folder = tmp_path / "etc"
    folder.mkdir()
    file = folder / "config.yaml"
    file.touch()
    reports = FolderReports([str(folder)])
    save(file)
    assert reports.wait(LONG_S, NEVER)
    assert not reports.wait(0.001, NEVER)


def test_a_file_that_stays_open_is_not_saved_by_each_write(tmp_path: Path) -> None:
    with (tmp_path / "outbox.db").open("w", encoding="utf-8") as file:
        reports = FolderReports([str(tmp_path)])
        file.write("a commit")
        file.flush()
        assert not reports.wait(0.001, NEVER)
    assert reports.wait(LONG_S, NEVER)  # it is closed


def test_a_folder_that_is_gone_is_left_out(tmp_path: Path) -> None:
    reports = FolderReports([str(tmp_path / "gone"), str(tmp_path)])
    (tmp_path / "config.yaml").touch()
    assert reports.wait(LONG_S, NEVER)


def test_a_wait_ends_when_nobody_waits_any_more(tmp_path: Path) -> None:
    over = threading.Event()
    found: list[bool] = []
    reports = FolderReports([str(tmp_path)])
    thread = threading.Thread(target=lambda: found.append(reports.wait(LONG_S, over)))
    thread.start()
    over.set()
    thread.join(LONG_S / 2)
    assert found == [False]


def test_the_descriptor_is_closed_with_the_object(tmp_path: Path) -> None:
    reports = FolderReports([str(tmp_path)])
    assert is_inotify_open()
    del reports
    assert not is_inotify_open()


def test_a_watch_that_the_kernel_refuses_is_an_error(tmp_path: Path) -> None:
    not_a_folder_name = "a" * 5000
    with pytest.raises(OSError, match="File name too long"):
        FolderReports([str(tmp_path), not_a_folder_name])
    assert not is_inotify_open()


def test_a_system_without_inotify_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: object())
    with pytest.raises(OSError, match="not implemented"):
        folder_reports.FolderReports(["/"])
