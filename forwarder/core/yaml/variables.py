"""Builds the tree from the nodes: replaces `${NAME}` and `${NAME:-default}` by their values, and `$${` by `${`.

This happens in values only, never in keys. The value of a variable is text and is not read as YAML, so it cannot add a key or a list.
"""

import re
from collections.abc import Mapping

from forwarder.core.yaml.findings import Findings
from forwarder.core.yaml.nodes import BlockNode, ListNode, Node, TextNode
from forwarder.core.yaml.tree import Expanded, ExpandedBlock, Path, Scalar, Tree

_MARK = re.compile(r"\$\$\{|\$\{(?:(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\})?")
_LITERAL = 'write "$${" for the characters "${"'


def expand(node: Node, env: Mapping[str, str], findings: Findings, path: Path = ()) -> Tree:
    """Return the tree of a node. A scalar with an unknown variable is reported, and empty in the tree.

    Keys that begin with `x-` at the top of the file are left out: they hold anchors.
    """
    if isinstance(node, TextNode):
        return _expand_text(node, env, findings, path) if "${" in node else node
    # Most of a large file is scalars without variables: they need neither a call nor a path.
    if isinstance(node, ListNode):
        return [
            item if isinstance(item, TextNode) and "${" not in item else expand(item, env, findings, (*path, index))
            for index, item in enumerate(node.items)
        ]
    return {
        key: value
        if isinstance(value := entry.value, TextNode) and "${" not in value
        else expand(value, env, findings, (*path, key))
        for key, entry in node.entries.items()
        if path or not key.startswith("x-")
    }


def _expand_text(text: Scalar, env: Mapping[str, str], findings: Findings, path: Path) -> Scalar:
    problems: list[str] = []

    def value_of(found: re.Match[str]) -> str:
        name, default = found["name"], found["default"]
        if found[0] == "$${":
            return "${"
        if name is None:
            if "}" in text[found.end() :]:
                problems.append(f'the text in "${{…}}" is not NAME or NAME:-default; {_LITERAL}')
            else:
                problems.append(f'a "${{" has no closing "}}"; {_LITERAL}')
        elif default is not None:
            if "${" in default:
                problems.append(f"the default of the variable {name} contains another variable, which is not supported")
            return env.get(name) or default
        elif name in env:
            return env[name]
        else:
            problems.append(f"the variable {name} is not set")
        return ""

    expanded = _MARK.sub(value_of, text)
    if problems:
        findings.spoil(path, "; ".join(dict.fromkeys(problems)))
        return Expanded("", quoted=True, written=text)
    kind = ExpandedBlock if isinstance(text, BlockNode) else Expanded
    return kind(expanded, quoted=text.quoted, written=text)
