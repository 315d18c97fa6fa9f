"""Values that hold more than one sees, or several values in one."""

import pytest

from forwarder.core.config.hints.values import hints_of_value
from forwarder.core.matching.fields import NAMED_FIELDS
from forwarder.core.yaml.tree import Expanded, Scalar


def said(test: str, text: str, *, field: str = "text", is_alone: bool = True) -> list[str]:
    value = Scalar(text, quoted=True)
    return list(hints_of_value(test, value, field=NAMED_FIELDS[field], is_alone=is_alone))


@pytest.mark.parametrize(
    ("test", "text"),
    [
        ("word", "btc"),
        ("word", "good morning"),
        ("word", "1,000,000"),
        ("word", "C++"),
        ("word", "to be or"),
        ("word", "dead or alive"),
        ("contains", "$1,000"),
        ("contains", "Apple, Inc."),
        ("word", "Trump, Donald"),
        ("contains", "hello, my friend"),
        ("contains", " - "),
        ("contains", ": "),
        ("contains", " "),
        ("contains", '"gm"'),
        ("contains", "||"),
        ("prefix", "breaking: "),
        ("prefix", "first line\nsecond"),
        ("suffix", " gm"),
        ("wildcard", " * "),
        ("regex", " btc\t"),
        ("regex", "btc|eth"),
        ("regex", "[0-9]{1,3}"),
        ("regex", "a\tb\nc"),
        ("equals", "Nova, Orca"),
        ("equals", "\u201c"),
        ("word", "\u201cgm"),
    ],
)
def test_a_value_that_means_what_it_says_has_no_hint(test: str, text: str) -> None:
    assert said(test, text) == []


def test_an_element_of_a_list_is_one_value() -> None:
    assert said("word", "btc, eth", is_alone=False) == []
    assert said("word", "btc, eth") != []


def test_a_control_character_of_a_variable_is_not_blamed_on_quotes() -> None:
    value = Expanded("magpie\x08", written="${CANARY}", quoted=True)
    assert list(hints_of_value("regex", value, field=None, is_alone=True)) == [
        r'"${CANARY}" contains the control character \x08, which no text has; remove it'
    ]


@pytest.mark.parametrize("character", ["\u2028", "\x85", "\x00"])
def test_every_escape_of_yaml_is_named(character: str) -> None:
    (hint,) = said("regex", f"a{character}")
    assert "use single quotes" in hint
