"""What close frames mean: many sentences, each with the one reading that loses least."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarder.core.close_reason import CloseMeaning, close_meaning

REPLACED, RATE_LIMITED, ROUTINE, NOTHING = CloseMeaning

SENTENCES = {
    REPLACED: [
        "replaced",
        "Replaced by a new connection",
        "ConnectionReplaced",
        "SESSION_REPLACED",
        "superseded",
        "connection superseded by newer login",
        "new session",
        "another connection",
        "another client connected",
        "Another client has connected with this key. Do not reconnect",
        "a newer connection was established",
        "closed by newer connection",
        "terminated in favor of a newer connection",
        "dropped due to new connection",
        "kicked by another login",
        "evicted by second connection",
        "session taken over by another client",
        "connection used by another client",
        "session expired because another client connected",
        "logged in elsewhere",
        "You logged in from another location",
        "signed in on another device",
        "opened in another tab",
        "duplicate connection",
        "Duplicate session detected",
        "conflict: terminated by other session",
        "session conflict",
        "already connected",
        "API key already in use",
        # A count of connections is one of others with the same key.
        "too many connections",
        "TooManyConnections",
        "too many concurrent streams for this key",
        "maximum number of connections reached",
        "max connections reached",
        "connections limit reached",
        "concurrent connection limit exceeded",
        "only one connection per key is allowed",
        "single connection only",
    ],
    RATE_LIMITED: [
        "Rate limited.",
        "RATE_LIMIT_EXCEEDED",
        "RateLimited",
        "rate limit exceeded, slow down",
        "too many requests",
        "Too many messages per second",
        "connection rate limit exceeded",
        "too many connection attempts",
        "too many reconnects",
        "10 connections per minute allowed",
        "message limit exceeded",
        "daily limit reached",
        "quota exceeded",
        "throttled",
        "flood control",
        "you are sending too fast",
        # Of time, or of number: it is not said. A short wait is right for both.
        "connection limit exceeded",
        "connection limit reached",
        "session limit",
        "stream limit",
    ],
    ROUTINE: [
        "connection time limit reached",
        "session time limit",
        "Session time limit exceeded, please open a new session",
        "session expired",
        "maximum connection lifetime",
        "maximum connection lifetime reached; open a new connection",
        "max connection age",
        "connection duration limit exceeded",
        "connection too old",
        "24 hour limit reached",
        "limit of 24 hours reached",
        "idle timeout",
        "client timed out",
        "token expired",
        "going away",
        "maintenance",
        "service restart",
        "server restarting, another instance will take over",
        "upgrading server: another node will accept your connection",
        "server shutting down; no new connections",
        "new deployment",
        "node is being replaced",
        "certificate replaced",
        "api key replaced",
        # The server has too little of something, and it is not for us to ask for less.
        "memory limit exceeded",
        "disk quota exceeded",
        "too many errors upstream",
        "server overloaded: too many connections",
        "slow consumer: too many pending messages",
        "internal error",
    ],
    NOTHING: [
        "",
        "bye",
        "limit",
        "limit exceeded",
        "too many",
        "other",
        "policy violation",
        "unauthorized",
        "invalid api key",
        "please reconnect",
        "please open a new connection",
        "use a new connection",
        "session ended: start a new session",
        "not accepting new connections",
        "a new client version is required",
        "new version available",
        "error on other node",
        "duplicate message id",
        "address already in use",
        "replica lag",
        "verbunden an anderer Stelle",
    ],
}
ROWS = [(sentence, meaning) for meaning, sentences in SENTENCES.items() for sentence in sentences]
CODES = [1000, 1001, 1008, 1011, 1012, 1013, 4001, 4008, 4403]
WORDS = st.lists(
    st.sampled_from(sorted({word for sentence, _ in ROWS for word in sentence.split()} | {"limit", "\0", "é", "-", "24h"})),
    max_size=12,
).map(" ".join)  # fmt: skip


@pytest.mark.parametrize(("reason", "meaning"), ROWS)
def test_a_sentence_means_the_same_beside_any_code_and_however_it_is_written(
    reason: str, meaning: CloseMeaning
) -> None:
    for written in (reason, reason.upper() if " " in reason else reason, reason.replace(" ", "_") + "."):
        assert {close_meaning(code, written) for code in CODES} == {meaning}


@given(st.one_of(st.text(max_size=123), WORDS))
def test_4409_means_replaced_whatever_is_said_beside_it_and_4429_a_rate_limit_unless_words_say_otherwise(
    reason: str,
) -> None:
    assert close_meaning(4409, reason) is REPLACED
    meaning = close_meaning(1001, reason)
    assert close_meaning(4429, reason) is (RATE_LIMITED if meaning is NOTHING else meaning)


@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyz limitmany", max_size=123))
def test_no_word_about_another_one_no_replacement(reason: str) -> None:
    speaks_of = (
        "nother",
        "other",
        "new",
        "second",
        "later",
        "latest",
        "different",
        "recent",
        "fresh",
        "duplic",
        "replac",
        "supersed",
    )
    also = (
        "elsewhere",
        "already",
        "in use",
        "taken",
        "displaced",
        "supplant",
        "conflict",
        "many",
        "max",
        "one",
        "single",
        "two",
    )
    more = ("number", "count", "concurrent", "simultaneous", "parallel", "only", "limit", "most", "than")
    if not any(word in reason for word in (*speaks_of, *also, *more)):
        assert close_meaning(1008, reason) is not REPLACED
