"""What a config is built into, and that activating another one is one step."""

from datetime import UTC, datetime, timedelta

from forwarder.core.delivery import DestinationName
from forwarder.core.destinations.transport import Tls
from forwarder.core.dispatch.ordering import Order
from forwarder.core.routing.first_word import OnFull
from forwarder.daemon.runtime import ActiveRuntime, runtime_of
from forwarder.streams.websocket import WebSocketStream
from forwarder.tls.contexts import context_of
from tests.core.config.support import load

START = datetime(2026, 1, 1, tzinfo=UTC)
BOT, OPS, OFF = (DestinationName(name) for name in ("bot", "ops", "off"))
CONFIG = """
streams:
  - {name: main, api_key: k, gap_repair: true, on_failure: {to: ops}}
  - {name: backup, gap_repair: false, api_key: k}
destinations:
  bot: {url: 'http://127.0.0.1:9/', order: sid, on_failure: {to: ops, after: 1m}}
  ops: {url: 'http://127.0.0.1:9/', canary: {every: 1h}}
  off: {url: 'http://127.0.0.1:9/', enabled: false, canary: {every: 1h}, on_failure: {to: off2}}
  off2: {url: 'http://127.0.0.1:9/', enabled: false}
routes: [{to: [bot, off]}]
"""


def test_everything_that_the_daemon_needs_of_a_config_is_in_one_value() -> None:
    config = load(CONFIG, {})
    runtime = runtime_of(config)
    assert runtime.config is config
    table = runtime.routing_table
    assert [route.to for route in table.router.routes] == [(BOT, OFF)]
    assert table.disabled == {OFF, "off2"}
    assert table.orders == {BOT: Order.SID}
    assert table.on_full[BOT] is OnFull.IGNORE
    assert [each.name for each in runtime.destinations] == [BOT, OPS]
    assert [each.name for each in runtime.streams] == ["main", "backup"]
    assert list(runtime.canaries) == [OPS]
    assert runtime.recipients.of_destination[BOT].after == timedelta(minutes=1)
    assert [each.to for each in runtime.recipients.all] == [OPS]  # one that is disabled is nobody
    assert OFF not in runtime.recipients.of_destination
    assert runtime.gap_settings["main"].repairs
    assert runtime.gap_settings["main"].same_key == {"backup"}
    assert list(runtime.repair.sources) == ["main"]


def test_what_is_active_changes_as_a_whole() -> None:
    first = runtime_of(load(CONFIG, {}))
    active = ActiveRuntime(first, at=START)
    second = runtime_of(
        load("streams: [{api_key: k}]\ndestinations: {bot: {url: 'http://127.0.0.1:9/'}}\nroutes: [{to: bot}]\n", {})
    )
    later = START + timedelta(hours=1)
    active.activate(second, at=later)
    assert (active.runtime, active.config, active.routing_table) == (second, second.config, second.routing_table)
    assert active.since == later


def test_streams_and_histories_with_tls_share_one_context_with_the_destinations() -> None:
    text = CONFIG.replace("name: backup, gap_repair: false,", "name: backup, url: 'ws://127.0.0.1:9/ws',")
    runtime = runtime_of(load(text, {}))
    main = runtime.streams[0]
    assert isinstance(main, WebSocketStream)
    assert main.transport.context is context_of(Tls())
    assert runtime.repair.sources["main"].transport.context is main.transport.context
    plain = runtime_of(load(text.replace("name: main,", "name: main, url: 'ws://127.0.0.1:9/ws',"), {}))
    assert all(isinstance(each, WebSocketStream) and each.transport.context is None for each in plain.streams)
