"""The process stands still while an attempt is under way: an answer that came meanwhile counts."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from forwarder.core.delivery import Answered, Fault, Unanswered
from forwarder.destinations import pool
from tests.support.raw import REQUEST, sender_to

TIMEOUT_S = 0.4


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "LATE_S", 0.2)
    monkeypatch.setattr(pool, "_READING_S", 0.5)


@contextmanager
def answering(said: bytes, asked: threading.Event) -> Iterator[str]:
    """Answer one request from another thread."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        over = threading.Event()

        def serve() -> None:
            connected, _ = listening.accept()
            with connected:
                connected.recv(65536)
                asked.set()
                connected.sendall(said)
                over.wait()

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
        over.set()
        thread.join()


async def until_sent_then_stand_still(asked: threading.Event) -> None:
    await asyncio.to_thread(asked.wait)
    time.sleep(3 * TIMEOUT_S)  # noqa: ASYNC251 - the standstill


async def test_an_answer_that_came_while_the_process_stood_still_counts() -> None:
    asked = threading.Event()
    with answering(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", asked) as url:
        async with sender_to(url, timeout=TIMEOUT_S) as sender:
            outcome, _ = await asyncio.gather(sender.send(REQUEST), until_sent_then_stand_still(asked))
    assert outcome == Answered(status=200)


async def test_a_receiver_that_has_not_answered_by_then_is_late() -> None:
    asked = threading.Event()
    with answering(b"", asked) as url:
        async with sender_to(url, timeout=TIMEOUT_S) as sender:
            outcome, _ = await asyncio.gather(sender.send(REQUEST), until_sent_then_stand_still(asked))
    assert isinstance(outcome, Unanswered)
    assert outcome.fault is Fault.TIMEOUT
