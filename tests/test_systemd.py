"""What the service manager is sent, over a notify socket of our own."""

import signal
import socket
from pathlib import Path

import pytest

from forwarder.systemd import ServiceManager
from tests.support.process import forwarder, write_config


def listen(path: Path) -> socket.socket:
    unix = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    unix.bind(str(path))
    unix.settimeout(10)
    return unix


async def test_the_daemon_is_ready_once_its_first_connection_was_tried_reloads_and_stops(tmp_path: Path) -> None:
    config = write_config(tmp_path, stream="ws://127.0.0.1:9/ws", destinations={"bot": "http://127.0.0.1:9/"})
    with listen(tmp_path / "notify") as unix:
        env = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "200000"}
        async with forwarder(config, env=env) as daemon:
            await daemon.wait_for("daemon.ready")
            await daemon.wait_for("stream.unavailable")
            daemon.send(signal.SIGHUP)
            await daemon.wait_for("reload.unchanged")
            daemon.send(signal.SIGTERM)
            assert await daemon.ended() == 0
        unix.setblocking(False)
        heard: list[str] = []
        while True:
            try:
                heard.append(unix.recv(4096).decode())
            except BlockingIOError:
                break
    states = [message.split("\n")[0] for message in heard]
    assert states.index("READY=1") < states.index("RELOADING=1") < states.index("STOPPING=1")
    assert "MONOTONIC_USEC=" in heard[states.index("RELOADING=1")]


@pytest.mark.parametrize("environment", [{}, {"NOTIFY_SOCKET": "/nowhere/at/all"}])
def test_without_a_service_manager_nothing_happens(environment: dict[str, str]) -> None:
    manager = ServiceManager(environment)
    manager.ready("status")
    manager.watchdog()
    assert manager.watchdog_interval is None
