"""Which saves of real files are noticed, whatever way they are made."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from watchfiles import _rust_notify

from forwarder.configfile import watcher
from forwarder.configfile.includes import Entry
from forwarder.configfile.watcher import watch_saves
from tests.support.crash import until


class Saved:
    """Counts what is noticed."""

    def __init__(self) -> None:
        self.count = 0
        self._news = asyncio.Condition()

    async def __call__(self) -> None:
        async with self._news:
            self.count += 1
            self._news.notify_all()

    async def once_more_than(self, count: int) -> None:
        async with asyncio.timeout(90), self._news:
            await self._news.wait_for(lambda: self.count > count)


@asynccontextmanager
async def watching(*files: Path | Entry) -> AsyncIterator[Saved]:
    saved = Saved()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(watch_saves(lambda: files, saved))
        await saved.once_more_than(0)  # what was saved before the watch began is not missed
        yield saved
        task.cancel()


def write(file: Path) -> None:
    file.write_text(file.read_text() + "more\n")


def rename(file: Path) -> None:
    beside = file.with_name(".config.yaml.swp")
    beside.write_text("renamed\n")
    beside.replace(file)


def remove(file: Path) -> None:
    file.unlink()


def swap_the_folder(file: Path) -> None:
    other = file.parent.with_name("other")
    other.mkdir()
    (other / file.name).write_text("of another folder\n")
    file.parent.rename(file.parent.with_name("old"))
    other.rename(file.parent)


def remove_the_folder(file: Path) -> None:
    file.unlink()
    file.parent.rmdir()


WAYS = [write, rename, remove, swap_the_folder, remove_the_folder]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("is_notified", [True, False])
async def test_a_save_is_noticed_by_what_the_system_reports_and_without_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: Callable[[Path], None], is_notified: bool
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")  # what inotify says when no more watches are to be had

    if is_notified:
        monkeypatch.setattr(watcher, "_LOOK_EVERY_S", 2.0 if "folder" in way.__name__ else 60.0)
    else:
        monkeypatch.setattr(_rust_notify, "RustNotify", fail)
        monkeypatch.setattr(watcher, "_LOOK_EVERY_S", 0.1)
    file = tmp_path / "etc" / "config.yaml"
    file.parent.mkdir()
    file.write_text("at first\n")
    async with watching(file) as saved:
        before = saved.count
        way(file)
        await saved.once_more_than(before)
        before = saved.count
        file.parent.mkdir(exist_ok=True)
        file.touch()
        write(file)
        await saved.once_more_than(before)


async def test_a_link_that_is_swapped_as_kubernetes_does_is_noticed_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watcher, "_LOOK_EVERY_S", 60.0)
    for name in ("..1", "..2"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.yaml").write_text(name)
    (tmp_path / "..data").symlink_to("..1")
    (tmp_path / "config.yaml").symlink_to("..data/config.yaml")
    async with watching(tmp_path / "config.yaml") as saved:
        before = saved.count
        (tmp_path / "..data_tmp").symlink_to("..2")
        (tmp_path / "..data_tmp").replace(tmp_path / "..data")
        await saved.once_more_than(before)
        before = saved.count
        write(tmp_path / "..2" / "config.yaml")  # the folder that it leads to now is watched
        await saved.once_more_than(before)


async def test_a_link_to_another_folder_and_links_in_a_circle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watcher, "_LOOK_EVERY_S", 60.0)
    target = tmp_path / "far" / "away" / "real.yaml"
    target.parent.mkdir(parents=True)
    target.touch()
    (tmp_path / "config.yaml").symlink_to("far/../far/away/real.yaml")
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    async with watching(tmp_path / "config.yaml", tmp_path / "a", Path("/nowhere/at/all"), Path("a\0b")) as saved:
        before = saved.count
        write(target)
        await saved.once_more_than(before)


async def test_a_burst_is_noticed_when_it_is_over(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.touch()
    async with watching(file) as saved:
        before = saved.count
        for number in range(50):
            file.write_text(str(number))
        await saved.once_more_than(before)
        assert saved.count <= before + 3  # and not fifty times


async def test_a_link_to_a_folder_on_the_way_that_is_replaced_is_noticed_by_the_next_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watcher, "_LOOK_EVERY_S", 0.1)
    for name in ("v1", "v2"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.yaml").write_text(name)
    (tmp_path / "now").symlink_to("v1")
    async with watching(tmp_path / "now" / "config.yaml") as saved:
        before = saved.count
        (tmp_path / "next").symlink_to("v2")
        (tmp_path / "next").replace(tmp_path / "now")
        await saved.once_more_than(before)


async def test_a_folder_in_which_another_file_is_written_all_the_time_is_looked_at_instead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watcher, "_LOOK_EVERY_S", 60.0)
    made: list[_rust_notify.RustNotify] = []
    make = _rust_notify.RustNotify

    def note(*arguments: Any) -> _rust_notify.RustNotify:  # noqa: ANN401 - those of the library
        made.append(make(*arguments))
        return made[-1]

    monkeypatch.setattr(_rust_notify, "RustNotify", note)
    file, outbox = tmp_path / "config.yaml", tmp_path / "outbox.db"
    file.touch()
    async with watching(file) as saved:
        before = saved.count

        def is_closed() -> bool:
            outbox.write_text("a commit")
            return repr(made[-1]) == "RustNotify(None)"

        await until(is_closed, limit_s=90, what="the end of reports")
        assert saved.count == before
        write(file)
        await saved.once_more_than(before)
        before = saved.count
        rename(file)
        await saved.once_more_than(before)
    assert len(made) == 1


def add(folder: Path) -> None:
    (folder / "b.yaml").write_text("new\n")


def take_away(folder: Path) -> None:
    (folder / "a.yaml").unlink()


def add_in_a_new_folder(folder: Path) -> None:
    (folder / "deep").mkdir()
    (folder / "deep" / "c.yaml").write_text("new\n")


@pytest.mark.parametrize("way", [add, take_away, add_in_a_new_folder])
async def test_a_file_that_begins_or_ends_to_match_an_entry_is_noticed(
    tmp_path: Path, way: Callable[[Path], None]
) -> None:
    folder = tmp_path / "routes"
    folder.mkdir()
    (folder / "a.yaml").write_text("first\n")
    entries = (Entry(tmp_path, "routes/*.yaml"), Entry(tmp_path, "routes/*/*.yaml"), Entry(tmp_path, "one.yaml"))
    async with watching(*entries) as saved:
        (folder / "other.txt").write_text("of no interest\n")
        way(folder)
        await saved.once_more_than(1)


def test_the_folders_of_an_entry_are_watched(tmp_path: Path) -> None:
    for name in ("routes/one", "routes/two"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "routes/one/a.yaml").touch()

    def folders(written: str) -> set[str]:
        return {folder for folder, _, _ in watcher._folders_of([Entry(tmp_path, written)])}

    assert folders("*.yaml") == {str(tmp_path)}
    assert folders("routes/*.yaml") == {f"{tmp_path}/routes"}
    assert folders("routes/*/*.yaml") == {f"{tmp_path}/routes", f"{tmp_path}/routes/one"}
