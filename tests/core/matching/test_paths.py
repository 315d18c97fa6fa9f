"""Paths into JSON."""

import pytest

from forwarder.core.event import JSONValue
from forwarder.core.matching.paths import elements_of, nodes_at, parse_path


@pytest.mark.parametrize(
    ("written", "keys"),
    [
        ("a", ("a",)),
        ("a.b.c", ("a", "b", "c")),
        ('a."b.c".d', ("a", "b.c", "d")),
        (r'"say \"hi\""', ('say "hi"',)),
        ("", None),
        ("a.", None),
        (".a", None),
        ("a..b", None),
        ('"open', None),
        ('"a"b', None),
        (r'"bad \x"', None),
    ],
)
def test_a_path_is_its_keys(written: str, keys: tuple[str, ...] | None) -> None:
    assert parse_path(written) == keys


def test_an_array_on_the_way_is_its_elements_and_one_at_the_end_is_one_value() -> None:
    value: JSONValue = {"a": [{"b": [1, 2]}, {"b": 3}, {"c": 4}, [{"b": None}], "text"]}
    assert list(nodes_at(value, ("a", "b"))) == [[1, 2], 3, None]
    assert list(nodes_at(value, ("a", "b", "c"))) == []


def test_the_elements_of_nested_arrays_are_one_row() -> None:
    assert list(elements_of([1, [2, [3]], {"a": [4]}])) == [1, 2, 3, {"a": [4]}]
    assert list(elements_of("text")) == ["text"]
