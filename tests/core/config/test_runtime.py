"""What the daemon gets of a config."""

from datetime import timedelta

from forwarder.core.config.runtime import (
    canaries_of,
    disabled_in,
    failure_recipients_of,
    high_destinations_of,
    on_full_of,
    orders_of,
    router_of,
    routing_table_of,
)
from forwarder.core.delivery import DestinationName
from forwarder.core.destinations.destination import CanaryPolicy, OnFailure
from forwarder.core.dispatch.ordering import Order
from forwarder.core.routing.first_word import OnFull
from tests.core.config.support import load

CONFIG = load(
    """
streams: [{api_key: k, on_failure: {to: ops, after: 0s}}, {name: second, api_key: k}]
expect: [{name: a, within: 1h, on_failure: {to: bot}}]
destinations:
  bot: {url: 'http://127.0.0.1/', order: sid, canary: {every: 1h}, on_failure: {to: ops, after: 1m}}
  ops: {url: 'https://discord.com/api/webhooks/1/x', format: discord, on_full: edit}
  off: {url: 'http://127.0.0.1/', enabled: false, canary: {every: 20s}, on_failure: {to: gone}}
  gone: {url: 'http://127.0.0.1/', enabled: false, order: strict}
routes:
  - {name: all, to: [bot, off], limit: {count: 5, per: 1m, summary: false}}
  - {name: not now, to: ops, enabled: false}
unmatched: ops
"""
)


def test_the_settings_of_each_destination() -> None:
    assert orders_of(CONFIG) == {"bot": Order.SID, "gone": Order.STRICT}
    assert on_full_of(CONFIG) == {
        "bot": OnFull.IGNORE,
        "ops": OnFull.EDIT,
        "off": OnFull.IGNORE,
        "gone": OnFull.IGNORE,
    }
    assert canaries_of(CONFIG) == {"bot": CanaryPolicy(every=timedelta(hours=1), within=timedelta(minutes=1))}
    assert disabled_in(CONFIG) == {"off", "gone"}


def test_who_is_notified_of_failures_is_enabled() -> None:
    recipients = failure_recipients_of(CONFIG)
    assert recipients.of_destination == {"bot": OnFailure(to=DestinationName("ops"), after=timedelta(minutes=1))}
    assert [each.to for each in recipients.all] == ["ops", "bot"]


def test_only_enabled_routes_are_walked() -> None:
    router = router_of(CONFIG)
    assert [(route.name, route.to) for route in router.routes] == [("all", ("bot", "off"))]
    assert router.unmatched == "ops"
    table = routing_table_of(CONFIG)
    assert [route.name for route in table.router.routes] == ["all"]
    assert (table.disabled, table.orders, table.on_full) == (
        disabled_in(CONFIG),
        orders_of(CONFIG),
        on_full_of(CONFIG),
    )


def test_a_destination_has_priorities_if_an_enabled_route_with_a_high_one_sends_there() -> None:
    destinations = (
        "destinations: {a: {url: http://127.0.0.1/}, b: {url: http://127.0.0.1/}, c: {url: http://127.0.0.1/}}"
    )
    routes = "routes: [{to: a, priority: high}, {to: b, priority: normal}, {to: c, priority: HIGH, enabled: false}]"
    config = load(f"streams: [{{api_key: key}}]\n{destinations}\n{routes}\n")
    assert high_destinations_of(config) == {"a"}
    assert router_of(config).high == frozenset({"route 1"})
    assert router_of(CONFIG).high is None
