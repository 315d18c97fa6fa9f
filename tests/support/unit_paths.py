"""The paths of the systemd unit, in a folder of a test."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from forwarder.cli import changer
from forwarder.cli import locations as of_commands
from forwarder.configfile import locations


@dataclass(frozen=True)
class UnitPaths:
    """The files of the unit; the folder of its config exists."""

    config: Path
    outbox: Path
    socket: Path
    file: Path


def use_unit_paths(folder: Path, monkeypatch: pytest.MonkeyPatch) -> UnitPaths:
    """Have this process look for the unit in a folder, and work in another folder there."""
    paths = UnitPaths(
        config=folder / "etc" / "config.yaml",
        outbox=folder / "state" / "outbox.db",
        socket=folder / "run" / "control.sock",
        file=folder / "forwarder.service",
    )
    for name, path in (("UNIT_CONFIG", paths.config), ("UNIT_OUTBOX", paths.outbox), ("UNIT_SOCKET", paths.socket)):
        monkeypatch.setattr(locations, name, path)
        monkeypatch.setattr(of_commands, name, path, raising=False)
        monkeypatch.setattr(changer, name, path, raising=False)
    monkeypatch.setattr(locations, "UNIT_FILES", (paths.file,))
    for name in ("STATE_DIRECTORY", "RUNTIME_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)
    paths.config.parent.mkdir()
    here = folder / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    return paths
