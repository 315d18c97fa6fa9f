"""What a receiver asks for: in headers, in the body of a 429, in words that are none."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarder.core.destinations.response_hints import parse_retry_after, read_response_hints

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7),
        (" 1.5 ", 1.5),
        ("0", 0),
        ("Thu, 01 Jan 2026 12:00:30 GMT", 30),
        ("Thu, 01 Jan 2026 11:00:00 GMT", 0),
        ("Thu, 01 Jan 2026 12:00:30", 30),
        ("-1", None),
        ("soon", None),
        ("", None),
        ("nan", None),
        ("inf", None),
        ("1e400", None),
        ("Mon, 01 Jan 99999999999999999999 00:00:00 GMT", None),
        ("Mon, 01 Jan 2026 99999999999999999999:00:00 GMT", None),
        ("Mon, 01 Jan 2026 00:00:00 +99999999999999999999", None),
        (
            "Fri, 31 Dec 9999 23:59:59 -2300",
            366 * 86_400,
        ),
    ],
)
def test_retry_after_is_seconds_or_a_date(text: str, seconds: float | None) -> None:
    found = parse_retry_after(text, now=NOW)
    assert found == (None if seconds is None else timedelta(seconds=seconds))


_NUMBER = st.integers().map(str)
_DATE = st.builds(
    "{}, {} {} {} {}:{}:{} {}".format, st.text(), _NUMBER, st.sampled_from(["Jan", "Dec"]), *[_NUMBER] * 4, st.text()
)


@given(st.text() | _NUMBER | _DATE)
def test_whatever_a_receiver_writes_into_retry_after_raises_nothing(text: str) -> None:
    found = parse_retry_after(text, now=NOW)
    assert found is None or found >= timedelta()


@pytest.mark.parametrize(
    ("status", "headers", "body", "expected"),
    [
        (503, {b"retry-after": b"7"}, b"", {"retry_after": timedelta(seconds=7)}),
        (503, {b"retry-after": b"-1"}, b"", {"is_final": True}),
        (500, {b"webhook-delivery": b"Abort-Message"}, b"", {"is_final": True}),
        (500, {b"webhook-delivery": b"later"}, b"", {}),
        (429, {}, b'{"retry_after": 0.65, "global": false}', {"retry_after": timedelta(seconds=0.65)}),
        (429, {}, b'{"retry_after": 2, "global": true}', {"retry_after": timedelta(seconds=2), "is_for_all": True}),
        (429, {b"retry-after": b"1"}, b'{"parameters": {"retry_after": 35}}', {"retry_after": timedelta(seconds=35)}),
        (429, {b"x-ratelimit-global": b"true"}, b"", {"is_for_all": True}),
        (500, {}, b'{"retry_after": 2}', {}),
        (429, {}, b'{"retry_after": true}', {}),
        (429, {}, b'{"retry_after": NaN}', {}),
        (429, {}, b'{"retry_after": 1e400}', {}),
        (429, {}, b'{"parameters": {"retry_after": Infinity}}', {}),
        (429, {}, b'{"retry_after": 1' + b"0" * 400 + b"}", {"retry_after": timedelta(days=366)}),
        (429, {}, b"[" * 100_000, {}),
        (
            204,
            {b"x-ratelimit-remaining": b"4", b"x-ratelimit-reset-after": b"1.25"},
            b"",
            {"remaining": 4, "reset_after": timedelta(seconds=1.25)},
        ),
        (204, {b"x-ratelimit-remaining": b"4"}, b"", {}),
        (204, {b"x-ratelimit-remaining": b"x", b"x-ratelimit-reset-after": b"y"}, b"", {}),
    ],
)
def test_hints_are_read_from_headers_and_body(
    status: int, headers: dict[bytes, bytes], body: bytes, expected: dict[str, object]
) -> None:
    assert read_response_hints(status, headers, body, now=NOW) == expected


@given(
    st.dictionaries(
        st.sampled_from([b"retry-after", b"x-ratelimit-remaining", b"x-ratelimit-reset-after"]), st.binary()
    ),
    st.binary(),
)
def test_whatever_a_receiver_says_raises_nothing(headers: dict[bytes, bytes], body: bytes) -> None:
    read_response_hints(429, headers, body, now=NOW)


@pytest.mark.parametrize(
    ("sent", "seconds"),
    [
        (b"Wed, 01 Jan 2020 10:00:00 GMT", 30),
        (b"Wed, 01 Jan 2020 10:00:30 GMT", None),
        (b"Wed, 01 Jan 2020 10:00:31 GMT", None),
        (b"soon", None),
        (None, None),
    ],
)
def test_a_date_counts_from_that_of_the_answer(sent: bytes | None, seconds: int | None) -> None:
    headers = {b"retry-after": b"Wed, 01 Jan 2020 10:00:30 GMT"} | ({} if sent is None else {b"date": sent})
    expected = {} if seconds is None else {"retry_after": timedelta(seconds=seconds)}
    assert read_response_hints(503, headers, b"", now=NOW) == expected


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    "written",
    [
        *(
            b"0",
            b"0.0",
            b"-0",
            b"+0",
            b"-5",
            b"-1.5",
            b"1e-9",
            b"",
            b"soon",
            b"5 s",
            b"1_000",
            b"nan",
            b"-inf",
            b"0x10",
        ),
        b"Thu, 01 Jan 2026 12:00:00 GMT",
        b"Thursday, 01-Jan-26 11:59:59 GMT",
        b"Thu Jan  1 11:00:00 2026",
    ],
)
def test_what_asks_for_no_wait_is_no_hint(status: int, written: bytes) -> None:
    body = b'{"retry_after": 0, "parameters": {"retry_after": 0}}'
    assert read_response_hints(status, {b"retry-after": written}, body, now=NOW) == {}


@pytest.mark.parametrize(
    ("header", "body", "reset_after", "seconds"),
    [
        (
            b"1337",
            b"",
            b"1.337",
            1.337,
        ),  # https://github.com/discord/discord-api-docs/issues/2247: the header in milliseconds
        (b"65", b'{"retry_after": 64570}', b"64.570", 65),
        (b"65", b'{"retry_after": 64.57}', b"64570", 65),
        (b"64570", b'{"retry_after": 64570}', b"64.57", 64.57),
        (b"2", b'{"retry_after": 1100}', None, 2),
        (b"1", b'{"retry_after": 600}', None, 1),
        (b"65", b'{"retry_after": 64.57}', b"64.57", 65),
        (b"3600", b"", b"20", 3600),
        (b"1337", b"", None, 1337),
        (b"1000", b"", b"0", 1000),
        (b"0", b"", b"1.5", None),
    ],
)
def test_of_milliseconds_and_seconds_the_seconds_count(
    header: bytes, body: bytes, reset_after: bytes | None, seconds: float | None
) -> None:
    headers = {b"retry-after": header, b"x-ratelimit-remaining": b"0"}
    if reset_after is not None:
        headers[b"x-ratelimit-reset-after"] = reset_after
    hints = read_response_hints(429, headers, body, now=NOW)
    assert hints.get("retry_after") == (None if seconds is None else timedelta(seconds=seconds))
    assert (hints.get("reset_after") or timedelta()) <= timedelta(seconds=65)


def test_words_that_are_no_wait_are_ignored() -> None:
    hints = read_response_hints(503, {b"retry-after": b"soon"}, b"", now=NOW)
    assert "retry_after" not in hints
    assert "is_final" not in hints
