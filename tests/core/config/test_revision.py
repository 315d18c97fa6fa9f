"""Every tree comes back from its revision as it was."""

import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarder.core.config.revision import NotARevisionError, packed, stored, unpacked
from forwarder.core.yaml.tree import Expanded, Scalar, Sealed, Tree

SCALARS = st.builds(Scalar, st.text(), quoted=st.booleans()) | st.builds(
    Expanded, st.text(), quoted=st.booleans(), written=st.text()
)
DIGESTS = st.builds(Sealed, st.text(), quoted=st.booleans(), written=st.text(), salt=st.just("salt"))
TREES: st.SearchStrategy[Tree] = st.recursive(
    SCALARS | DIGESTS,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(), below, max_size=3),
    max_leaves=20,
)


def exact(tree: Tree) -> object:
    """Return the tree with all that distinguishes one scalar from another."""
    if isinstance(tree, dict):
        return {key: exact(below) for key, below in tree.items()}
    if isinstance(tree, list):
        return [exact(below) for below in tree]
    written = tree.written if isinstance(tree, Expanded | Sealed) else None
    return type(tree), str(tree), tree.quoted, written, tree.salt if isinstance(tree, Sealed) else None


@given(
    st.dictionaries(st.text(), TREES, max_size=3), st.dictionaries(st.text(), st.lists(SCALARS | DIGESTS), max_size=2)
)
def test_every_tree_comes_back_as_it_was(tree: dict[str, Tree], files: dict[str, list[Scalar]]) -> None:
    revision = packed(tree, files, salt="salt")
    found = unpacked(revision.data)
    assert exact(found.tree) == exact(tree)
    assert {name: [exact(line) for line in lines] for name, lines in found.files.items()} == {
        name: [exact(line) for line in lines] for name, lines in files.items()
    }
    assert packed(found.tree, found.files, salt=found.salt) == revision == stored(revision.data)


def test_a_revision_of_an_older_version_is_read() -> None:
    value = {"routing": {"routes": ["=a"]}, "files": {"coins.txt": ["btc", "#eth"]}}
    found = unpacked(zlib.compress(json.dumps(value).encode()))
    assert (found.tree, found.files, found.salt) == ({"routes": ["a"]}, {"coins.txt": ("btc", "#eth")}, "")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"routing": {}, "files": []}, "it cannot be read"),
        ({"routing": {}, "lists": []}, "it contains no routes"),
        ({"routing": {}, "lists": {}, "salt": 5}, "it contains no routes"),
        ({"routing": "=a", "files": {}}, "it contains no routes"),
        ({"routing": {"a": "?1:bc"}, "files": {}}, "it cannot be read"),
        ({"routing": {"a": ""}, "files": {}}, "it cannot be read"),
        ([], "it cannot be read"),
    ],
)
def test_what_is_no_revision_says_why(value: object, said: str) -> None:
    with pytest.raises(NotARevisionError, match=said):
        unpacked(zlib.compress(json.dumps(value).encode()))
