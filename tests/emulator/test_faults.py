"""Whom a refusal of the emulator concerns, and when it ends."""

import json
import time

import pytest

from forwarder.emulator.faults import HandshakeRefusal


@pytest.mark.parametrize(
    ("path", "refused", "served"),
    [
        (None, ["/ws", "/stream", "/track/x"], []),
        ("/ws", ["/ws"], ["/stream", "/stream/token"]),
        ("/stream", ["/stream"], ["/stream/token"]),
        ("/account/history", ["/account/history/cl1"], ["/track/x"]),
    ],
)
def test_it_concerns_the_path_that_it_names_or_all(path: str | None, refused: list[str], served: list[str]) -> None:
    refusal = HandshakeRefusal(status=503, path=path)
    assert all(map(refusal.is_for, refused))
    assert not any(map(refusal.is_for, served))


def test_it_ends_by_time_or_by_number_or_not_at_all() -> None:
    now = time.monotonic()
    assert not HandshakeRefusal(status=503).is_over()
    assert not HandshakeRefusal(status=503, until=now + 60, left=1).is_over()
    assert HandshakeRefusal(status=503, until=now - 1).is_over()
    assert HandshakeRefusal(status=503, left=0).is_over()


def test_a_rate_limit_says_how_long_to_wait_in_the_header_and_in_the_body() -> None:
    response = HandshakeRefusal(status=429).response()
    assert response.headers["Retry-After"] == "60"
    assert isinstance(response.body, bytes)
    assert json.loads(response.body)["retry_after"] == 60
