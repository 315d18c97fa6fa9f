"""Explains how an event of the history was routed by the config of its time, and how the config of today would route it. Pure."""

from datetime import datetime

import msgspec

from forwarder.core.config.model.root import Config
from forwarder.core.config.model.routing import RoutedDestination, RoutingConfig
from forwarder.core.config.revision import NotARevisionError
from forwarder.core.config.routing_only import compared, load_revision
from forwarder.core.config.runtime import disabled_in, router_of
from forwarder.core.event import OWN_SOURCE, Event, NotAnEventError, decode_event
from forwarder.core.history import Record, StoredRevision
from forwarder.core.routing.explain import Explanation, difference, explain_walk
from forwarder.core.routing.router import Router

AnyConfig = Config | RoutingConfig


class ConfigThen(msgspec.Struct, frozen=True, kw_only=True):
    """The config that routed an event, or the reason why it is not known."""

    kept: StoredRevision | None = None
    config: AnyConfig | None = None
    why_not: str = ""


class PastRouting(msgspec.Struct, frozen=True, kw_only=True):
    """How an event of the history was routed, and how it would be routed today."""

    then: Explanation | None = None
    """`None` if the event or the config of its time is not known."""
    disabled_then: tuple[str, ...] = ()
    """The chosen destinations that were disabled."""
    today: Explanation | None = None
    """`None` if routes do not apply to the event."""
    disabled_today: tuple[str, ...] = ()
    why_not: str = ""
    """Why there is no explanation at all, as a sentence."""
    why_not_then: str = ""
    """Why the config of its time is not known; part of a sentence."""
    digest_then: str | None = None
    loaded_at: datetime | None = None
    """When the config of its time became active."""
    is_same_config: bool = False
    """Whether the routing part of today's config is that of its time."""
    is_same_routes: bool | None = None
    """Whether today's config has the same routes, and other settings of destinations at most; `None` if that is not known."""
    changed_destinations: tuple[str, ...] = ()
    """The destinations whose settings that routing depends on are others today, with those that are new or gone."""
    differences: tuple[str, ...] | None = None
    """How the routing of today differs, as sentences; `None` if that is not known."""


def config_then(kept: StoredRevision | None, today: AnyConfig) -> ConfigThen:
    """Return the config that was kept. If it is that of today, it is not read again."""
    if kept is None:
        return ConfigThen(why_not="the config of that time was not kept")
    if today.revision is not None and today.revision.digest == kept.digest:
        return ConfigThen(kept=kept, config=today)
    try:
        return ConfigThen(kept=kept, config=load_revision(kept.data))
    except NotARevisionError as error:
        return ConfigThen(kept=kept, why_not=f"this version cannot read the config of that time: {error}")


def event_of_record(record: Record) -> tuple[Event | None, str]:
    """Return the event for the routes, or why they do not apply to it, as a sentence."""
    if record["source"] == OWN_SOURCE:
        return None, "This is an event of forwarder itself; routes do not apply to it."
    try:
        return decode_event(record["body"].encode("utf-8", "surrogateescape")), ""
    except NotAnEventError as error:
        return None, f"This version cannot read it as an event: {error.detail}"


def walk(config: AnyConfig, event: Event, at: datetime, *, router: Router | None = None) -> Explanation:
    """Return how a config routes an event that is accepted at this time. `router` is that of the config, if it is built already."""
    names = [route.name for route in config.routes]
    return explain_walk(router_of(config) if router is None else router, event, at, names=names)


def disabled_of(explanation: Explanation, config: AnyConfig) -> tuple[str, ...]:
    """Return the chosen destinations that the config disables."""
    disabled = disabled_in(config)
    return tuple(name for name in explanation.chosen if name in disabled)


def _changed_destinations(then: AnyConfig, today: AnyConfig) -> tuple[str, ...]:
    names = {**then.destinations, **today.destinations}
    return tuple(name for name in names if _routed(then, name) != _routed(today, name))


def _routed(config: AnyConfig, name: str) -> tuple[object, ...] | None:
    settings = config.destinations.get(name)
    return None if settings is None else tuple(getattr(settings, key) for key in RoutedDestination.model_fields)


def explain_past(record: Record, then: ConfigThen, today: AnyConfig, *, router: Router | None = None) -> PastRouting:
    """Return how an event of the history was routed, and how it would be today. `router` is that of today's config."""
    event, why_not = event_of_record(record)
    digest, loaded_at = (None, None) if then.kept is None else (then.kept.digest, then.kept.loaded_at)
    known = {"digest_then": digest, "loaded_at": loaded_at, "why_not_then": then.why_not}
    if event is None:
        return msgspec.structs.replace(PastRouting(why_not=why_not), **known)
    at = datetime.fromisoformat(record["accepted_at"])
    after = walk(today, event, at, router=router)
    found = PastRouting(today=after, disabled_today=disabled_of(after, today))
    if then.config is None:
        return msgspec.structs.replace(found, **known)
    is_same, is_same_routes = compared(then.config.revision, today.revision)
    before = after if is_same else walk(then.config, event, at)
    return msgspec.structs.replace(
        found,
        **known,
        then=before,
        disabled_then=disabled_of(before, then.config),
        is_same_config=is_same,
        is_same_routes=is_same_routes,
        changed_destinations=_changed_destinations(then.config, today),
        differences=difference(before, after).sentences,
    )
