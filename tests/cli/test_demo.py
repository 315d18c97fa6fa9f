"""`forwarder demo`: its exit code, its picture, and what a signal does; the demo itself is tested in `tests/demo`."""

import argparse
import asyncio
import logging
import os
import signal
from pathlib import Path

import pytest

from forwarder.cli import demo, exit_codes
from forwarder.demo import DemoResult
from forwarder.demo.screen import Screen
from tests.support.process import command

ARGUMENTS = {"rate": None, "count": None, "forever": False, "svg": None, "live": False, "url": "", "page": False}


class FakeDemo:
    """A demo with a result that a test chooses: the real one takes seconds, and loses nothing."""

    def __init__(self, *, lost: int = 0, waits: bool = False) -> None:
        self._result = DemoResult(lost=lost)
        self._waits = waits
        self.folder = Path()
        self.asked: dict[str, object] = {}

    async def run(self, screen: Screen, folder: Path, *, stop: asyncio.Event, **asked: object) -> DemoResult:
        self.folder, self.asked = folder, asked
        assert folder.is_dir()
        if self._waits:
            os.kill(os.getpid(), signal.SIGTERM)
            async with asyncio.timeout(90):
                await stop.wait()
        screen.close(self._result)
        return self._result


def play(monkeypatch: pytest.MonkeyPatch, fake: FakeDemo, **given: object) -> int:
    """Run the command with this demo, and leave the log as it was."""
    monkeypatch.setattr(demo, "run_demo", fake.run)
    monkeypatch.setattr(demo, "configure_logging", lambda **_: logging.getLogger())
    return demo.run(argparse.Namespace(**{**ARGUMENTS, **given}))


@pytest.mark.parametrize(("lost", "code"), [(0, exit_codes.OK), (1, exit_codes.FAILURE)])
def test_a_demo_that_loses_anything_fails(monkeypatch: pytest.MonkeyPatch, lost: int, code: int) -> None:
    assert play(monkeypatch, FakeDemo(lost=lost)) == code


def test_it_runs_as_it_was_asked_to_in_a_folder_that_is_gone_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeDemo()
    play(monkeypatch, fake, rate=3.0, count=5, forever=True)
    assert fake.asked == {"rate": 3.0, "count": 5, "forever": True, "page": None}
    assert fake.folder.name.startswith("forwarder-demo-")
    assert not fake.folder.exists()


@pytest.mark.parametrize(("columns", "longest"), [("80", 80), ("", 100)])
def test_in_a_file_it_has_the_width_of_columns(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], columns: str, longest: int
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    play(monkeypatch, FakeDemo())
    assert max(map(len, capsys.readouterr().out.splitlines())) == longest


def test_a_signal_stops_it_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    assert play(monkeypatch, FakeDemo(waits=True)) == exit_codes.OK


def test_the_picture_has_what_was_shown_and_loads_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "demo.svg"
    play(monkeypatch, FakeDemo(), svg=picture)
    shown = picture.read_text(encoding="utf-8")
    assert "forwarder&#160;demo" in shown or "forwarder demo" in shown
    assert "what&#160;happened" in shown
    assert "@font-face" not in shown
    assert "url(http" not in shown
    assert "what happened" in capsys.readouterr().out


def test_without_a_rate_it_plays_14_events_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeDemo()
    play(monkeypatch, fake)
    assert fake.asked == {"rate": 14.0, "count": None, "forever": False, "page": None}


def test_live_it_runs_on_the_public_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeDemo()
    monkeypatch.setattr(demo, "run_live_demo", fake.run)
    assert play(monkeypatch, fake, live=True, count=5, parser=None) == exit_codes.OK
    assert fake.asked == {"url": "https://scrape.st/stream", "count": 5, "page": None}


async def test_options_that_do_not_go_with_live_are_refused() -> None:
    for options, said in (
        (["--rate", "5"], "--rate and --forever do not go with --live"),
        (["--forever"], "--rate and --forever do not go with --live"),
        (["--url", "wss://scrape.st/ws"], "argument --url: expected https://"),
    ):
        code, _, err = await command("demo", "--live", *options)
        assert (code, said in err) == (2, True)


async def test_a_stream_that_is_not_there_is_reported() -> None:
    code, _, err = await command("demo", "--live", "--url", "http://127.0.0.1:1/stream")
    assert code == exit_codes.FAILURE
    assert err.startswith("forwarder demo: 127.0.0.1 port 1 refuses the connection")
