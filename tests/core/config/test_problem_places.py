"""The place in a sentence about a config."""

import pytest

from forwarder.core.config.problem_places import ConfigProblem, problem_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("config.yaml:12:3: wrong", ("config.yaml", 12, 3)),
        ("routes/a.yaml:7: wrong", ("routes/a.yaml", 7, None)),
        ("cannot be read", (None, None, None)),
    ],
)
def test_a_problem_says_its_place(text: str, expected: tuple[str | None, int | None, int | None]) -> None:
    assert problem_of(text) == ConfigProblem(text=text, file=expected[0], line=expected[1], column=expected[2])
