"""Regexes of few letters, for tests that make them up."""

import re2
from hypothesis import strategies as st

from forwarder.core.matching.compile_tests import regex_options

# Few letters, so that parts of one text occur in another; and those whose case changes their length or their company.
LETTERS = [
    "a",
    "B",
    "b",
    "S",
    "ß",
    "\u017f",
    "İ",
    "\u0131",
    "K",
    "ﬁ",
    "Σ",
    "ς",
    "ш",
    "Ш",
    "東",
    "😀",
    "e\u0301",
    "\u0301",
    " ",
    "?",
    "1",
    "-",
    "\x00",
    "\U0001d5d5",
    "\uff41",
    "\u200b",
    "\ufe0f",
    "\u00a0",
    "\n",
    "\u2019",
    "'",
    "\u2014",
    "\u0307",
    "i",
    "ﷺ",
    "™",
    "가",
    "\u1100\u1161",
]


def _alternatives(parts: list[str]) -> str:
    return f"({'|'.join(parts)})"


pattern_parts = st.recursive(
    st.sampled_from(
        [
            "a",
            "B",
            "s",
            "ß",
            "k",
            "ш",
            "東",
            ".",
            "[ab]",
            "[^a]",
            r"\w",
            r"\b",
            "^",
            "$",
            r"\?",
            r"\d",
            r"\x61",
            r"\-",
            r"[[:alpha:]\]]",
            r"\pL",
            "(?s)",
        ]
    ),
    lambda below: (
        st.lists(below, min_size=1, max_size=4).map("".join)
        | st.lists(below, min_size=1, max_size=3).map(_alternatives)
        | st.tuples(
            below.map(lambda within: f"(?:{within})") | st.sampled_from(["a", "ß", "[ab]", "."]),
            st.sampled_from(["*", "+", "?", "{2}", "{0,2}", "{1,}", "+?", "??"]),
        ).map("".join)
    ),
    max_leaves=6,
)


def is_regex(pattern: str) -> bool:
    try:
        re2.compile(pattern, regex_options(ignore_case=True))
    except re2.error:
        return False
    return True


patterns = pattern_parts.filter(is_regex)
