"""Fields that may be absent or of any type."""

from datetime import UTC, datetime

import pytest

from forwarder.core.event import JSONValue
from forwarder.core.posts.fields import elements, index, is_digits, mappings, number, text, time_of_ms, time_of_text


def test_the_first_text_that_is_not_empty_counts_and_a_whole_number_is_one() -> None:
    value: dict[str, JSONValue] = {"a": "", "b": None, "c": 7, "d": "x", "e": True, "f": 10**30}
    assert text(value, "a", "b", "c", "d") == "7"
    assert text(value, "a", "d") == "x"
    assert text(value, "e", "f", "missing") == ""


def test_only_the_first_elements_of_a_list_are_read() -> None:
    assert elements([1, 2, 3], 2) == [1, 2]
    assert elements({"0": 1}) == []
    assert list(mappings([{"a": 1}, 2, {"b": 3}], 2)) == [{"a": 1}]


@pytest.mark.parametrize(("value", "expected"), [(1.5, 1.5), (True, 0), ("1", 0), (None, 0)])
def test_a_number_is_no_boolean_and_no_text(value: JSONValue, expected: float) -> None:
    assert number(value) == expected


@pytest.mark.parametrize(("value", "expected"), [(0, 0), (5, 5), (-1, -1), (True, -1), (1.0, -1), ("1", -1)])
def test_a_position_is_a_whole_number_from_zero_on(value: JSONValue, expected: int) -> None:
    assert index(value) == expected


def test_an_id_has_ascii_digits_only() -> None:
    assert is_digits("123")
    assert not is_digits("")
    assert not is_digits("12a")
    assert not is_digits("\N{ARABIC-INDIC DIGIT FIVE}")


def test_a_time_is_within_the_years_that_a_datetime_has() -> None:
    assert time_of_ms(1767225600000) == datetime(2026, 1, 1, tzinfo=UTC)
    assert time_of_ms(0) is None
    assert time_of_ms(1e18) is None


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("Thu Jan 01 00:00:06 +0000 2026", datetime(2026, 1, 1, 0, 0, 6, tzinfo=UTC)),
        ("2026-01-01T02:00:00+02:00", datetime(2026, 1, 1, tzinfo=UTC)),
        ("2026-01-01T00:00:00", datetime(2026, 1, 1, tzinfo=UTC)),
        ("0001-01-01T00:00:00+14:00", None),
        ("Thu Jan 41 00:00:06 +0000 2026", None),
        ("yesterday, at noon", None),
        ("2026", None),
    ],
)
def test_a_time_is_read_as_iso_8601_and_as_x_writes_it(written: str, expected: datetime | None) -> None:
    assert time_of_text(written) == expected
