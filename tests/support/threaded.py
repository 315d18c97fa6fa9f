"""A stream server in a thread of its own: it sends while the loop of a test stands still."""

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from forwarder.emulator.connection import reset_on_close
from forwarder.emulator.faults import DropHow
from tests.support.frames import close, frame, switched


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
        connected.sendall(switched(request) if is_websocket else _EVENT_STREAM)
        self.go.wait()
        wrapped = map(frame if is_websocket else _chunk, self._frames)
        connected.sendall(b"".join(wrapped))
        if self._how is DropHow.CLOSE:
            connected.sendall(close(None) if is_websocket else b"0\r\n\r\n")
        if self._how is DropHow.RESET:
            reset_on_close(connected)
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


def _chunk(payload: bytes) -> bytes:
    return b"%x\r\ndata: %b\n\n\r\n" % (len(payload) + 8, payload)
