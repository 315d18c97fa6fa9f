"""The routing part of a config alone: out of a whole one, out of a file without its secrets, and back out of a revision.

Everything that decides where an event goes, and nothing of how it gets there: no URL, no header, no key of a stream.
"""

from collections.abc import Iterable, Mapping

from pydantic import ValidationError

from forwarder.core.config.checks import ReadFile, check_names
from forwarder.core.config.conditions import Conditions
from forwarder.core.config.defaults import with_defaults
from forwarder.core.config.groups import expand_groups
from forwarder.core.config.model import Config
from forwarder.core.config.nodes import Entry, MapNode, Node, RefusedError, read_nodes
from forwarder.core.config.places import Findings
from forwarder.core.config.problems import ConfigError
from forwarder.core.config.sentences import tell
from forwarder.core.config.variables import expand
from forwarder.core.revision import NotARevisionError, Revision, packed, unpacked
from forwarder.core.tree import Scalar, Tree

_SECTIONS = ("routes", "matchers", "lists", "groups", "unmatched")
_OF_DESTINATION = ("enabled", "on_full")
_STREAM: dict[str, Tree] = {"url": Scalar("wss://nowhere.invalid"), "api_key": Scalar("none", quoted=True)}
_DESTINATION: dict[str, Tree] = {"url": Scalar("https://nowhere.invalid"), "format": Scalar("discord")}
"""Stand for what is not kept. The format allows every `on_full`."""


def revision_of(tree: dict[str, Tree], lists: Mapping[str, Iterable[str]]) -> Revision:
    """Return the revision of the tree of a valid config; `lists` are the values in its list files, by the files' names."""
    destinations = tree.get("destinations")
    named = destinations.items() if isinstance(destinations, dict) else ()
    kept: dict[str, Tree] = {key: tree[key] for key in _SECTIONS if key in tree}
    kept["destinations"] = {
        name: {key: settings[key] for key in _OF_DESTINATION if key in settings}
        for name, settings in named
        if isinstance(settings, dict)
    }
    return packed(kept, {name: list(map(str, lines)) for name, lines in sorted(lists.items())})


def load_revision(data: bytes) -> Config:
    """Return a config that routes as the one did that the revision is of. Raises `NotARevisionError`."""
    tree, files = unpacked(data)
    findings = Findings(MapNode(1, 1), [])

    def read_list(name: str) -> str:
        if name not in files:
            raise FileNotFoundError(2, "it was not kept")
        return "\n".join(files[name])

    config = _config_of(tree, read_list, findings)
    if config is None or findings.problems:
        problem = findings.problems[0]
        raise NotARevisionError(f"{problem.path}: {problem.message}" if problem.path else problem.message)
    return config


def load_routing(text: bytes, *, name: str, env: Mapping[str, str], read_list: ReadFile) -> Config:
    """Return a config that routes as the file says; of the rest nothing is looked at, so that no secret has to be there.

    Raises `ConfigError` with every problem of the routing part.
    """
    try:
        root, problems = read_nodes(text)
        root = with_defaults(root)
    except RefusedError as refused:
        raise ConfigError(name, [refused.problem]) from None
    root = _without_the_rest(root)
    findings = Findings(root, problems)
    tree = expand(root, env, findings)
    config = _config_of(tree, read_list, findings) if isinstance(tree, dict) else None
    if not isinstance(tree, dict):
        findings.add((), "expected a mapping")
    if config is None or findings.problems:
        raise ConfigError(name, findings.problems)
    return config


def _without_the_rest(root: Node) -> Node:
    if not isinstance(root, MapNode):
        return root
    kept = {key: entry for key, entry in root.entries.items() if key in _SECTIONS}
    if (destinations := root.entries.get("destinations")) is not None:
        kept["destinations"] = Entry(destinations.line, destinations.column, _bare(destinations.value))
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
        bare.entries[name] = Entry(entry.line, entry.column, settings)
    return bare


def _config_of(tree: dict[str, Tree], read_list: ReadFile, findings: Findings) -> Config | None:
    """Return the config of a routing part, or `None` where it is none; what is wrong with it is noted."""
    check_names(tree, findings)
    expand_groups(tree, findings)
    conditions = Conditions(tree, read_list, findings)
    draft = conditions.of_routes(tree)
    draft["streams"] = [_STREAM]
    if isinstance(named := tree.get("destinations"), dict):
        draft["destinations"] = {
            name: {**_DESTINATION, **settings} if isinstance(settings, dict) else settings
            for name, settings in named.items()
        }
    try:
        config = Config.model_validate(draft)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            tell(detail, findings)
        return None
    config.note_revision(revision_of(tree, conditions.lines))
    return config
