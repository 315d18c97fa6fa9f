"""Who is at the other end of a control socket, as the kernel says."""

import os
import select
import socket
import stat
import struct
from pathlib import Path
from typing import NamedTuple

_UCRED = struct.Struct("3i")


class Peer(NamedTuple):
    """The process that a Unix socket is connected to, as it was when it connected or listened."""

    pid: int
    """0 if it is in another container."""
    uid: int
    gid: int


def peer_of(connection: socket.socket) -> Peer:
    """Return the process at the other end."""
    return Peer(*_UCRED.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)))


def has_gone(descriptor: int) -> bool:
    """Return whether the other end has closed the connection. One that only ends its own side still reads."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return any(event & select.POLLHUP for _, event in poll.poll(0))


def trusted_users(socket_path: Path, outbox: Path | None) -> set[int]:
    """Return the users whose processes may be the daemon of an outbox: root, this user, and the owner of the outbox.

    Who cannot look at the outbox takes the owner of its folder, or of the folder of the socket: only the owner decides what is in it. An
    owner does not count in a folder in which every user may make files.
    """
    trusted = {0, os.geteuid()}
    for place in (*((outbox, outbox.parent) if outbox is not None else ()), socket_path.parent):
        try:
            owner, folder = place.stat().st_uid, place.parent.stat()
        except OSError:
            continue
        return trusted if folder.st_mode & stat.S_IWOTH else trusted | {owner}
    return trusted
