"""A question to a daemon has a time limit, and what is no answer is a sentence."""

import os
import select
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from time import sleep
from typing import cast, get_args

import pytest
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from forwarder.control import client
from forwarder.control.client import Control, control
from forwarder.control.errors import DaemonRefusedError, DaemonSilentError, NoDaemonError
from forwarder.core.commands import Reload, Request, StatusRequest, Watch
from tests.support.users import NOBODY, as_root, shared_folder, started_as

Serve = Callable[[socket.socket], None]


@contextmanager
def server(folder: Path, serve: Serve) -> Iterator[Path]:
    """Listen as a daemon does; `serve` has each connection, in a thread."""
    path = folder / "outbox.db.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(str(path))
        listening.listen()

        def accept() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                threading.Thread(target=safely, args=(connection,), daemon=True).start()

        def safely(connection: socket.socket) -> None:
            with suppress(OSError), connection:
                serve(connection)

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield path
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()


def says_nothing(connection: socket.socket) -> None:
    while connection.recv(1000):
        pass


def says_half(connection: socket.socket) -> None:
    connection.recv(1000)
    connection.sendall(b'{"result": {"pid":')
    says_nothing(connection)


def drips(connection: socket.socket) -> None:
    connection.recv(1000)
    while True:
        connection.sendall(b" ")
        sleep(0.01)


def says_half_and_ends(connection: socket.socket) -> None:
    connection.recv(1000)
    connection.sendall(b'{"result": {"pid":')


def floods(connection: socket.socket) -> None:
    connection.recv(1000)
    while True:
        connection.sendall(b" " * 100_000)


def speaks_otherwise(answer: bytes) -> Serve:
    def serve(connection: socket.socket) -> None:
        connection.recv(1000)
        connection.sendall(answer)

    return serve


@pytest.mark.parametrize("serve", [says_nothing, says_half, drips])
def test_an_answer_has_a_limit_however_it_fails_to_come(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "ANSWER_WITHIN", timedelta(milliseconds=200))
    with server(tmp_path, serve) as path, control(path) as daemon:
        with pytest.raises(DaemonSilentError, match="has not answered within 200ms") as caught:
            daemon.ask(StatusRequest())
        assert str(path) in str(caught.value)
        assert f"process {os.getpid()}" in str(caught.value)


@pytest.mark.parametrize(
    ("serve", "why"),
    [
        (says_half_and_ends, "ended meanwhile"),
        (speaks_otherwise(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "is not a forwarder"),
        (speaks_otherwise(b"[]\n"), "is not a forwarder"),
        (speaks_otherwise(b"{}\n"), "is not a forwarder"),
        (speaks_otherwise(b"[" * 100_000 + b"\n"), "is not a forwarder"),
    ],
)
def test_what_is_no_answer_is_reported_in_a_sentence(serve: Serve, why: str, tmp_path: Path) -> None:
    with server(tmp_path, serve) as path, control(path) as daemon, pytest.raises(NoDaemonError, match=why):
        daemon.ask(StatusRequest())


def test_an_answer_without_end_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_MAX_ANSWER_BYTES", 1_000_000)
    with (
        server(tmp_path, floods) as path,
        control(path) as daemon,
        pytest.raises(NoDaemonError, match="not a forwarder"),
    ):
        daemon.ask(StatusRequest())


def test_a_queue_of_questions_that_is_full_is_a_silent_daemon_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "ANSWER_WITHIN", timedelta(milliseconds=200))
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(str(path))
        listening.listen(0)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as first:
            first.connect(str(path))
            with pytest.raises(DaemonSilentError, match="has not answered"), control(path):
                pass


def test_a_long_question_shows_that_it_lasts_and_ends_soon_where_the_daemon_answers_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "ANSWER_WITHIN", timedelta(milliseconds=200))
    monkeypatch.setattr(client, "_TICK_S", 0.05)
    ticks: list[float] = []
    with server(tmp_path, says_nothing) as path, control(path) as daemon:
        with pytest.raises(DaemonSilentError, match="within 200ms"):
            daemon.ask(Reload(), within=timedelta(minutes=5), waiting=ticks.append)
    assert ticks


@pytest.mark.parametrize("kind", [*get_args(get_args(Request)[0]), Watch])
def test_each_request_ends_soon_where_the_daemon_answers_nothing(
    kind: type[BaseModel], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "ANSWER_WITHIN", timedelta(milliseconds=100))
    monkeypatch.setattr(client, "_TICK_S", 0.02)
    monkeypatch.setattr(client, "_WORK_WITHIN", timedelta(seconds=20))
    has_verb = kind.model_fields["verb"].default is not PydanticUndefined
    request = kind.model_construct() if has_verb else kind.model_construct(None, verb="x")
    with server(tmp_path, says_nothing) as path, control(path) as daemon:
        with pytest.raises(DaemonSilentError, match="within 100ms"):
            daemon.ask(cast("Watch", request))


def test_a_long_question_is_waited_for_while_the_daemon_answers_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "ANSWER_WITHIN", timedelta(milliseconds=100))
    monkeypatch.setattr(client, "_TICK_S", 0.05)
    asked: list[bytes] = []

    def serve(connection: socket.socket) -> None:
        asked.append(question := connection.recv(1000))
        if b"reload" in question:
            while len(asked) < 4:
                sleep(0.01)
        connection.sendall(b'{"result": {"applied": true}}\n')
        says_nothing(connection)

    with server(tmp_path, serve) as path, control(path) as daemon:
        assert daemon.ask(Reload(), within=timedelta(minutes=5), waiting=lambda _: None) == {"applied": True}
        asked[:] = []
        with pytest.raises(
            DaemonSilentError, match="has not finished this, though it responds to other requests, within 300ms"
        ):
            daemon.ask(Reload(), within=timedelta(milliseconds=300), waiting=lambda _: asked.clear())


class Result(BaseModel):
    """An answer with one key."""

    freed: int


@pytest.mark.parametrize("result", [b"{}", b'{"freed": "x"}', b'{"freed": null}', b'{"freed": [1]}'])
def test_a_result_of_another_kind_is_a_sentence_that_names_the_key(result: bytes, tmp_path: Path) -> None:
    serve = speaks_otherwise(b'{"result": ' + result + b"}\n")
    with server(tmp_path, serve) as path, control(path) as daemon:
        with pytest.raises(NoDaemonError, match=r"is of another version \(freed: "):
            daemon.ask_for(Result, StatusRequest())


def test_a_result_of_the_kind_is_a_value(tmp_path: Path) -> None:
    with server(tmp_path, speaks_otherwise(b'{"result": {"freed": 3, "new": 1}}\n')) as path, control(path) as daemon:
        assert daemon.ask_for(Result, StatusRequest()) == Result(freed=3)


@pytest.mark.parametrize("error", [b"5", b"null", b'{"a": 1}', b'["x"]'])
def test_a_refusal_that_is_no_text_is_no_answer(error: bytes, tmp_path: Path) -> None:
    serve = speaks_otherwise(b'{"error": ' + error + b"}\n")
    with (
        server(tmp_path, serve) as path,
        control(path) as daemon,
        pytest.raises(NoDaemonError, match="not a forwarder"),
    ):
        daemon.ask(StatusRequest())


def test_a_refusal_that_comes_before_the_request_is_read_is_a_refusal(tmp_path: Path) -> None:
    def serve(connection: socket.socket) -> None:
        connection.sendall(b'{"error": "not you"}\n')

    with server(tmp_path, serve) as path, control(path) as daemon:
        sleep_until_closed(daemon)
        with pytest.raises(DaemonRefusedError, match="not you"):
            daemon.ask(StatusRequest())


def sleep_until_closed(daemon: Control) -> None:
    poll = select.poll()
    poll.register(daemon._connection.fileno(), select.POLLHUP)
    assert poll.poll(30_000)


FAKE = """
import signal, socket
from pathlib import Path
fake = socket.socket(socket.AF_UNIX)
fake.bind(sys.argv[1])
Path(sys.argv[1]).chmod(0o777)
fake.listen()
print("listens", flush=True)
connection, _ = fake.accept()
print(len(connection.recv(1000)))
"""


@as_root
def test_nothing_is_sent_to_a_process_of_another_user() -> None:
    with shared_folder(mode=0o1777) as folder:
        path, outbox = folder / "outbox.db.sock", folder / "outbox.db"
        with started_as(NOBODY, FAKE, str(path)) as fake:
            assert fake.stdout is not None
            assert fake.stdout.readline() == "listens\n"
            with pytest.raises(NoDaemonError, match=r"belongs to .*user 65534.*nothing was sent to it"):
                with control(path, outbox=outbox):
                    pass
            assert fake.stdout.readline() == "0\n"
