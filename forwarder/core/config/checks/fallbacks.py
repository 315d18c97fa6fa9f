"""Checks `fallback` of destinations: that it names another destination, and that what waits is not given up before."""

from collections.abc import Iterator

from forwarder.core.config.checks.names import check_one, is_disabled, settings_of
from forwarder.core.config.model.root import Config
from forwarder.core.config.values.scalars import is_null
from forwarder.core.durations import write_duration
from forwarder.core.yaml.findings import Findings
from forwarder.core.yaml.problems import quote
from forwarder.core.yaml.tree import Path, Scalar, Tree


def check_fallback_names(tree: dict[str, Tree], findings: Findings) -> None:
    """Report fallbacks that do not exist, are disabled, or are the destination itself."""
    destinations = tree.get("destinations")
    groups = tree.get("groups")
    if not isinstance(destinations, dict):
        return
    for path, settings in settings_of(tree):
        written = settings.get("fallback")
        place: Path = (*path, "fallback", "to") if isinstance(written, dict) else (*path, "fallback")
        to = written.get("to") if isinstance(written, dict) else written
        if not isinstance(to, Scalar) or is_null(to):
            continue
        if path[1:] == (to,):
            findings.add(place, "a destination cannot be its own fallback; name another one")
            continue
        check_one(to, destinations, groups if isinstance(groups, dict) else {}, place, findings)
        if is_disabled(destinations.get(to)) and not is_disabled(settings):
            findings.add(place, f"{quote(str(to))} is disabled and gets nothing; name another destination")


def check_fallback_ages(config: Config, findings: Findings) -> None:
    """Report fallbacks that never get anything, because it is given up before."""
    for name, message in _too_late(config):
        findings.add(("destinations", name, "fallback", "after"), message)


def _too_late(config: Config) -> Iterator[tuple[str, str]]:
    for name, settings in config.destinations.items():
        if settings.fallback is None or not settings.enabled:
            continue
        to, after = settings.fallback.to, settings.fallback.after
        for whose, max_age in ((name, settings.retry.max_age), (to, config.destinations[to].retry.max_age)):
            if max_age is not None and max_age <= after:
                given_up = f"retry.max_age of {quote(whose)} gives an event up after {write_duration(max_age)}"
                yield name, f"{write_duration(after)} is too late: {given_up}; write a shorter one"
                break
