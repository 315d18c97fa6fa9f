"""Removes the line break that ends a block of YAML from the values of conditions and lists.

`word: |` with `btc` on the next line is the text `btc` and a line break, which no word has. A template keeps its line break.
"""

from forwarder.core.yaml.nodes import BlockNode, TextNode
from forwarder.core.yaml.tree import Expanded, ExpandedBlock, Scalar, Tree


def strip_blocks(tree: dict[str, Tree]) -> None:
    """Remove one final line break from each block in the lists, matchers and conditions of a config."""
    for key in ("lists", "matchers"):
        if key in tree:
            tree[key] = _stripped(tree[key])
    for key in ("routes", "expect"):
        section = tree.get(key)
        for each in section if isinstance(section, list) else ():
            if isinstance(each, dict) and "match" in each:
                each["match"] = _stripped(each["match"])
    destinations = tree.get("destinations")
    named = destinations.values() if isinstance(destinations, dict) else ()
    for settings in (tree.get("defaults"), *named):
        success = settings.get("success") if isinstance(settings, dict) else None
        if isinstance(success, dict) and "body" in success:
            success["body"] = _stripped(success["body"])


def _stripped(tree: Tree) -> Tree:
    if isinstance(tree, dict):
        return {key: below if type(below) is TextNode else _stripped(below) for key, below in tree.items()}
    if isinstance(tree, list):
        return [below if type(below) is TextNode else _stripped(below) for below in tree]
    if not tree.endswith("\n") or len(tree) == 1:
        return tree
    if isinstance(tree, ExpandedBlock):
        return Expanded(tree[:-1], quoted=True, written=tree.written.removesuffix("\n"))
    return Scalar(tree[:-1], quoted=True) if isinstance(tree, BlockNode) else tree
