"""Sockets whose path is longer than an address may be."""

import socket
from pathlib import Path

import pytest

from forwarder.control.socket_path import reachable


@pytest.mark.parametrize("folders", [1, 4])
def test_a_socket_is_reached_by_its_path_however_long_that_is(tmp_path: Path, folders: int) -> None:
    folder = tmp_path.joinpath(*["x" * 60] * folders)
    folder.mkdir(parents=True)
    path = folder / "control.sock"
    with socket.socket(socket.AF_UNIX) as listening, socket.socket(socket.AF_UNIX) as connecting:
        with reachable(path) as address:
            assert len(address) <= 107
            listening.bind(address)
        assert path.is_socket()
        listening.listen()
        with reachable(path) as address:
            connecting.connect(address)


def test_a_path_that_fits_is_its_own_address() -> None:
    with reachable(Path("/run/forwarder.sock")) as address:
        assert address == "/run/forwarder.sock"
