"""Who may use the control socket, and where it is found."""

import asyncio
import grp
import json
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from forwarder.admin.server import open_control_socket
from forwarder.cli import config_file
from forwarder.cli.config_file import daemon_socket, socket_path
from forwarder.core.changes import Announce, Diff, HandOver, Reload, Request, Status
from forwarder.core.config.model import AdminConfig

NOBODY = 65534
ASK = """
import socket, sys
asking = socket.socket(socket.AF_UNIX)
asking.connect(sys.argv[1])
asking.sendall(sys.argv[2].encode() + b"\\n")
print(asking.makefile().readline())
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """Give a folder that every user can enter."""
    made = Path(tempfile.mkdtemp())
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@asynccontextmanager
async def listening(path: Path, group: str | None) -> AsyncIterator[None]:
    async def handle(request: Request) -> dict[str, object]:
        return {"asked": type(request).__name__}

    async with open_control_socket(path, handle, group=group):
        yield


async def ask(path: Path, request: Request, *, user: int | None = None, groups: tuple[int, ...] = ()) -> str:
    """Return the answer that a process of that user and of those groups gets, or why it cannot ask."""

    def run() -> str:
        done = subprocess.run(
            ["/usr/bin/env", "python3", "-c", ASK, str(path), request.model_dump_json()],
            user=user,
            group=user,
            extra_groups=None if user is None else groups,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout or done.stderr

    return await asyncio.to_thread(run)


as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be another user")


@as_root
async def test_the_members_of_the_group_may_ask_and_nobody_else(folder: Path) -> None:
    path, group = folder / "control.sock", grp.getgrgid(1)
    async with listening(path, group.gr_name):
        assert (path.stat().st_mode & 0o777, path.stat().st_gid) == (0o660, 1)
        assert json.loads(await ask(path, Status(), user=NOBODY, groups=(1,))) == {"result": {"asked": "Status"}}
        assert "Permission" in await ask(path, Status(), user=NOBODY, groups=(2,))
        assert "result" in await ask(path, Status())


@as_root
async def test_they_may_not_take_its_place_nor_have_it_read_a_file(folder: Path) -> None:
    path = folder / "control.sock"
    for request in (Announce(pid=1, outbox="/x"), HandOver(pid=1), Diff(file="/etc/shadow")):
        async with listening(path, grp.getgrgid(1).gr_name):
            assert "only root and the daemon's own user" in await ask(path, request, user=NOBODY, groups=(1,))
            assert "result" in await ask(path, request)
    async with listening(path, grp.getgrgid(1).gr_name):
        assert "result" in await ask(path, Reload(), user=NOBODY, groups=(1,))


@pytest.mark.parametrize("group", [None, "nosuchgroup"])
async def test_without_a_group_that_there_is_only_the_owner_may_ask(folder: Path, group: str | None) -> None:
    path = folder / "control.sock"
    async with listening(path, group):
        assert path.stat().st_mode & 0o777 == 0o600
        if os.geteuid() == 0:
            path.chmod(0o666)  # as somebody else may have done; the daemon looks for itself
            assert "only root and the daemon's own user" in await ask(path, Status(), user=NOBODY)
        assert "result" in await ask(path, Status())


def places(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Have our unit file's places in this folder."""
    for name, path in (
        ("UNIT_CONFIG", "etc/config.yaml"),
        ("UNIT_OUTBOX", "lib/outbox.db"),
        ("UNIT_SOCKET", "run/control.sock"),
    ):
        (folder / path).parent.mkdir()
        monkeypatch.setattr(config_file, name, folder / path)
    monkeypatch.delenv("RUNTIME_DIRECTORY", raising=False)


def test_the_socket_of_the_unit_is_found_by_its_config_or_its_outbox_and_by_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places(monkeypatch, tmp_path)
    admin, unit = AdminConfig(), tmp_path / "run" / "control.sock"
    config, outbox = tmp_path / "etc" / "config.yaml", tmp_path / "lib" / "outbox.db"
    elsewhere = tmp_path / "outbox.db"
    assert daemon_socket(admin, config, outbox) == tmp_path / "lib" / "outbox.db.sock"  # no unit runs it
    with socket.socket(socket.AF_UNIX) as listening_there:
        listening_there.bind(str(unit))
        assert daemon_socket(admin, config, elsewhere) == unit
        assert daemon_socket(admin, tmp_path / "config.yaml", outbox) == unit
        assert daemon_socket(admin, tmp_path / "config.yaml", elsewhere) == tmp_path / "outbox.db.sock"
        named = AdminConfig(socket="mine.sock")
        assert daemon_socket(named, config, outbox) == tmp_path / "etc" / "mine.sock"


def test_a_daemon_of_a_unit_has_its_socket_in_the_runtime_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places(monkeypatch, tmp_path)
    monkeypatch.setenv("RUNTIME_DIRECTORY", "/run/other:/run/more")
    config, outbox = tmp_path / "etc" / "config.yaml", tmp_path / "lib" / "outbox.db"
    assert socket_path(AdminConfig(), config, outbox) == Path("/run/other/control.sock")
    assert socket_path(AdminConfig(socket="mine.sock"), config, outbox) == tmp_path / "etc" / "mine.sock"
    # A command that another service runs has that service's folder in its environment.
    assert daemon_socket(AdminConfig(), config, outbox) == tmp_path / "lib" / "outbox.db.sock"
