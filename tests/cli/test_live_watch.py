"""The connection over which the daemon shows what passes."""

import json
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from forwarder.cli.live_watch import LiveWatch
from forwarder.cli.locations import Places
from forwarder.control.errors import DaemonRefusedError, NoDaemonError
from forwarder.core.commands import Watch

LINE = b'{"event":"lost","lost":1}'


def places(folder: Path) -> Places:
    return Places(
        config=folder / "config.yaml",
        outbox=folder / "outbox.db",
        socket=folder / "outbox.db.sock",
        destinations=frozenset({"bot"}),
    )


@contextmanager
def answering(folder: Path, *answers: Sequence[bytes]) -> Iterator[list[bytes]]:
    """Answer connections one after the other, each with these lines; yield what was asked."""
    asked: list[bytes] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(str(folder / "outbox.db.sock"))
        listening.listen()

        def answer() -> None:
            for lines in answers:
                connection, _ = listening.accept()
                with connection, connection.makefile("rwb") as both:
                    asked.append(both.readline())
                    both.write(b"".join(line + b"\n" for line in lines))

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            yield asked
        finally:
            thread.join(60)
            assert not thread.is_alive()


def test_a_daemon_that_ends_is_waited_for_and_both_is_said(tmp_path: Path) -> None:
    notes: list[str] = []
    result = b'{"result":{}}'
    with answering(
        tmp_path, [result, b'{"event":"alive"}', LINE], [result, LINE, b'{"event":"end"}'], [result, LINE]
    ) as asked:
        watch = LiveWatch(places(tmp_path), Watch(source="x"), notes.append)
        with watch.connected():
            lines = watch.lines()
            assert [next(lines) for _ in range(3)] == [LINE] * 3
    assert json.loads(asked[0])["source"] == "x"
    assert [note.partition(" (")[0].partition(";")[0] for note in notes] == [
        "watching forwarder",
        "the daemon ended",
        "forwarder is back",
        "the daemon ended",
        "forwarder is back",
    ]


def test_a_daemon_that_cannot_be_watched_says_so(tmp_path: Path) -> None:
    with (
        answering(tmp_path, [b'{"error":"this daemon does not understand the request"}']),
        pytest.raises(DaemonRefusedError, match="of an earlier version, which cannot be watched; forwarder upgrade"),
        LiveWatch(places(tmp_path), Watch(), lambda _note: None).connected(),
    ):
        pass


def test_at_the_beginning_a_daemon_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(NoDaemonError), LiveWatch(places(tmp_path), Watch(), lambda _note: None).connected():
        pass
