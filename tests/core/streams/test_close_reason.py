"""What close frames mean: many sentences, each with the one reading that loses least."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarder.core.streams.close_reason import CloseMeaning, close_meaning

REPLACED, RATE_LIMITED, ROUTINE, NOTHING = CloseMeaning

SENTENCES = {
    REPLACED: [
        "Replaced by a new connection",
        "ConnectionReplaced",
        "SESSION_REPLACED",
        "connection superseded by newer login",
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
        "already connected",
        "API key already in use",
        "another client connected from another host",
        "closed by server: another client connected",
        "logged in from another computer",
        "key in use elsewhere",
        "used by another process with the same key",
        "new client instance connected",
        # A count of connections that is said to be one of a key, an account or a user.
        "too many concurrent streams for this key",
        "only one connection per key is allowed",
        "maximum 100 streams per user",
        "you have too many connections",
        "too many connections for your account on this server",
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
        # Of a key, or of the server: it is not said.
        "too many connections",
        "TooManyConnections",
        "FATAL: sorry, too many clients already",
        "maximum number of connections reached",
        "max connections reached",
        "connections limit reached",
        "concurrent connection limit exceeded",
        "too many connections, do not reconnect",
        "max 10 connections per user per minute",
        "connection limit reached, retry after 30 seconds",
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
        "upstream rate limited us",
        "internal: throttled upstream",
        "flooding in data center",
        "message limit: frame too large",
        "message size limit exceeded",
        # What counts connections of the server, and not of a key.
        "too many connections on this node, please reconnect",
        "server has too many connections",
        "max connections on this instance reached",
        "maximum number of clients on this server reached; reconnect to another server",
        "maximum connections per worker reached",
        "load shedding: too many connections",
        "too many user sessions on this node",
        # What replaced the connection is a part of the server, or what was replaced is one.
        "stream replaced by new deployment",
        "connection superseded by newer deployment",
        "connection taken over by another worker",
        "connection was taken over by another node",
        "session was replaced by a new server process",
        "upstream connection replaced",
        "Backend connection replaced",
        "the database connection was replaced",
        "new database connection established",
        "server opened new stream",
        "new connection opened by proxy",
        "second connection attempt to the database failed",
        "connection replaced after 3600 s",
        "connection in use too long",
        "token in use expired",
        "daily maintenance, once per day",
        "rolling restart, one node per minute",
        "server restarts 1 per hour",
        "connection limit exceeded: 3600 seconds",
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
        "API key in use",
        "new stream format",
        "new user agreement",
        "newer client available",
        "upgrade to newer client",
        "another session error",
        "write conflict on session",
        "stream conflict in cluster",
        "duplicate session id generated",
        "user replaced key",
        "account replaced",
        "no other connection found",
        "one connection per message",
        "connection is closed once per hour",
        "verbunden an anderer Stelle",
    ],
}
ROWS = [(sentence, meaning) for meaning, sentences in SENTENCES.items() for sentence in sentences]
IN_DOUBT = [
    "replaced",
    "superseded",
    "new session",
    "another connection",
    "session conflict",
    "single connection only",
    "new connection from 192.0.2.7",
]
"""They speak of another one, unless the code speaks of the server."""
CODES_OF_THE_SERVER = [1001, 1012, 1013, 1014]
CODES = [1000, 1001, 1008, 1011, 1012, 1013, 1014, 4001, 4008, 4403]
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


@pytest.mark.parametrize("reason", IN_DOUBT)
def test_words_in_doubt_mean_another_connection_unless_the_code_speaks_of_the_server(reason: str) -> None:
    for code in CODES:
        assert close_meaning(code, reason) is (ROUTINE if code in CODES_OF_THE_SERVER else REPLACED)


@given(st.one_of(st.text(max_size=123), WORDS))
def test_4409_means_replaced_whatever_is_said_beside_it_and_4429_a_rate_limit_unless_words_say_otherwise(
    reason: str,
) -> None:
    assert close_meaning(4409, reason) is REPLACED
    meaning = close_meaning(1000, reason)
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


@pytest.mark.parametrize("reason", ["", "server restart", "rate limited"])
def test_4409_means_replaced_whatever_the_reason(reason: str) -> None:
    assert close_meaning(4409, reason) is REPLACED


def test_4429_means_a_rate_limit_where_the_reason_says_nothing() -> None:
    assert close_meaning(4429, "") is RATE_LIMITED
    assert close_meaning(1000, "") is NOTHING
    assert close_meaning(4429, "ConnectionReplaced") is REPLACED
