"""A stream server in a thread of its own: it sends while the loop of a test stands still."""

import base64
import hashlib
import socket
import struct
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from forwarder.emulator.faults import DropHow

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class ThreadedServer:
    """Serves one connection: a WebSocket at `/ws`, events at any other path. Sends `frames` at `go`, and ends it as `how` says."""

    def __init__(self, frames: Sequence[bytes], how: DropHow | None) -> None:
        self._frames = frames
        self._how = how
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listening.getsockname()[1]}"
        self.go = threading.Event()
        self.done = threading.Event()
        self._over = threading.Event()

    def run(self) -> None:
        """Serve it."""
        with suppress(OSError):
            connected, _ = self._listening.accept()
            with connected:
                self._serve(connected)

    def _serve(self, connected: socket.socket) -> None:
        request = b""
        while b"\r\n\r\n" not in request:
            request += connected.recv(65536)
        is_websocket = request.startswith(b"GET /ws")
        connected.sendall(_upgrade(request) if is_websocket else _EVENT_STREAM)
        self.go.wait()
        wrapped = map(_text_frame if is_websocket else _chunk, self._frames)
        connected.sendall(b"".join(wrapped))
        if self._how is DropHow.CLOSE:
            connected.sendall(b"\x88\x00" if is_websocket else b"0\r\n\r\n")
        if self._how is DropHow.RESET:
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if self._how is not None:
            connected.close()
        self.done.set()
        if self._how is None:
            self._over.wait()

    def close(self) -> None:
        """Serve nobody."""
        self.go.set()
        self._over.set()
        self._listening.close()


@contextmanager
def threaded_server(frames: Sequence[bytes], how: DropHow | None = None) -> Iterator[ThreadedServer]:
    """Have it run for the length of the block."""
    server = ThreadedServer(frames, how)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield server
    finally:
        server.close()
        thread.join()


_EVENT_STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def _upgrade(request: bytes) -> bytes:
    (key,) = (line[19:] for line in request.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key: "))
    accept = base64.b64encode(hashlib.sha1(key + _GUID, usedforsecurity=False).digest())
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: %b\r\n\r\n" % accept
    )


def _text_frame(payload: bytes) -> bytes:
    size = len(payload)
    return (bytes([0x81, size]) if size < 126 else b"\x81\x7e" + size.to_bytes(2, "big")) + payload


def _chunk(payload: bytes) -> bytes:
    return b"%x\r\ndata: %b\n\n\r\n" % (len(payload) + 8, payload)
