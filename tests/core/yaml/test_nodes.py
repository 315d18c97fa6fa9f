"""What a node counts for, and what an error of the file holds."""

import pytest

from forwarder.core.yaml.nodes import ListNode, MapEntry, MapNode, RefusedError, TextNode
from forwarder.core.yaml.parse import read_nodes
from forwarder.core.yaml.problems import Problem


@pytest.mark.parametrize(("length", "size"), [(0, 1), (99, 1), (100, 2), (1_050, 11)])
def test_a_text_counts_as_one_node_and_one_more_for_each_hundred_characters(length: int, size: int) -> None:
    text = TextNode("x" * length)
    assert (text.size, text.height) == (size, 0)


def test_an_empty_list_and_an_empty_mapping_are_one_level_and_one_node() -> None:
    for node in (ListNode(1, 1), MapNode(1, 1)):
        assert (node.size, node.height) == (1, 1)
    assert ListNode(1, 1).items is not ListNode(1, 1).items


def test_size_counts_every_alias_in_full_and_height_the_levels() -> None:
    root, *_ = read_nodes(b"a: &a [x, [y]]\nb: *a\n")
    assert isinstance(root, MapNode)
    entry = root.entries["b"]
    assert isinstance(entry, MapEntry)
    assert (entry.value.size, entry.value.height) == (4, 2)
    assert (root.size, root.height) == (1 + 2 * (1 + 4), 3), "a key counts too"


def test_places_count_from_1_and_a_key_has_its_own() -> None:
    root, *_ = read_nodes(b"a:\n  b: c\n")
    assert isinstance(root, MapNode)
    inner = root.entries["a"].value
    assert isinstance(inner, MapNode)
    entry = inner.entries["b"]
    assert (entry.line, entry.column) == (2, 3)
    assert isinstance(entry.value, TextNode)
    assert (entry.value.line, entry.value.column, entry.value) == (2, 6, "c")


def test_a_refused_file_has_a_problem_with_its_place() -> None:
    error = RefusedError(2, 3, "too deep", ("a", 0))
    assert error.problem == Problem(2, 3, "a[0]", "too deep")
    assert str(error) == "too deep"
