"""The description of the API in the documentation."""

from tools.openapi import PAGE, described


def test_it_is_current() -> None:
    """`python -m tools.openapi` writes it."""
    assert PAGE.read_text(encoding="utf-8") == described()
