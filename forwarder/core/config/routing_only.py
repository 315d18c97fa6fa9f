"""Reads the routing part of a config alone: from a file without its secrets, and from a revision. Makes revisions of it.

The routing part is everything that decides where an event goes. It has no URL, no header and no API key.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from pydantic import ValidationError

from forwarder.core.config.checks.defaults import with_defaults
from forwarder.core.config.checks.groups import expand_groups
from forwarder.core.config.checks.names import ReadFile, check_names
from forwarder.core.config.include import FindFiles, nothing_included, read_whole_config
from forwarder.core.config.matchers import Conditions
from forwarder.core.config.messages import report_error
from forwarder.core.config.model.routing import RoutedDestination, RoutingConfig
from forwarder.core.config.revision import NotARevisionError, Revision, fingerprint, packed, stored, unpacked
from forwarder.core.config.sealing import with_digests
from forwarder.core.matching import Condition
from forwarder.core.yaml.findings import Findings
from forwarder.core.yaml.nodes import ListNode, MapEntry, MapNode, Node, RefusedError
from forwarder.core.yaml.problems import ConfigError
from forwarder.core.yaml.tree import Scalar, Tree
from forwarder.core.yaml.variables import expand

_SECTIONS = ("routes", "matchers", "lists", "exact", "groups", "unmatched")
_OF_DESTINATION = tuple(RoutedDestination.model_fields)


def revision_of(
    tree: dict[str, Tree], lists: Mapping[str, Sequence[Scalar]], conditions: Iterable[Condition]
) -> Revision:
    """Return the revision of a valid config, with digests of what need not be known to explain its routes.

    `lists` holds the values in its list files, by the names of the files; `conditions` are those of its routes.
    """
    destinations = tree.get("destinations")
    named = destinations.items() if isinstance(destinations, dict) else ()
    said = {"exact": Scalar("false"), **tree}
    kept: dict[str, Tree] = {key: said[key] for key in _SECTIONS if key in said}
    files = dict(sorted(lists.items()))
    routes = fingerprint(kept, files)
    kept["destinations"] = {
        name: {key: settings[key] for key in _OF_DESTINATION if key in settings}
        for name, settings in named
        if isinstance(settings, dict)
    }
    salt = fingerprint(kept, files)  # the same for the same config, so that two revisions of it are equal
    return packed(*with_digests(kept, files, conditions, salt=salt), salt=salt, routes=routes)


def load_revision(data: bytes) -> RoutingConfig:
    """Return the routing part that a revision was made of. Raises `NotARevisionError`."""
    kept = unpacked(data)
    kept.tree.setdefault(
        "exact", Scalar("true")
    )  # a revision that does not say it is of a version that folded no texts
    findings = Findings(MapNode(1, 1), [])

    def read_list(_name: str) -> str:
        raise FileNotFoundError(2, "the revision does not contain it")

    config = _config_of(kept.tree, read_list, findings, known=kept.files)
    if config is None or findings.problems:
        problem = findings.problems[0]
        raise NotARevisionError(f"{problem.path}: {problem.message}" if problem.path else problem.message)
    if kept.salt:
        config.note_revision(stored(data))
    return config


def load_draft(text: bytes, base: bytes, *, name: str) -> RoutingConfig:
    """Return the routing part that a text has, with the sections of a revision in the place of those that the text leaves out.

    A list is read as the routes. No file is read and no variable is known: whoever writes the text need not be allowed to read them. Raises
    `ConfigError` with all problems, and `NotARevisionError`.
    """
    nodes = read_whole_config(text, name=name, env={}, find=nothing_included)
    root = nodes.root
    if isinstance(root, ListNode):
        root = MapNode(root.line, root.column, {"routes": MapEntry(root.line, root.column, root)})
    root = _without_the_rest(root)
    kept = unpacked(base)
    findings = Findings(root, nodes.problems, nodes.sources)
    written = expand(root, {}, findings)
    if not isinstance(written, dict) or not written:
        findings.add((), "expected routes, and the lists and matchers that they need")
        raise ConfigError(name, findings.problems, nodes.sources)
    kept.tree.setdefault("exact", Scalar("true"))

    def read_list(_name: str) -> str:
        raise PermissionError(1, "rules that are tried read no files")

    config = _config_of({**kept.tree, **written}, read_list, findings, known=kept.files)
    if config is None or findings.problems:
        raise ConfigError(name, findings.problems, nodes.sources)
    return config


class Compared(NamedTuple):
    """What two revisions have in common."""

    is_same: bool
    """They are of the same routing part, even if different versions of the program made them."""
    is_same_routes: bool | None
    """They differ in settings of destinations at most; `None` if that is not known."""


def compared(one: Revision | None, other: Revision | None) -> Compared:
    """Return what two revisions have in common. A config without a file has none."""
    if one is None or other is None:
        return Compared(is_same=False, is_same_routes=None)
    if one == other:
        return Compared(is_same=True, is_same_routes=True)
    first, second = unpacked(one.data), unpacked(other.data)
    is_same = bool(first.salt) and first.salt == second.salt
    is_known = bool(first.routes and second.routes)
    return Compared(is_same=is_same, is_same_routes=is_same or (first.routes == second.routes if is_known else None))


def load_routing(
    text: bytes,
    *,
    name: str,
    env: Mapping[str, str],
    read_list: ReadFile,
    exact: bool | None = None,
    find_files: FindFiles = nothing_included,
) -> RoutingConfig:
    """Return the routing part of a file. The rest of the file is ignored, so its secrets need not exist.

    `exact` takes the place of the key of this name, to compare what folding changes. `find_files` returns the files that `include` names.
    Raises `ConfigError` with all problems of the routing part.
    """
    nodes = read_whole_config(text, name=name, env=env, find=find_files)
    try:
        root = with_defaults(nodes.root)
    except RefusedError as refused:
        raise ConfigError(name, [refused.problem], nodes.sources) from None
    root = _without_the_rest(root)
    findings = Findings(root, nodes.problems, nodes.sources)
    tree = expand(root, env, findings)
    if isinstance(tree, dict) and exact is not None:
        tree["exact"] = Scalar("true" if exact else "false")
    config = _config_of(tree, read_list, findings) if isinstance(tree, dict) else None
    if not isinstance(tree, dict):
        findings.add((), "expected a mapping")
    if config is None or findings.problems:
        raise ConfigError(name, findings.problems, nodes.sources)
    return config


def _without_the_rest(root: Node) -> Node:
    if not isinstance(root, MapNode):
        return root
    kept = {key: entry for key, entry in root.entries.items() if key in _SECTIONS}
    if (destinations := root.entries.get("destinations")) is not None:
        kept["destinations"] = MapEntry(destinations.line, destinations.column, _bare(destinations.value))
    return MapNode(root.line, root.column, kept)


def _bare(destinations: Node) -> Node:
    if not isinstance(destinations, MapNode):
        return destinations
    bare = MapNode(destinations.line, destinations.column)
    for name, entry in destinations.entries.items():
        settings = entry.value
        if isinstance(settings, MapNode):
            kept = {key: below for key, below in settings.entries.items() if key in _OF_DESTINATION}
            settings = MapNode(settings.line, settings.column, kept)
        bare.entries[name] = MapEntry(entry.line, entry.column, settings)
    return bare


def _config_of(
    tree: dict[str, Tree],
    read_list: ReadFile,
    findings: Findings,
    *,
    known: Mapping[str, tuple[Scalar, ...]] | None = None,
) -> RoutingConfig | None:
    """Return the routing part in a tree, or `None` where it is not valid; its problems are added to `findings`.

    `known` are the values of list files that are not read, by the names of the files.
    """
    check_names(tree, findings)
    expand_groups(tree, findings)
    conditions = Conditions(tree, read_list, findings, known=known)
    try:
        config = RoutingConfig.model_validate(conditions.of_routes(tree))
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            report_error(detail, findings)
        return None
    config.note_revision(revision_of(tree, conditions.lines, (route.match for route in config.routes)))
    return config
