"""`groups`: names for several destinations, which the `to` of a route and other groups can use.

Routes are changed to name the destinations themselves. A destination that is named twice gets the event once.
"""

from collections.abc import Mapping

import msgspec

from forwarder.core.config.checks.names import mappings, scalars_of
from forwarder.core.config.model.routing import DROP
from forwarder.core.config.values.scalars import show
from forwarder.core.yaml.findings import Findings
from forwarder.core.yaml.node_builder import MAX_DEPTH, MAX_NODES
from forwarder.core.yaml.tree import Path, Scalar, Tree


def expand_groups(tree: dict[str, Tree], findings: Findings) -> None:
    """Report mistakes in the groups, and replace each group in a route by its destinations."""
    groups, destinations = tree.get("groups"), tree.get("destinations")
    if not isinstance(groups, dict):
        return
    resolver = _Resolver(groups, destinations if isinstance(destinations, dict) else {}, findings)
    for name in groups:
        if name == DROP:
            findings.add_at_key(
                ("groups", name),
                f'"{DROP}" cannot be a name, because "unmatched: {DROP}" means no destination; choose another name',
            )
        elif name in resolver.destinations:
            findings.add_at_key(
                ("groups", name), f"{show(name)} is already the name of a destination; choose another name"
            )
        resolver.resolve(name, ())
    for path, route in mappings(tree, "routes"):
        named = [name for _, name in scalars_of(route.get("to"), (*path, "to"))]
        # A group without a valid destination is reported already; its route is not changed.
        if any(name in groups for name in named) and (members := resolver.merge(named, ())):
            route["to"] = list(members)


class _Resolved(msgspec.Struct, frozen=True):
    members: tuple[Scalar, ...]
    height: int


class _Resolver:
    """Finds the destinations of each group, and keeps the result."""

    def __init__(self, groups: Mapping[str, Tree], destinations: Mapping[str, Tree], findings: Findings) -> None:
        self.destinations = destinations
        self._groups = groups
        self._known = {**destinations, **groups}
        self._findings = findings
        self._resolved: dict[str, _Resolved] = {}
        self._cost = 0
        self._is_depth_reported = False

    def resolve(self, name: str, above: tuple[str, ...]) -> _Resolved:
        """Return the destinations of a group; `above` are the groups that contain it, outermost first."""
        if name not in self._resolved:
            above = (*above, name)
            seen: dict[Scalar, None] = {}
            for place, member in scalars_of(self._groups[name], ("groups", name)):
                if member in seen:
                    self._findings.add(place, f"{show(member)} is listed twice; remove one of them")
                elif self._is_usable(member, above, place):
                    seen[member] = None
            members = self.merge(list(seen), above)
            heights = [self._resolved[member].height for member in seen if member in self._resolved]
            self._resolved[name] = _Resolved(members, 1 + max(heights, default=0))
            if self._resolved[name].height > MAX_DEPTH:
                self._report_deep(("groups", name))
        return self._resolved[name]

    def merge(self, names: list[Scalar], above: tuple[str, ...]) -> tuple[Scalar, ...]:
        """Return the destinations of a list of destinations and groups: each one once, in the order of the list."""
        merged: dict[Scalar, None] = {}
        for name in names:
            is_group = name in self._groups and name not in self.destinations
            members = self.resolve(str(name), above).members if is_group else (name,)
            self._cost += len(members)
            if self._cost > MAX_NODES:
                self._findings.add(
                    ("groups",), f"more than {MAX_NODES} destinations, where a group counts each time it is named"
                )
                break
            merged.update(dict.fromkeys(members))
        return tuple(merged)

    def _is_usable(self, member: Scalar, above: tuple[str, ...], place: Path) -> bool:
        if member in self.destinations:
            return True
        if member not in self._groups:
            hint = self._findings.did_you_mean(member, self._known)
            self._findings.add(place, f"{show(member)} is not a destination or a group{hint}")
            return False
        if member in above:
            way = " → ".join([*above[above.index(member) :], member])
            self._findings.add(place, f"a group cannot contain itself: {way}")
            return False
        if len(above) >= MAX_DEPTH:
            self._report_deep(place)
            return False
        return True

    def _report_deep(self, place: Path) -> None:
        if not self._is_depth_reported:
            self._is_depth_reported = True
            self._findings.add(place, f"groups are nested more than {MAX_DEPTH} deep here")
