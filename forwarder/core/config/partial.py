"""Reads the part of a config that commands need to find the daemon: the outbox, the control socket, the names of destinations.

The rest of the file is ignored, so these commands also work during an edit and without the environment of the service.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import msgspec
from pydantic import ValidationError

from forwarder.core.config.include import FindFiles, nothing_included, read_config_nodes
from forwarder.core.config.model.admin import AdminConfig
from forwarder.core.config.model.outbox import OutboxConfig
from forwarder.core.config.values.scalars import is_null
from forwarder.core.yaml.findings import Findings
from forwarder.core.yaml.nodes import MapNode, RefusedError
from forwarder.core.yaml.problems import ConfigError
from forwarder.core.yaml.tree import Tree
from forwarder.core.yaml.variables import expand

_SECRETS_OF_ADMIN = ("token", "tls")
_WITH_SOURCES = ("routes", "matchers", "expect", "tests")
"""The sections whose conditions and events may name a source."""


class Outline(msgspec.Struct, frozen=True, kw_only=True):
    """The part of a config that says where the outbox and the control socket are, and which destinations there are."""

    outbox: OutboxConfig
    admin: AdminConfig
    destinations: frozenset[str]
    """The names of the enabled destinations."""


def load_outline(
    text: bytes, *, name: str, env: Mapping[str, str], find_files: FindFiles = nothing_included
) -> Outline:
    """Return the outline of a config. Raises `ConfigError` where the file is not YAML or these sections are not valid.

    `find_files` returns the files that `include` names. What is wrong with them is ignored too.
    """
    try:
        root = read_config_nodes(text, env=env, find=find_files).root
    except RefusedError as refused:
        raise ConfigError(name, [refused.problem]) from None
    findings = Findings(root, [])
    sections: dict[str, Tree] = {}
    if isinstance(root, MapNode):
        for key in root.entries.keys() & {"outbox", "admin", "destinations"}:
            sections[key] = expand(root.entries[key].value, env, Findings(root, []), (key,))
    if isinstance(admin_tree := sections.get("admin"), dict):  # its secrets need not exist
        sections["admin"] = {key: value for key, value in admin_tree.items() if key not in _SECRETS_OF_ADMIN}
    read: dict[str, OutboxConfig | AdminConfig] = {}
    for key, model in (("outbox", OutboxConfig), ("admin", AdminConfig)):
        try:
            section = sections.get(key, {})
            read[key] = model.model_validate({} if is_null(section) else section)
        except ValidationError as error:
            from forwarder.core.config.messages import report_error  # noqa: PLC0415 - it loads every model, to name keys by

            for detail in error.errors(include_url=False):
                report_error({**detail, "loc": (key, *detail["loc"])}, findings)
    outbox, admin = read.get("outbox"), read.get("admin")
    if not (isinstance(outbox, OutboxConfig) and isinstance(admin, AdminConfig)):
        raise ConfigError(name, findings.problems)
    destinations = sections.get("destinations")
    return Outline(outbox=outbox, admin=admin, destinations=_enabled(destinations))


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """The names that a config gives."""

    destinations: tuple[str, ...]
    """Also the disabled ones."""
    routes: tuple[str, ...]
    streams: tuple[str, ...]
    sources: tuple[str, ...] = ()
    """The values of `source` in conditions and in tests."""


def load_names(text: bytes, *, env: Mapping[str, str], find_files: FindFiles = nothing_included) -> Names:
    """Return the names in a config that `load_outline` has read, and in the files that it includes."""
    root = read_config_nodes(text, env=env, find=find_files).root
    found: dict[str, Tree] = {}
    if isinstance(root, MapNode):
        for key in root.entries.keys() & {"destinations", *_WITH_SOURCES, "streams"}:
            found[key] = expand(root.entries[key].value, env, Findings(root, []), (key,))
    destinations, routes, streams = (found.get(key) for key in ("destinations", "routes", "streams"))
    return Names(
        destinations=tuple(map(str, destinations)) if isinstance(destinations, dict) else (),
        routes=tuple(
            str(each.get("name", f"route {number}"))  # as the whole config names it
            for number, each in enumerate(routes, 1)
            if isinstance(each, dict)
        )
        if isinstance(routes, list)
        else (),
        streams=tuple(str(each.get("name", "main")) for each in streams if isinstance(each, dict))
        if isinstance(streams, list)
        else (),
        sources=tuple(dict.fromkeys(each for key in _WITH_SOURCES for each in _sources(found.get(key)))),
    )


def _sources(below: Tree | None) -> Iterator[str]:
    """Yield the values under each key `source`."""
    if isinstance(below, dict):
        for key, value in below.items():
            if key == "source" and not isinstance(value, dict):
                yield from (
                    str(each) for each in (value if isinstance(value, list) else [value]) if isinstance(each, str)
                )
            else:
                yield from _sources(value)
    elif isinstance(below, list):
        for each in below:
            yield from _sources(each)


def _enabled(destinations: object) -> frozenset[str]:
    if not isinstance(destinations, dict):
        return frozenset()
    return frozenset(
        name
        for name, settings in destinations.items()
        if not (isinstance(settings, dict) and str(settings.get("enabled")).lower() in {"false", "no", "off"})
    )
