"""Lines of a list file that hold more than their value."""

import pytest

from forwarder.core.config.hints.list_files import hints_of_list_file
from tests.core.config.support import FILES


def test_lines_as_they_should_be_have_no_hint() -> None:
    assert list(hints_of_list_file(FILES["/lists/fine.txt"])) == []


@pytest.mark.parametrize("text", ["a\n;\n", "-\n", "# a, \n", "'\n", "- \n", "\u200b\n", ",,\n", '"\n'])
def test_a_line_of_marks_alone_is_a_value(text: str) -> None:
    assert list(hints_of_list_file(text)) == []


def test_the_place_is_that_of_the_value() -> None:
    assert [(line, column) for line, column, _ in hints_of_list_file("\ufeffa\n  eth # ether\n")] == [(2, 3)]
