"""Values of an event in a test are read as JSON."""

import pytest

from tests.core.config.support import config_text, load


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("5", 5),
        ("1.5", 1.5),
        ('"5"', "5"),
        ("true", True),
        ("~", None),
        ("", None),
        ("null", None),
        ("[1, a, [~]]", [1, "a", [None]]),
        ("{a: {b: no}}", {"a": {"b": "no"}}),
    ],
)
def test_a_value_without_quotes_keeps_its_type(written: str, value: object) -> None:
    (test,) = load(config_text(rest=f"tests:\n  - event:\n      payload:\n        a: {written}\n    expect: bot")).tests
    assert test.event.payload == {"a": value}
