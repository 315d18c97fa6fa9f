"""From nodes to the tree: `${NAME}` and `${NAME:-default}` are filled in, `$${` becomes `${`.

Values only, never keys. What a variable holds is text and stays text: it is not read as YAML again, so no value can add
a key or a list.
"""

import re
from collections.abc import Mapping

from forwarder.core.config.nodes import ListNode, Node, TextNode
from forwarder.core.config.places import Findings
from forwarder.core.tree import Expanded, Path, Scalar, Tree

_MARK = re.compile(r"\$\$\{|\$\{(?:(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\})?")
_LITERAL = 'write "$${" where the characters "${" are meant'


def expand(node: Node, env: Mapping[str, str], findings: Findings, path: Path = ()) -> Tree:
    """Return the tree below `node`. Each variable that cannot be filled in is noted; its scalar is then empty.

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
                problems.append(f'what stands in "${{…}}" is neither NAME nor NAME:-default; {_LITERAL}')
            else:
                problems.append(f'a "${{" has no closing "}}"; {_LITERAL}')
        elif default is not None:
            if "${" in default:
                problems.append(
                    f"the default of the variable {name} has another variable in it, which is not supported"
                )
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
    return Expanded(expanded, quoted=text.quoted, written=text)
