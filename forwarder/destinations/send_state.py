"""Whether a request has left this machine: asks the transport's buffer and the kernel, also after the transport is closed."""

import asyncio
import errno
import os
import socket
import struct
from contextlib import suppress
from fcntl import ioctl
from termios import TIOCOUTQ

_NOTHING = struct.pack("i", 0)
_UNSUPPORTED = frozenset({errno.ENOTTY, errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS})
"""The errors of a kernel that cannot report its queue."""


class SendState:
    """Knows, for one connection, whether all that was written has been sent, and whether the rest can still arrive."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._socket: socket.socket | None = None
        self._is_unix = False
        self._unsent = bytearray(_NOTHING)
        """Where the kernel writes how many bytes are unsent; that costs half of what new bytes cost."""
        self._duplicate: socket.socket | None = None
        """A second descriptor of the socket, to ask the kernel after the transport has closed its own."""
        self.is_watched = False
        """Whether `stop_watching` has something to release."""
        self._is_cut = False
        """Whether the connection ended with unsent bytes or an error, or was aborted, so that nobody knows what arrived."""

    def opened(self, transport: asyncio.Transport) -> None:
        """Note that the connection is open."""
        self._transport = transport
        self._socket = transport.get_extra_info("socket")
        self._is_unix = self._socket is not None and self._socket.family == socket.AF_UNIX

    def aborted(self) -> None:
        """Note that the connection was aborted, which discards what is unsent."""
        self._is_cut = True

    def closed(self, error: Exception | None) -> None:
        """Note that the transport is closed. An error or an abort has emptied its buffer, so what was in it is lost."""
        transport, self._transport = self._transport, None
        if error is not None or (transport is not None and transport.get_write_buffer_size()):
            self._is_cut = True

    def watch(self) -> None:
        """Keep asking the kernel possible after the transport is closed, until `stop_watching`."""
        if self._transport is not None and self._socket is not None:
            with suppress(OSError):
                self._duplicate = socket.socket(fileno=os.dup(self._socket.fileno()))
                self.is_watched = True

    def stop_watching(self) -> None:
        """Release the second descriptor."""
        if self._duplicate is not None:
            self._duplicate.close()
            self._duplicate = None
            self.is_watched = False

    @property
    def is_draining(self) -> bool:
        """Whether the transport is closed and the kernel still sends what it has."""
        return self._duplicate is not None and not self._is_cut

    def is_sent(self) -> bool:
        """Return whether the transport's buffer and the kernel's are empty. A unix socket's is empty when the receiver has read it."""
        transport = self._transport
        if self._is_cut:
            return False
        if transport is not None and (transport.is_closing() or transport.get_write_buffer_size()):
            return False  # how a closing transport ends is known in `closed`
        sock = self._duplicate if transport is None else self._socket
        if sock is None:
            return False
        try:
            ioctl(sock.fileno(), TIOCOUTQ, self._unsent)
            is_empty = self._unsent == _NOTHING
            if is_empty and self._is_unix and sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                self._is_cut = True  # the receiver closed the socket, which discards what it had not read
        except ValueError:  # the socket is closed
            return False
        except OSError as error:  # a kernel that cannot report its queue must not stop all deliveries
            return error.errno in _UNSUPPORTED
        return is_empty and not self._is_cut

    def is_broken(self) -> bool:
        """Return whether what is unsent will never arrive, because the receiver has reset the connection."""
        return self._is_cut or (
            self._transport is None
            and (self._duplicate is None or self._duplicate.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0)
        )
