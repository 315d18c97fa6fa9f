"""A reload does its work in a thread: nothing that takes time is left for the event loop."""

import threading
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from forwarder.configfile import read
from forwarder.configfile.read import load
from forwarder.core.config import Config
from forwarder.core.config.lint import warnings_of
from forwarder.daemon.reload import warn_of
from tests.support.reloads import reloader_of

CONFIG = """
streams: [{api_key: k}]
destinations:
  bot: {url: 'http://127.0.0.1:9/', compress_from: 1KiB}
routes: [{to: bot}]
"""
WARNING = "destinations.bot.compress_from: has no effect without compression; add compression, or remove it"


@pytest.mark.parametrize(
    ("edit", "is_changed"), [(("1KiB", "2KiB"), True), (("", ""), False)], ids=["a new config", "the same config"]
)
async def test_the_warnings_of_a_reload_are_computed_once_and_in_a_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, edit: tuple[str, str], is_changed: bool
) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(CONFIG)
    reloader = reloader_of(file)
    threads: list[int] = []

    def count(config: Config) -> list[str]:
        threads.append(threading.get_ident())
        return warnings_of(config)

    monkeypatch.setattr(read, "warnings_of", count)
    file.write_text(CONFIG.replace(*edit))
    with capture_logs() as lines:
        answer = await reloader.reload()
    assert (answer["applied"], answer["changed"], answer["warnings"]) == (True, is_changed, [WARNING])
    assert [each["note"] for each in lines if each["event"] == "config.warning"] == [WARNING]
    assert len(threads) == 1
    assert threading.get_ident() not in threads


async def test_a_config_that_cannot_be_used_has_no_warnings_and_the_running_one_keeps_its_own(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(CONFIG)
    reloader = reloader_of(file)
    file.write_text(CONFIG + "wrong: 1\n")
    answer = await reloader.reload()
    assert (answer["applied"], answer["warnings"]) == (False, [])
    assert answer["problems"]
    file.write_text(CONFIG)
    assert (await reloader.reload())["warnings"] == [WARNING]


async def test_an_edit_after_which_a_pattern_matches_no_file_is_refused_until_it_is_meant(tmp_path: Path) -> None:
    file, rules = tmp_path / "config.yaml", tmp_path / "rules"
    rules.mkdir()
    (rules / "a.yaml").write_text("routes: [{name: more, match: {source: web}, to: bot}]\n")
    file.write_text(f"include: [rules/*.yaml, never/*.yaml]\n{CONFIG}")
    reloader = reloader_of(file)
    rules.rename(tmp_path / "moved")
    answer = await reloader.reload()
    assert (answer["applied"], answer["changed"]) == (False, False)
    problem = (
        f"include: no file matches {rules}/*.yaml any more, and the active config has files of it; "
        "if this is meant, remove the pattern, or keep one file that says `routes: []`"
    )
    assert answer["problems"] == [problem]
    assert reloader.status().refused is not None
    (tmp_path / "moved").rename(rules)
    answer = await reloader.reload()
    assert (answer["applied"], answer["changed"], reloader.status().refused) == (True, False, None)
    (rules / "a.yaml").write_text("routes: []\n")
    assert (await reloader.reload())["plan"] == ['route "more" removed']
    (rules / "a.yaml").unlink()
    assert (await reloader.reload())["applied"] is False
    file.write_text(CONFIG)
    answer = await reloader.reload()
    assert (answer["applied"], answer["problems"]) == (True, [])


def test_the_start_logs_the_warnings_of_what_was_loaded(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(CONFIG)
    with capture_logs() as lines:
        warn_of(load(file))
    assert [each["note"] for each in lines] == [WARNING]


async def test_edits_are_counted_by_whether_they_became_active_and_one_that_changes_nothing_is_none(
    tmp_path: Path,
) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(CONFIG)
    reloader = reloader_of(file)

    def counted() -> tuple[int, int]:
        status = reloader.status()
        return status.reloads, status.reloads_refused

    await reloader.reload()
    assert counted() == (0, 0)
    for text, expected in ((CONFIG + "wrong: 1\n", (0, 1)), (CONFIG.replace("1KiB", "2KiB"), (1, 1))):
        file.write_text(text)
        await reloader.reload()
        assert counted() == expected
