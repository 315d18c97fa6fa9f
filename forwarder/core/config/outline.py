"""What the commands beside the daemon need of a config: where the outbox is, and the names of the destinations.

They work while an edit is half done and without the environment of the service: nothing else in the file is looked at.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import ValidationError

from forwarder.core.config.model import AdminConfig, OutboxConfig
from forwarder.core.config.nodes import MapNode, RefusedError, read_nodes
from forwarder.core.config.places import Findings
from forwarder.core.config.problems import ConfigError
from forwarder.core.config.sentences import tell
from forwarder.core.config.variables import expand
from forwarder.core.tree import Tree


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """The part of a config that says where things are."""

    outbox: OutboxConfig
    admin: AdminConfig
    destinations: frozenset[str]
    """The names of those that are not disabled."""


def load_outline(text: bytes, *, name: str, env: Mapping[str, str]) -> Outline:
    """Return the outline of a config. Raises `ConfigError` where the file is not YAML or these sections are wrong."""
    try:
        root, _ = read_nodes(text)
    except RefusedError as refused:
        raise ConfigError(name, [refused.problem]) from None
    findings = Findings(root, [])
    sections: dict[str, Tree] = {}
    if isinstance(root, MapNode):
        for key in root.entries.keys() & {"outbox", "admin", "destinations"}:
            sections[key] = expand(root.entries[key].value, env, Findings(root, []), (key,))
    read: dict[str, OutboxConfig | AdminConfig] = {}
    for key, model in (("outbox", OutboxConfig), ("admin", AdminConfig)):
        try:
            read[key] = model.model_validate(sections.get(key) or {})
        except ValidationError as error:
            for detail in error.errors(include_url=False):
                tell({**detail, "loc": (key, *detail["loc"])}, findings)
    outbox, admin = read.get("outbox"), read.get("admin")
    if not (isinstance(outbox, OutboxConfig) and isinstance(admin, AdminConfig)):
        raise ConfigError(name, findings.problems)
    destinations = sections.get("destinations")
    return Outline(outbox=outbox, admin=admin, destinations=_enabled(destinations))


def _enabled(destinations: object) -> frozenset[str]:
    if not isinstance(destinations, dict):
        return frozenset()
    return frozenset(
        name
        for name, settings in destinations.items()
        if not (isinstance(settings, dict) and str(settings.get("enabled")).lower() in {"false", "no", "off"})
    )
