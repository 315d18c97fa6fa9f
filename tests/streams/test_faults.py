"""How long a stream is left alone after each end of a connection: code, words, and how long it worked."""

from datetime import timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarder.core.streams.reconnect_policy import ReconnectPolicy, WaitKind
from forwarder.streams.faults import FaultKind, from_close, from_status
from tests.core.streams.test_close_reason import ROWS, WORDS

QUARTER_OF_AN_HOUR = 900.0
HOUR, LONG, SHORT = 3600.0, 1800.0, 5.0
AT_ONCE = (FaultKind.CLOSED, 0.0)
REPLACED = (FaultKind.REPLACED, 60.0)
RATE_LIMITED = (FaultKind.RATE_LIMITED, 10.0)
CODES = st.one_of(st.none(), st.sampled_from([0, 1000, 1001, 1005, 1006, 1008, 1011, 1013, 4001, 4401, 4403, 4409, 4429]), st.integers(0, 5000))  # fmt: skip


def after(
    pace: ReconnectPolicy, code: int | None, reason: str, lasted_s: float, *, has_brought: bool
) -> tuple[FaultKind, float]:
    fault = from_close(code, reason, opened_for=timedelta(seconds=lasted_s), heard_anything=has_brought)
    wait_s = pace.wait_s(fault.wait_kind, now_s=0.0, lasted_s=lasted_s, was_useful=has_brought)
    return fault.kind, max(wait_s, fault.minimum_wait.total_seconds())


@pytest.mark.parametrize(
    ("code", "reason", "lasted_s", "expected"),
    [
        *((code, "connection time limit reached", LONG, AT_ONCE) for code in (1000, 1001, 1008, 1011, 1013, 4001, 4008)),
        *((code, "", LONG, AT_ONCE) for code in (None, 1000, 1001, 1006, 1008, 1012, 1013, 4001, 4008, 4401, 4403)),
        *((code, "", SHORT, AT_ONCE) for code in (1008, 4001, 4401, 4403)),
        *((code, "server restarting, another instance will take over", LONG, AT_ONCE) for code in (1001, 1008, 1012)),
        (1001, "memory limit exceeded", LONG, AT_ONCE),
        (1011, "too many errors upstream", LONG, AT_ONCE),
        (1008, "invalid api key", LONG, AT_ONCE),  # the next handshake says so, if it is true
        (4001, "session expired", LONG, AT_ONCE),
        *((code, "Rate limited.", LONG, RATE_LIMITED) for code in (1000, 1008, 1013, 4008, 4403)),
        (4429, "", LONG, RATE_LIMITED),
        *((code, "replaced by another connection", LONG, REPLACED) for code in (1000, 1001, 1008, 4001, 4008, 4999)),
        (1001, "too many connections", LONG, RATE_LIMITED),
        (1008, "too many connections for this key", LONG, REPLACED),
        (1013, "too many connections on this node, please reconnect", LONG, AT_ONCE),
        (1012, "stream replaced by new deployment", LONG, AT_ONCE),
        (4409, "", LONG, REPLACED),
        (4409, "connection time limit reached", LONG, REPLACED),
    ],
)  # fmt: skip
def test_a_connection_that_worked_is_made_again_at_once_unless_words_speak_of_another_one_or_of_a_rate(
    code: int | None, reason: str, lasted_s: float, expected: tuple[FaultKind, float]
) -> None:
    assert after(ReconnectPolicy(lambda: 1.0), code, reason, lasted_s, has_brought=True) == expected


@pytest.mark.parametrize("code", [1008, 4001, 4401, 4403])
def test_policy_codes_right_after_the_opening_mean_the_key_unless_words_say_something_else(code: int) -> None:
    def kind(reason: str, opened_for_s: float) -> tuple[FaultKind, bool]:
        fault = from_close(code, reason, opened_for=timedelta(seconds=opened_for_s), heard_anything=False)
        return fault.kind, fault.may_be_key

    assert kind("", 0.1) == (FaultKind.KEY_REFUSED, False)
    assert kind("invalid key", 0.1) == (FaultKind.KEY_REFUSED, False)
    assert kind("server restarting", 0.1) == (FaultKind.CLOSED, False)
    assert kind("Rate limited.", 0.1) == (FaultKind.RATE_LIMITED, False)
    assert kind("", 5) == (
        FaultKind.CLOSED,
        True,
    )  # it has brought nothing: three of these in a row are reported as a wrong key
    assert kind("", 60) == (FaultKind.CLOSED, False)


@pytest.mark.parametrize("lasted_s", [0.01, SHORT, LONG, HOUR])
def test_no_sentence_said_again_and_again_silences_a_stream(lasted_s: float) -> None:
    for code, (reason, _) in product((1001, 1008, 4409), ROWS):
        pace = ReconnectPolicy(lambda: 1.0)
        waits = [after(pace, code, reason, lasted_s, has_brought=lasted_s > 1)[1] for _ in range(50)]
        assert max(waits) <= QUARTER_OF_AN_HOUR


@given(
    st.lists(
        st.tuples(CODES, st.one_of(st.text(max_size=123), WORDS), st.floats(0, 2 * HOUR), st.booleans()),
        min_size=1,
        max_size=30,
    )
)
def test_no_close_frames_whatsoever_silence_a_stream_for_more_than_a_quarter_of_an_hour(
    ends: list[tuple[int | None, str, float, bool]],
) -> None:
    pace = ReconnectPolicy(lambda: 1.0)
    for code, reason, lasted_s, has_brought in ends:
        _, wait_s = after(pace, code, reason, lasted_s, has_brought=has_brought)
        assert 0 <= wait_s <= QUARTER_OF_AN_HOUR


RETRY_AFTERS = ["86400", "1e300", "99999999999", "301", "Fri, 31 Dec 2099 23:59:59 GMT", "Fri, 31 Dec 9999 23:59:59 GMT"]  # fmt: skip


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504, 599, 999])
@pytest.mark.parametrize("retry_after", RETRY_AFTERS)
def test_a_retry_after_of_hours_is_followed_for_five_minutes(status: int, retry_after: str) -> None:
    fault = from_status(status, {"Retry-After": retry_after}, wanted="x")
    assert (fault.kind, fault.wait_kind, fault.minimum_wait) == (FaultKind.BUSY, WaitKind.SERVER, timedelta(minutes=5))


def test_a_429_is_a_rate_limit_and_a_5xx_a_server_that_is_busy_or_broken() -> None:
    assert from_status(429, {}, wanted="x").sentence == "the server's rate limit is reached (HTTP 429)"
    assert from_status(503, {}, wanted="x").sentence == "the server is busy or broken (HTTP 503)"


@given(st.integers(100, 999), st.text(max_size=40), st.binary(max_size=60))
def test_no_answer_to_a_handshake_asks_for_more_than_five_minutes(status: int, retry_after: str, body: bytes) -> None:
    for headers, said in (
        ({"Retry-After": retry_after}, body),
        ({}, body),
        ({}, b'{"retry_after": %d}' % (status * 10**6)),
    ):
        assert from_status(status, headers, said, wanted="x").minimum_wait <= timedelta(minutes=5)


PAGE = {"Content-Type": "text/html; charset=UTF-8"}


@pytest.mark.parametrize(
    ("headers", "whose"),
    [
        (PAGE, "a firewall in front of it"),
        (PAGE | {"Server": "cloudflare"}, "a firewall of Cloudflare in front of it"),
        (PAGE | {"CF-RAY": "1-FRA"}, "a firewall of Cloudflare in front of it"),
        ({"Content-Type": "APPLICATION/XHTML+XML"}, "a firewall in front of it"),
    ],
)
def test_a_web_page_with_403_is_that_of_a_firewall_and_does_not_blame_the_key(
    headers: dict[str, str], whose: str
) -> None:
    fault = from_status(403, headers, wanted="x")
    assert (fault.kind, fault.wait_kind) == (FaultKind.BLOCKED, WaitKind.SERVER)
    assert fault.sentence.startswith(
        f"a web page came (HTTP 403) instead of an answer of the server: most likely {whose} blocks"
    )
    assert "the API key is not the cause" in fault.sentence
    assert "check api_key" not in fault.sentence


@pytest.mark.parametrize(
    ("status", "headers"),
    [(401, PAGE), (403, {}), (403, {"Content-Type": "application/json"}), (403, {"Content-Type": "text/plain"})],
)
def test_an_api_that_refuses_a_key_is_still_believed(status: int, headers: dict[str, str]) -> None:
    assert from_status(status, headers, wanted="x").kind is FaultKind.KEY_REFUSED
