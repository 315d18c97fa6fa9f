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
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from forwarder.configfile import locations
from forwarder.configfile.locations import daemon_socket, socket_path
from forwarder.control import server
from forwarder.control.server import open_control_socket
from forwarder.core.commands import Announce, Diff, Reload, Request, RequestHandover, StatusRequest, Watch
from forwarder.core.config.model.admin import AdminConfig
from tests.support.watching import unwatched

NOBODY = 65534
ASK = """
import socket, sys
asking = socket.socket(socket.AF_UNIX)
asking.connect(sys.argv[1])
try:
    asking.sendall(sys.argv[2].encode() + b"\\n")
except BrokenPipeError:
    pass  # refused before anything was read
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
    async def handle(request: Request, _person: str) -> dict[str, object]:
        return {"asked": type(request).__name__}

    async with open_control_socket(path, handle, open_watch=unwatched, group=group):
        yield


async def ask(path: Path, request: Request | Watch, *, user: int | None = None, groups: tuple[int, ...] = ()) -> str:
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
        assert json.loads(await ask(path, StatusRequest(), user=NOBODY, groups=(1,))) == {
            "result": {"asked": "StatusRequest"}
        }
        assert "Permission" in await ask(path, StatusRequest(), user=NOBODY, groups=(2,))
        assert "result" in await ask(path, StatusRequest())


@as_root
async def test_they_may_not_take_its_place_nor_have_it_read_a_file(folder: Path) -> None:
    path = folder / "control.sock"
    for request in (Announce(pid=1, outbox="/x"), RequestHandover(pid=1), Diff(file="/etc/shadow")):
        async with listening(path, grp.getgrgid(1).gr_name):
            assert "only root and the daemon's own user" in await ask(path, request, user=NOBODY, groups=(1,))
            assert "result" in await ask(path, request)
    async with listening(path, grp.getgrgid(1).gr_name):  # events are not for them
        assert "only root and the daemon's own user" in await ask(path, Watch(), user=NOBODY, groups=(1,))
    async with listening(path, grp.getgrgid(1).gr_name):
        assert "result" in await ask(path, Reload(), user=NOBODY, groups=(1,))


@pytest.mark.parametrize("group", [None, "nosuchgroup"])
async def test_without_a_group_that_there_is_only_the_owner_may_ask(folder: Path, group: str | None) -> None:
    path = folder / "control.sock"
    async with listening(path, group):
        assert path.stat().st_mode & 0o777 == 0o600
        if os.geteuid() == 0:
            path.chmod(0o666)  # as somebody else may have done; the daemon looks for itself
            assert "only root and the daemon's own user" in await ask(path, StatusRequest(), user=NOBODY)
        assert "result" in await ask(path, StatusRequest())


def places(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Have our unit file's places in this folder."""
    for name, path in (
        ("UNIT_CONFIG", "etc/config.yaml"),
        ("UNIT_OUTBOX", "lib/outbox.db"),
        ("UNIT_SOCKET", "run/control.sock"),
    ):
        (folder / path).parent.mkdir()
        monkeypatch.setattr(locations, name, folder / path)
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


class Asker:
    """One connection of a command."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(30)
        self._socket.connect(str(path))
        self._answers = self._socket.makefile("rb")

    def send(self, line: bytes) -> None:
        self._socket.sendall(line)

    def answer(self) -> dict[str, object] | None:
        """Return the next answer; `None` where the connection is closed."""
        line = self._answers.readline()
        answer: dict[str, object] | None = json.loads(line) if line else None
        return answer

    def close(self) -> None:
        self._answers.close()
        self._socket.close()


STATUS = StatusRequest().model_dump_json().encode() + b"\n"


async def test_too_many_connections_are_refused_and_there_is_room_when_one_ends(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_MOST_CONNECTIONS", 3)
    path = folder / "control.sock"

    def ask_often() -> None:
        askers = [Asker(path) for _ in range(3)]
        for each in askers:
            each.send(STATUS)
            assert each.answer() == {"result": {"asked": "StatusRequest"}}
        more = Asker(path)
        assert more.answer() == {"error": "too many commands are connected; try again"}
        assert more.answer() is None
        more.close()
        askers.pop().close()
        for _ in range(100):  # until the server has seen its end
            another = Asker(path)
            with suppress(OSError):
                another.send(STATUS)
                if "result" in (another.answer() or {}):
                    break
            another.close()
        else:
            pytest.fail("there is no room again")
        for each in (*askers, another):
            each.close()

    async with listening(path, None):
        await asyncio.to_thread(ask_often)


async def test_a_client_that_asks_nothing_or_never_ends_its_line_is_not_waited_for(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_IDLE_S", 0.2)
    path = folder / "control.sock"

    def be_idle() -> None:
        for line in (b"", b'{"verb": "status"', STATUS):
            asker = Asker(path)
            asker.send(line)
            if line == STATUS:
                assert asker.answer() == {"result": {"asked": "StatusRequest"}}
            assert asker.answer() is None
            asker.close()

    async with listening(path, None):
        await asyncio.to_thread(be_idle)


async def test_a_line_has_a_limit(folder: Path) -> None:
    path = folder / "control.sock"

    def be_long() -> None:
        asker = Asker(path)
        with suppress(OSError):
            asker.send(b"x" * (20 << 20) + b"\n")
        with suppress(ConnectionResetError):
            assert asker.answer() == {"error": "the request is longer than 4 MiB"}
            assert asker.answer() is None
        asker.close()
        asker = Asker(path)
        asker.send(STATUS)
        assert asker.answer() is not None
        asker.close()

    async with listening(path, None):
        await asyncio.to_thread(be_long)


@as_root
async def test_another_user_is_refused_before_anything_is_read(folder: Path) -> None:
    path = folder / "control.sock"
    said_nothing = ASK.replace('asking.sendall(sys.argv[2].encode() + b"\\n")', "pass")
    async with listening(path, None):
        path.chmod(0o666)
        done = await asyncio.to_thread(
            subprocess.run,
            ["/usr/bin/env", "python3", "-c", said_nothing, str(path)],
            user=NOBODY,
            extra_groups=(),
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
    assert json.loads(done.stdout) == {"error": "only root and the daemon's own user may do that (you are user 65534)"}
