"""`defaults:` what every destination has that does not say otherwise. Its keys are put into the destinations as YAML's `<<` would.

Done on the nodes, so that what a destination gets keeps its place in the file; `Findings` tells a mistake in it once, there.
"""

from forwarder.core.config.checks import mappings
from forwarder.core.config.destination import DestinationSettings
from forwarder.core.config.nodes import MAX_NODES, Entry, MapNode, Node, RefusedError
from forwarder.core.config.places import Findings
from forwarder.core.tree import Tree


def with_defaults(root: Node) -> Node:
    """Return the file with the keys of `defaults` in each destination that does not have them itself, be it empty (`~`).

    `defaults` then stands first, so that what is wrong there is found there. Raises `RefusedError` when that makes too much of it.
    """
    defaults, destinations = _mapping(root, "defaults"), _mapping(root, "destinations")
    if not isinstance(root, MapNode) or defaults is None or destinations is None:
        return root
    shared = {key: entry for key, entry in defaults.entries.items() if key in DestinationSettings.model_fields}
    entries = {
        name: Entry(entry.line, entry.column, _with(entry.value, shared))
        for name, entry in destinations.entries.items()
    }
    place, section = root.entries["defaults"], root.entries["destinations"]
    if root.size + len(entries) * sum(entry.value.size for entry in shared.values()) > MAX_NODES:
        message = f"more than {MAX_NODES} values, counted in full for each destination"
        raise RefusedError(place.line, place.column, message, ("defaults",))
    filled = MapNode(destinations.line, destinations.column, entries)
    return MapNode(
        root.line,
        root.column,
        {"defaults": place, **root.entries, "destinations": Entry(section.line, section.column, filled)},
    )


def drop_notices_to_self(tree: dict[str, Tree], findings: Findings) -> None:
    """Take the default `on_failure` from the destination that it names: that one cannot be told of itself."""
    for path, destination in mappings(tree, "destinations"):
        on_failure = destination.get("on_failure")
        is_itself = isinstance(on_failure, dict) and on_failure.get("to") == path[-1]
        if is_itself and findings.is_default((*path, "on_failure")):
            del destination["on_failure"]


def _mapping(root: Node, key: str) -> MapNode | None:
    entry = root.entries.get(key) if isinstance(root, MapNode) else None
    return entry.value if entry is not None and isinstance(entry.value, MapNode) else None


def _with(destination: Node, shared: dict[str, Entry]) -> Node:
    if not isinstance(destination, MapNode):
        return destination
    return MapNode(destination.line, destination.column, {**shared, **destination.entries})
