"""A reload does not wait for a file system that does not respond, and the status says so."""

import asyncio
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from forwarder.clocks.wall_clock import utc_now
from forwarder.configfile.snapshot import Files
from forwarder.core.commands import RequestRefusedError
from forwarder.daemon import config_reader
from forwarder.daemon.config_reader import ConfigReader, ReloadHangsError
from tests.support import fuse
from tests.support.crash import until
from tests.support.fuse import OneFile, one_file
from tests.support.reloads import reloader_of

AT = datetime(2026, 1, 1, tzinfo=UTC)
CONFIG = """
streams: [{api_key: k}]
destinations:
  bot: {url: 'http://127.0.0.1:9/'}
lists: {coins: [{file: mounted/file}]}
routes: [{match: {text: {word: {list: coins}}}, to: bot}]
"""

needs_fuse = pytest.mark.skipif(fuse.why_not() is not None, reason=fuse.why_not() or "")


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config_reader, "FILE_WITHIN_S", 0.3)
    monkeypatch.setattr(config_reader, "_SHOWN_AFTER_S", 0.1)
    monkeypatch.setattr(config_reader, "_LOOK_EVERY_S", 0.02)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[OneFile]:
    with one_file(tmp_path / "mounted", b"btc\n") as served:
        yield served


@needs_fuse
async def test_a_reload_that_hangs_is_refused_and_works_again_when_the_file_system_responds(
    tmp_path: Path, served: OneFile
) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(CONFIG, encoding="utf-8")
    reloader = reloader_of(file)
    assert reloader.status().hangs is None
    served.responds.clear()
    served.content = b"btc\neth\n"
    for _ in range(3):  # the later ones are refused at once, without threads of their own
        threads = threading.active_count()
        answer = await reloader.reload()
        assert (answer["applied"], answer["changed"]) == (False, False)
        assert isinstance(answer["problems"], list)
        (problem,) = answer["problems"]
        assert problem.startswith(f"{tmp_path}/mounted/file: to read it has not ended since ")
        assert problem.endswith(": its file system does not respond")
        hangs = reloader.status().hangs
        assert hangs is not None
        assert hangs.file == f"{tmp_path}/mounted/file"
        assert datetime.fromisoformat(hangs.since) <= utc_now()
    assert threading.active_count() == threads
    served.responds.set()
    await until(lambda: reloader.status().hangs is None, limit_s=30, what="the end of the read")
    answer = await reloader.reload()
    assert (answer["applied"], answer["changed"]) == (True, True)
    assert reloader.status().refused is None


@needs_fuse
async def test_the_edit_becomes_active_by_itself_when_the_file_system_responds(tmp_path: Path, served: OneFile) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(CONFIG + "reload: {watch: false}\n", encoding="utf-8")
    reloader = reloader_of(file)
    before = reloader.status().digest
    running = asyncio.ensure_future(reloader.run())
    served.responds.clear()
    served.content = b"btc\neth\n"
    await reloader.reload()
    assert reloader.status().digest == before
    served.responds.set()
    await until(lambda: reloader.status().digest != before, limit_s=30, what="the edit")
    assert (reloader.status().hangs, reloader.status().refused) == (None, None)
    running.cancel()


@needs_fuse
async def test_a_slow_read_is_shown_before_its_time_is_over(
    tmp_path: Path, served: OneFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config_reader, "FILE_WITHIN_S", 60.0)
    file = tmp_path / "config.yaml"
    file.write_text(CONFIG, encoding="utf-8")
    reloader = reloader_of(file)
    served.responds.clear()
    reloading = asyncio.ensure_future(reloader.reload())
    await until(lambda: reloader.status().hangs is not None, limit_s=30, what="the status")
    served.responds.set()
    assert (await reloading)["applied"] is True
    assert reloader.status().hangs is None


async def test_the_work_between_files_has_a_limit_too_and_an_error_of_it_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[bool] = []
    reader = ConfigReader(tmp_path / "config.yaml", clock=lambda: AT, responds_again=lambda: ended.append(True))
    go = threading.Event()
    monkeypatch.setattr(config_reader, "REST_WITHIN_S", 0.3)
    with pytest.raises(ReloadHangsError, match=rf"^{tmp_path}/config.yaml: to check it has not ended since "):
        await reader.run(lambda _files: go.wait(60))
    with pytest.raises(ReloadHangsError):
        await reader.run(lambda _files: 1)
    go.set()
    await until(lambda: bool(ended), limit_s=30, what="the end of it")
    monkeypatch.setattr(config_reader, "REST_WITHIN_S", 60.0)
    assert await reader.run(lambda _files: 1) == 1

    def fail(_files: Files) -> None:
        raise RequestRefusedError("no")

    with pytest.raises(RequestRefusedError):
        await reader.run(fail)
    assert reader.status() is None
