"""What `forwarder check` says of a config that does not go together with the service that it is for."""

import os
import re
from datetime import timedelta
from pathlib import Path

import pytest

from forwarder.cli import main
from forwarder.cli.unit import SHIPPED_STOP, read_span
from tests.support.paths import ROOT
from tests.support.process import write_config


@pytest.fixture
def systemctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a `systemctl` that is found first; it says that there is no systemd."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "systemctl"
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return program


def said_of(folder: Path, extra: str, capsys: pytest.CaptureFixture[str]) -> str:
    config = write_config(
        folder, stream="ws://127.0.0.1:9/ws", destinations={"bot": "http://127.0.0.1:9/"}, extra=extra
    )
    assert main(["check", "-c", str(config)]) == 0
    return capsys.readouterr().err


@pytest.mark.parametrize(("grace", "is_warned"), [("10s", False), ("25s", False), ("26s", True), ("2m", True)])
def test_a_grace_period_is_shorter_than_the_stop_time_of_the_unit_that_comes_with_forwarder(
    tmp_path: Path, systemctl: Path, capsys: pytest.CaptureFixture[str], grace: str, is_warned: bool
) -> None:
    said = said_of(tmp_path, f"grace_period: {grace}\n", capsys)
    assert (": grace_period" in said and "TimeoutStopSec=" in said) is is_warned, said


@pytest.mark.parametrize(
    ("shown", "is_warned"),
    [
        ("LoadState=loaded\nTimeoutStopUSec=1min 30s\n", False),
        ("LoadState=loaded\nTimeoutStopUSec=infinity\n", False),
        ("LoadState=loaded\nTimeoutStopUSec=45s\n", True),
        ("LoadState=not-found\nTimeoutStopUSec=1min 30s\n", True),
        ("LoadState=loaded\n", True),
    ],
)
def test_it_is_that_of_the_service_of_this_machine_where_there_is_one(
    tmp_path: Path, systemctl: Path, capsys: pytest.CaptureFixture[str], shown: str, is_warned: bool
) -> None:
    systemctl.write_text(f"#!/bin/sh\nprintf '{shown}'\n")
    said = said_of(tmp_path, "grace_period: 1m\n", capsys)
    assert ("TimeoutStopSec=65" in said) is is_warned, said


def test_the_stop_time_of_the_shipped_unit_is_known() -> None:
    unit = (ROOT / "systemd" / "forwarder.service").read_text(encoding="utf-8")
    (stop,) = re.findall(r"^TimeoutStopSec=(\d+)$", unit, flags=re.MULTILINE)
    assert timedelta(seconds=int(stop)) == SHIPPED_STOP


def test_a_group_that_this_machine_does_not_have_is_reported(
    tmp_path: Path, systemctl: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert 'no group "nosuchgroup"' in said_of(tmp_path, "admin: {group: nosuchgroup}\n", capsys)
    assert "no group" not in said_of(tmp_path, "admin: {group: root}\n", capsys)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30s", 30), ("1min 30s", 90), ("500ms", 0.5), ("1h 2min", 3720), ("1w 1d", 691_200), ("", None), ("soon", None)],
)
def test_a_span_is_read_as_systemctl_prints_it(text: str, seconds: float | None) -> None:
    assert read_span(text) == (None if seconds is None else timedelta(seconds=seconds))
