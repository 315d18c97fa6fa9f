"""How values are shown, and that those of variables are not."""

import pytest
import yaml

from forwarder.core.config.hints.show import in_single_quotes, listed
from forwarder.core.yaml.tree import Expanded, Scalar


@pytest.mark.parametrize("text", ["btc", r"\bBTC\b", "it's", "", "a: b # c"])
def test_what_is_shown_in_quotes_can_be_copied(text: str) -> None:
    assert yaml.safe_load(in_single_quotes(text, Scalar(text), instead="")) == text


@pytest.mark.parametrize("value", [Expanded("magpie", written="${CANARY}"), Scalar("a" * 61), Scalar("a\x00")])
def test_what_is_secret_long_or_unprintable_is_not_shown(value: Scalar) -> None:
    assert in_single_quotes(str(value), value, instead="the value", before=": ") == "the value"
    assert listed([str(value)], value) == "[value, value]"


def test_a_list_can_be_copied() -> None:
    parts = ["btc", "@nova", "-100", "fast-x", "good morning"]
    assert yaml.safe_load(listed(parts, Scalar(", ".join(parts)))) == parts
