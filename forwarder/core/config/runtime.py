"""Turns a config into the values that the daemon works with."""

from typing import Protocol

from forwarder.core.config import Config
from forwarder.core.config.model.on_failure import OnFailureConfig
from forwarder.core.config.model.routing import DROP, RoutingConfig
from forwarder.core.delivery import DestinationName
from forwarder.core.destinations.destination import BacklogLimit, CanaryPolicy, FailureRecipients, Fallback, OnFailure
from forwarder.core.destinations.heartbeat import Heartbeat
from forwarder.core.dispatch.ordering import Order
from forwarder.core.dispatch.priority import Priority
from forwarder.core.routing.first_word import OnFull
from forwarder.core.routing.limiter import RouteLimit
from forwarder.core.routing.quiet import QuietPlan
from forwarder.core.routing.router import Route, Router
from forwarder.core.routing.table import RoutingTable


class ActiveConfig(Protocol):
    """Holds the config that is active now. A reload replaces it."""

    @property
    def config(self) -> Config:
        """The config that is active now."""
        ...


def orders_of(config: Config) -> dict[DestinationName, Order]:
    """Return the order of each destination with `order: sid` or `strict`."""
    return {
        DestinationName(name): settings.order
        for name, settings in config.destinations.items()
        if settings.order is not Order.NONE
    }


def on_full_of(config: Config | RoutingConfig) -> dict[DestinationName, OnFull]:
    """Return `on_full` of each destination."""
    return {DestinationName(name): settings.on_full for name, settings in config.destinations.items()}


def failure_recipients_of(config: Config) -> FailureRecipients:
    """Return who is notified when a destination fails, of the recipients that are enabled."""

    def of(wanted: OnFailureConfig | None) -> OnFailure | None:
        if wanted is None or not config.destinations[wanted.to].enabled:
            return None
        return OnFailure(to=DestinationName(wanted.to), after=wanted.after)

    of_destination = {DestinationName(name): of(each.on_failure) for name, each in config.destinations.items()}
    rest = [*(of(each.on_failure) for each in config.streams), *(of(each.on_failure) for each in config.expect)]
    found = [each for each in (*of_destination.values(), *rest) if each is not None]
    return FailureRecipients(
        of_destination={name: each for name, each in of_destination.items() if each is not None},
        all=tuple({each.to: each for each in reversed(found)}.values())[::-1],
    )


def canaries_of(config: Config) -> dict[DestinationName, CanaryPolicy]:
    """Return the canary of each enabled destination that has one."""
    return {
        DestinationName(name): settings.canary.value()
        for name, settings in config.destinations.items()
        if settings.enabled and settings.canary is not None
    }


def heartbeat_of(config: Config) -> Heartbeat | None:
    """Return the outside monitor; `None` where there is none."""
    return None if config.heartbeat is None else config.heartbeat.value(config.networks.value)


def fallbacks_of(config: Config) -> list[Fallback]:
    """Return the fallback of each enabled destination that has one."""
    return [
        settings.fallback.value(name)
        for name, settings in config.destinations.items()
        if settings.enabled and settings.fallback is not None and config.destinations[settings.fallback.to].enabled
    ]


def backlog_limits_of(config: Config) -> list[BacklogLimit]:
    """Return the backlog that each enabled destination may have before somebody is notified."""
    return [
        BacklogLimit(of=DestinationName(name), count=wanted.backlog.count, age=wanted.backlog.age)
        for name, settings in config.destinations.items()
        if settings.enabled and (wanted := settings.on_failure) is not None and wanted.backlog is not None
    ]


def disabled_in(config: Config | RoutingConfig) -> frozenset[DestinationName]:
    """Return the names of the destinations with `enabled: false`."""
    return frozenset(DestinationName(name) for name, settings in config.destinations.items() if not settings.enabled)


def high_destinations_of(config: Config) -> frozenset[DestinationName]:
    """Return the destinations that an enabled route with `priority: high` sends to."""
    high = (route for route in config.routes if route.enabled and route.priority is Priority.HIGH)
    return frozenset(DestinationName(name) for route in high for name in route.to)


def routing_table_of(config: Config) -> RoutingTable:
    """Return everything that decides where an event goes."""
    return RoutingTable(
        router=router_of(config),
        disabled=disabled_in(config),
        orders=orders_of(config),
        on_full=on_full_of(config),
        quiet=quiet_of(config),
    )


def quiet_of(config: Config | RoutingConfig) -> QuietPlan | None:
    """Return the quiet hours of the routes and destinations; `None` where there are none."""
    of_destinations = {
        DestinationName(name): settings.quiet.value()
        for name, settings in config.destinations.items()
        if settings.quiet is not None
    }
    of_routes = {route.name: route.quiet.value() for route in config.routes if route.quiet is not None}
    if not (of_destinations or of_routes):
        return None
    return QuietPlan(of_destinations=of_destinations, of_routes=of_routes)


def destination_limits_of(config: Config | RoutingConfig) -> dict[DestinationName, RouteLimit]:
    """Return the limits of the enabled destinations that have one."""
    return {
        DestinationName(name): settings.limit.value([name])
        for name, settings in config.destinations.items()
        if settings.enabled and settings.limit is not None
    }


def router_of(config: Config | RoutingConfig) -> Router:
    """Return the routes that are enabled, as the router that walks them."""
    return Router(
        routes=[
            Route(
                name=route.name,
                condition=route.match,
                to=tuple(DestinationName(name) for name in route.to),
                stop=route.stop,
                prefer=route.prefer,
                wait=route.wait,
                sample=route.sample,
                limit=None if route.limit is None else route.limit.value(route.to),
                priority=route.priority,
                quiet=None if route.quiet is None else route.quiet.value(),
            )
            for route in config.routes
            if route.enabled
        ],
        unmatched=None if config.unmatched == DROP else DestinationName(config.unmatched),
        destination_limits=destination_limits_of(config),
    )
