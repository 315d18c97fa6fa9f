"""Regexes of other programs, and those whose words are not only ASCII."""

import pytest
import re2

from forwarder.core.config.hints.regexes import hints_of_regex
from forwarder.core.matching.fields import NAMED_FIELDS
from forwarder.core.yaml.tree import Scalar


def said(pattern: str, field: str = "text") -> list[str]:
    return list(hints_of_regex(Scalar(pattern, quoted=True), field=NAMED_FIELDS[field]))


@pytest.mark.parametrize(
    "pattern",
    [
        r"\b0x[0-9a-fA-F]{40}\b",
        r"\b[1-9A-HJ-NP-Za-km-z]{32,44}\b",
        r"\b0x52\b",
        r"\$[A-Z]{2,6}\b",
        r"^gm",
        "https?://t\\.me/\\w+",
        "биткоин [0-9]+",
        r"\d+\s*биткоин",
        "btc|eth",
        r"a\|b|c",
        "<b>",
        "//",
        "a/b/c",
    ],
)
def test_a_regex_that_means_what_it_says_has_no_hint(pattern: str) -> None:
    assert said(pattern) == []


def test_slashes_may_be_a_part_of_an_address() -> None:
    assert said("/status/", "link") == []
    assert said("/status/") != []


@pytest.mark.parametrize(
    ("pattern", "text", "is_found"),
    [
        (r"\bлимит\b", "лимит", False),
        (r"\bmar\b", "maré", True),
        ("биткоин\\w*\\.", "биткоина.", False),
        ("биткоин[\\pL\\pN_]*\\.", "биткоина.", True),
        (r"(?:^|[^\pL\pN_])биткоин(?:$|[^\pL\pN_])", "купи биткоин!", True),
        (r"(?:^|[^\pL\pN_])биткоин(?:$|[^\pL\pN_])", "биткоина", False),
        (r"\<btc\>", "btc", False),
        (r"btc\|eth", "btc", False),
        ("/btc/i", "BTC", False),
        ("btc[|]eth", "btc|eth", True),
    ],
)
def test_re2_does_what_the_hints_say(pattern: str, text: str, is_found: bool) -> None:
    assert (re2.search(pattern, text) is not None) == is_found
