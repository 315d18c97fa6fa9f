"""The values of a valid file."""

from datetime import UTC, datetime, timedelta

import pytest

import forwarder.core.config
from forwarder.core.config import (
    ConfigError,
    Secret,
    StreamConfig,
)
from forwarder.core.config.runtime import router_of
from forwarder.core.dispatch.retry import NAMED_POLICIES, RetryPolicy
from forwarder.core.event import Event, decode_event
from forwarder.core.matching import Subject
from tests.core.config.support import CANARY, config_text, load

NOW = datetime(2026, 1, 1, tzinfo=UTC)

DESIGN = r"""
# yaml-language-server: $schema=./config.schema.json
x-usual: &usual
  timeout: 7s
  headers: {X-Usual: "yes"}

streams:
  - name: main
    transport: websocket
    url: wss://scrape.st/ws
    api_key: ${SCRAPEST_API_KEY}
    use_fast_x: true
    ignore_full_payload: false

outbox:
  url: sqlite:///var/lib/forwarder/outbox.db
  durability: full
  keep_delivered: 24h
  keep_dead: 30d

destinations:
  bot:
    url: http://127.0.0.1:9000/hook
    headers: {Authorization: "Bearer ${BOT_TOKEN}"}
    timeout: 5s
    concurrency: 16
    signing: {secret: "${BOT_SECRET}"}
    retry: live
    enabled: true
  alerts:
    <<: *usual
    url: ${DISCORD_WEBHOOK_URL}
    format: discord
    retry: {delays: [500ms, 5s, 1h30m]}
    enabled: FALSE

routes:
  - name: contract addresses
    match:
      source: [x, fast-x]
      text: {regex: '\b0x[0-9a-fA-F]{40}\b'}
    to: [bot, alerts]
    stop: true
  - to: bot

unmatched: drop
"""


def event(text: str, *, sid: str = "1", source: str = "x") -> Event:
    return decode_event(
        f'{{"source":"{source}","sid":"{sid}","mid":"2","timestamp":0,"payload":{{"text":"{text}"}}}}'.encode()
    )


def test_the_file_of_the_design_loads() -> None:
    config = load(DESIGN)
    (stream,) = config.streams
    assert stream == StreamConfig(api_key=Secret("magpie-key"), use_fast_x=True)
    assert config.outbox.url == "sqlite:///var/lib/forwarder/outbox.db"
    assert (config.outbox.keep_delivered, config.outbox.keep_dead) == (timedelta(hours=24), timedelta(days=30))
    bot, alerts = config.destinations["bot"], config.destinations["alerts"]
    assert bot.url is not None
    assert bot.url.reveal() == "http://127.0.0.1:9000/hook"
    assert bot.headers["Authorization"].reveal() == "Bearer magpie-token"
    assert bot.signing is not None
    assert [secret.reveal()[:6] for secret in bot.signing.secret] == ["whsec_"]
    assert bot.retry is NAMED_POLICIES["live"] or bot.retry == NAMED_POLICIES["live"]
    assert alerts.retry == RetryPolicy(
        delays=(timedelta(milliseconds=500), timedelta(seconds=5), timedelta(hours=1, minutes=30))
    )
    assert (bot.timeout, alerts.timeout) == (timedelta(seconds=5), timedelta(seconds=7))
    assert alerts.headers["X-Usual"].reveal() == "yes"
    assert (bot.enabled, alerts.enabled) == (True, False)
    assert [(route.name, route.to, route.stop) for route in config.routes] == [
        ("contract addresses", ["bot", "alerts"], True),
        ("route 2", ["bot"], False),
    ]
    first, second = (route.match for route in config.routes)
    assert first.matches(Subject(event("buy 0x52908400098527886E0F7030069857D2E4169EE7"), NOW))
    assert not first.matches(Subject(event("nothing"), NOW))
    assert second.matches(Subject(event("nothing"), NOW))


@pytest.mark.parametrize("sid", ["0777", "12:30:45", "1e3", "no", "1234567890123456789", "0x10", "2001-01-01", "1_000"])
def test_an_id_is_the_text_that_is_in_the_file(sid: str) -> None:
    route = load(config_text(route=f"match: {{sid: {sid if ':' not in sid else repr(sid)}}}")).routes[0]
    block = load(config_text(route=f"match:\n  sid: {sid}")).routes[0]
    for condition in (route.match, block.match):
        assert condition.matches(Subject(event("", sid=sid), NOW))
        assert not condition.matches(Subject(event("", sid=sid + "0"), NOW))
        assert not condition.matches(Subject(event("", sid="45045"), NOW))


def test_an_earlier_merge_and_the_mapping_itself_win() -> None:
    config = load(
        "x-a: &a {timeout: 1s, concurrency: 1}\nx-b: &b {timeout: 2s, concurrency: 2, enabled: false}\n"
        + config_text(destination="<<: [*a, *b]\nconcurrency: 3")
    )
    bot = config.destinations["bot"]
    assert (bot.timeout, bot.concurrency, bot.enabled) == (timedelta(seconds=1), 3, False)


def test_nothing_secret_is_in_the_repr() -> None:
    assert CANARY not in repr(load(DESIGN))
    assert CANARY not in str(load(DESIGN))


def test_a_name_that_the_package_does_not_have() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
        forwarder.core.config.Nothing  # noqa: B018 - that is what is tested


def test_a_file_that_is_a_list_is_no_config() -> None:
    with pytest.raises(ConfigError, match="expected a mapping, got a list"):
        load("[a]")


def test_the_words_of_the_config_may_be_in_another_case() -> None:
    config = load("""
streams: [{api_key: k, transport: WebSocket}]
outbox: {durability: Normal}
destinations:
  bot:
    url: ${DISCORD_WEBHOOK_URL}
    format: Discord
    on_full: EDIT
    order: Strict
    retry: Standard
    pause_after: Never
  Other:
    url: http://127.0.0.1:9000/hook
    method: put
    format: {type: RAW}
    compression: GZip
    enabled: False
    retry: {schedule: LIVE, statuses: {404: Dead}, max_age: 1h, on_expiry: Digest}
    signing: {scheme: HMAC, secret: "${BOT_SECRET}", algorithm: SHA1, encoding: Base64}
networks: {deny: Private, allow: 127.0.0.1}
routes: [{to: bot, prefer: First, limit: {count: 1, per: 1m, summary: FALSE}, match: {now: {days: Mon}}}]
unmatched: Drop
tests: [{event: {}, expect: Nowhere}]
""")
    bot, other = config.destinations["bot"], config.destinations["Other"]
    assert (config.streams[0].transport, config.outbox.durability, config.unmatched) == ("websocket", "normal", "drop")
    assert (bot.format.type, bot.on_full, bot.order, bot.pause_after) == ("discord", "edit", "strict", None)
    assert bot.retry.delays == NAMED_POLICIES["standard"].delays
    assert (other.method, other.format.type, other.compression, other.enabled) == ("PUT", "raw", "gzip", False)
    assert (other.retry.statuses, other.retry.on_expiry) == ({"404": "dead"}, "digest")
    assert other.signing is not None
    assert (other.signing.scheme, other.signing.algorithm, other.signing.encoding) == ("hmac", "sha1", "base64")
    assert [each.name for each in config.networks.value.deny] == ["private"]
    route = config.routes[0]
    assert route.limit is not None
    assert (route.prefer, route.limit.summary) == ("first", False)
    assert config.tests[0].expected == {}
    assert router_of(config).unmatched is None


def test_a_name_comes_before_a_word_that_looks_like_it() -> None:
    config = load(config_text(rest="unmatched: Drop").replace("bot", "Drop"))
    assert config.unmatched == "Drop"


def test_a_notice_to_a_destination_that_is_disabled_in_capitals_is_refused() -> None:
    text = config_text(destination="on_failure: {to: alerts}", rest="unmatched: bot").replace(
        "routes:", "  alerts: {url: 'http://127.0.0.1:9001/', enabled: FALSE}\nroutes:"
    )
    with pytest.raises(ConfigError, match="is disabled and gets no notices"):
        load(text)
