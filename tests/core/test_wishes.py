"""What a receiver asks for: in headers, in the body of a 429, in words that are none."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarder.core.wishes import parse_retry_after, read_wishes

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
def test_wishes_are_read_from_headers_and_body(
    status: int, headers: dict[bytes, bytes], body: bytes, expected: dict[str, object]
) -> None:
    assert read_wishes(status, headers, body, now=NOW) == expected


@given(
    st.dictionaries(
        st.sampled_from([b"retry-after", b"x-ratelimit-remaining", b"x-ratelimit-reset-after"]), st.binary()
    ),
    st.binary(),
)
def test_whatever_a_receiver_says_raises_nothing(headers: dict[bytes, bytes], body: bytes) -> None:
    read_wishes(429, headers, body, now=NOW)


@pytest.mark.parametrize(("sent", "seconds"), [(b"Wed, 01 Jan 2020 10:00:00 GMT", 30), (b"soon", 0), (None, 0)])
def test_a_date_counts_from_that_of_the_answer(sent: bytes | None, seconds: int) -> None:
    headers = {b"retry-after": b"Wed, 01 Jan 2020 10:00:30 GMT"} | ({} if sent is None else {b"date": sent})
    assert read_wishes(503, headers, b"", now=NOW)["retry_after"] == timedelta(seconds=seconds)
