"""The characters that nobody sees, and the quotation marks."""

import unicodedata

from forwarder.core.config.hints.characters import BLANK, CLOSING, OPENING, QUOTES, ZERO_WIDTH


def test_what_nobody_sees_is_not_printed_and_no_mark_is_in_two_sets() -> None:
    assert not any(each.isprintable() for each in ZERO_WIDTH)
    assert {unicodedata.category(each) for each in ZERO_WIDTH} == {"Cf"}
    assert all(each.isspace() for each in BLANK)
    assert not {*BLANK, *ZERO_WIDTH} & {*QUOTES}


def test_quotation_marks_are_punctuation() -> None:
    assert {unicodedata.category(each) for each in OPENING} == {"Pi", "Pf", "Ps"}
    assert set(CLOSING) < set(OPENING) < set(QUOTES)
