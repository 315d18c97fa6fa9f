"""Words that are compared with a whole text."""

import pytest

from forwarder.core.config.hints.whole_texts import hints_of_whole_text
from forwarder.core.matching.fields import NAMED_FIELDS
from tests.support.conditions import tree


@pytest.mark.parametrize(
    ("written", "count"), [("gm", 1), ("[gm, gn]", 1), ("''", 0), ("['', gm]", 0), ("[{list: a}]", 0)]
)
def test_a_word_that_should_be_found_within_is_named_once(written: str, count: int) -> None:
    assert len(list(hints_of_whole_text(NAMED_FIELDS["text"], tree(written)))) == count
    assert list(hints_of_whole_text(NAMED_FIELDS["author"], tree(written))) == []
