"""`defaults`: copies its keys into each destination that does not have them, as YAML's `<<` would.

This works on the nodes, so that a copied value keeps its place in the file. `Findings` reports a mistake in it once, at that place.
"""

from forwarder.core.config.checks.names import mappings
from forwarder.core.config.model.apprise import NOT_WITH_APPRISE
from forwarder.core.config.model.destination import DestinationSettings
from forwarder.core.yaml.findings import Findings
from forwarder.core.yaml.node_builder import MAX_NODES
from forwarder.core.yaml.nodes import MapEntry, MapNode, Node, RefusedError
from forwarder.core.yaml.tree import Tree

_OF_A_URL = frozenset({*NOT_WITH_APPRISE, "format"})
"""Keys of `defaults` that do not reach a destination with `apprise`: what it sends is no request of forwarder."""


def with_defaults(root: Node) -> Node:
    """Return the file with the keys of `defaults` in each destination that does not have them; an empty key (`~`) counts as had.

    `defaults` comes first in it, so that its mistakes are found there first. Raises `RefusedError` when the result is too large.
    """
    defaults, destinations = _mapping(root, "defaults"), _mapping(root, "destinations")
    if not isinstance(root, MapNode) or defaults is None or destinations is None:
        return root
    shared = {key: entry for key, entry in defaults.entries.items() if key in DestinationSettings.model_fields}
    entries = {
        name: MapEntry(entry.line, entry.column, _with(entry.value, shared))
        for name, entry in destinations.entries.items()
    }
    place, section = root.entries["defaults"], root.entries["destinations"]
    if root.size + len(entries) * sum(entry.value.size for entry in shared.values()) > MAX_NODES:
        message = f"more than {MAX_NODES} values, where defaults count once for each destination"
        raise RefusedError(place.line, place.column, message, ("defaults",))
    filled = MapNode(destinations.line, destinations.column, entries)
    return MapNode(
        root.line,
        root.column,
        {"defaults": place, **root.entries, "destinations": MapEntry(section.line, section.column, filled)},
    )


def drop_notices_to_self(tree: dict[str, Tree], findings: Findings) -> None:
    """Remove the default `on_failure` and `fallback` from the destination that they name, which cannot be its own."""
    for path, destination in mappings(tree, "destinations"):
        for key in ("on_failure", "fallback"):
            written = destination.get(key)
            to = written.get("to") if isinstance(written, dict) else written
            if to == path[-1] and findings.is_default((*path, key)):
                del destination[key]


def _mapping(root: Node, key: str) -> MapNode | None:
    entry = root.entries.get(key) if isinstance(root, MapNode) else None
    return entry.value if entry is not None and isinstance(entry.value, MapNode) else None


def _with(destination: Node, shared: dict[str, MapEntry]) -> Node:
    if not isinstance(destination, MapNode):
        return destination
    if destination.entries.keys() & {"apprise", "apprise_file"}:
        shared = {key: entry for key, entry in shared.items() if key not in _OF_A_URL}
    return MapNode(destination.line, destination.column, {**shared, **destination.entries})
