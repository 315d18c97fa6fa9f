"""What differs between two mappings from names."""

import pytest

from forwarder.core.config.section_diff import of_mappings


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ({"a": ("x",)}, {"a": ("x",)}, []),
        ({"a": ("x", "y")}, {"a": ("y", "z", "q")}, ["lists.a: 2 added, 1 removed"]),
        ({"a": ("x", "y")}, {"a": ("y", "x")}, ["lists.a: another order"]),
        ({"a": ("x",)}, {"b": ("x",)}, ["lists.a removed", "lists.b added"]),
        ({"a": 1}, {"a": 2}, ["lists.a changed"]),
    ],
)
def test_lists_are_counted_and_never_shown(old: dict[str, object], new: dict[str, object], said: list[str]) -> None:
    assert list(of_mappings(old, new, "lists.")) == said
