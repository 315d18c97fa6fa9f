"""Who is at the other end of a socket."""

import os
import socket
from pathlib import Path

from forwarder.control.peer import Peer, peer_of, trusted_users
from tests.support.users import as_root


def test_it_is_the_process_that_made_the_other_end() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert peer_of(ours) == Peer(os.getpid(), os.geteuid(), os.getegid())


@as_root
def test_the_daemon_may_be_of_root_of_this_user_or_of_the_owner_of_the_outbox(tmp_path: Path) -> None:
    state, run = tmp_path / "state", tmp_path / "run"
    state.mkdir()
    run.mkdir()
    outbox, path = state / "outbox.db", run / "control.sock"
    outbox.touch()
    assert trusted_users(path, outbox) == trusted_users(path, None) == {0}
    os.chown(outbox, 1, 1)
    assert trusted_users(path, outbox) == {0, 1}
    os.chown(state, 2, 2)
    os.chown(run, 3, 3)
    assert trusted_users(path, outbox) == {0, 1}
    outbox.unlink()  # or this user may not look at it
    assert trusted_users(path, outbox) == {0, 2}
    assert trusted_users(path, tmp_path / "none" / "outbox.db") == trusted_users(path, None) == {0, 3}


@as_root
def test_an_owner_of_what_every_user_may_have_made_there_is_not_trusted(tmp_path: Path) -> None:
    outbox = tmp_path / "outbox.db"
    outbox.touch()
    os.chown(outbox, 1, 1)
    tmp_path.chmod(0o1777)
    assert trusted_users(tmp_path / "outbox.db.sock", outbox) == {0}


def test_a_user_trusts_own_processes(tmp_path: Path) -> None:
    assert os.geteuid() in trusted_users(tmp_path / "none" / "socket", None)
