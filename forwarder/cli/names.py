"""Tells a name that does not exist from one that simply has nothing to show."""

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from forwarder.cli.locations import Places, UsageError
from forwarder.configfile.includes import finder
from forwarder.configfile.locations import ConfigUnreadableError, read_text
from forwarder.core.config.partial import load_names
from forwarder.core.event import KNOWN_SOURCES
from forwarder.core.history import History, Query
from forwarder.core.yaml.nodes import RefusedError
from forwarder.core.yaml.problems import no_such


def require_names(
    found: Places,
    history: History,
    *,
    destination: str | None = None,
    route: str | None = None,
    source: str | None = None,
) -> None:
    """Raise `UsageError` for a name that is neither in the config nor in the outbox. Call it where a search found nothing."""
    if destination is None and route is None and source is None:
        return
    names = load_names(read_text(found.config), env=os.environ, find_files=finder(found.config))
    _require("destination", destination, names.destinations, lambda name: Query(destination=name, limit=1), history)
    _require("route", route, names.routes, lambda name: Query(route=name, limit=1), history)
    if source is None or source in {*KNOWN_SOURCES, *names.sources}:
        return
    if not any(history.events(Query(source=source, limit=1))):
        _require_source(source, names.sources)


def require_names_of_config(
    found: Places, *, destination: str | None = None, route: str | None = None, source: str | None = None
) -> None:
    """Raise `UsageError` for a name that is not in the config: nothing of that name passes through the daemon.

    A config that cannot be read now has every name: the daemon runs with an earlier version of it.
    """
    if destination is None and route is None and source is None:
        return
    try:
        names = load_names(read_text(found.config), env=os.environ, find_files=finder(found.config))
    except (ConfigUnreadableError, RefusedError):
        return
    if destination is not None and destination not in names.destinations:
        raise UsageError(no_such("destination", destination, names.destinations))
    if route is not None and route not in names.routes:
        raise UsageError(no_such("route", route, names.routes))
    if source is not None:
        _require_source(source, names.sources)


def require_source(config: Path, source: str | None) -> None:
    """Raise `UsageError` for a source that is neither known nor in the config."""
    if source is not None:
        names = load_names(read_text(config), env=os.environ, find_files=finder(config))
        _require_source(source, names.sources)


def _require_source(source: str, others: Sequence[str]) -> None:
    known = tuple(dict.fromkeys((*KNOWN_SOURCES, *others)))
    if source not in known:
        from forwarder.core.config.checks.sources import hint_of_source  # it loads every model of the config

        raise UsageError(no_such("source", source, known, hint=hint_of_source(source)))


def require_stream(found: Places, name: str | None, others: Sequence[str]) -> None:
    """Raise `UsageError` for a stream that is neither in the config nor one of `others`."""
    if name is None or name in others:
        return
    names = load_names(read_text(found.config), env=os.environ, find_files=finder(found.config))
    if name not in names.streams:
        raise UsageError(no_such("stream", name, sorted({*names.streams, *others})))


REMOVED, DISABLED = "not in the config any more", "disabled (enabled: false in the config)"


def absent(found: Places, names: Iterable[str]) -> dict[str, str]:
    """Return which of these destinations nothing is sent to because of the config, and why: `REMOVED` or `DISABLED`."""
    missing = sorted(set(names) - found.destinations)
    if not missing:
        return {}
    known = load_names(read_text(found.config), env=os.environ, find_files=finder(found.config)).destinations
    return {name: DISABLED if name in known else REMOVED for name in missing}


def require_enabled(found: Places, name: str) -> None:
    """Raise `UsageError` for a destination that nothing can be sent to."""
    if name not in found.destinations:
        raise UsageError(no_such("enabled destination", name, sorted(found.destinations)))


def _require(
    what: str, name: str | None, known: Sequence[str], query_for: Callable[[str], Query], history: History
) -> None:
    if name is None or name in known or any(history.deliveries(query_for(name))):
        return
    raise UsageError(no_such(what, name, known))
