"""What a valid file comes to."""

import copy
import pickle
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from forwarder.core.config import (
    Config,
    ConfigError,
    DestinationConfig,
    OutboxConfig,
    RouteConfig,
    Secret,
    StreamConfig,
)
from forwarder.core.config.signing import signing_of
from forwarder.core.event import Event, decode_event
from forwarder.core.matching import Subject
from forwarder.core.retry import NAMED_POLICIES, RetryPolicy
from forwarder.core.signing import Algorithm, Encoding, PlainSigning, PrivateKey, SecretKey, StandardSigning
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


def test_what_is_left_out_has_its_default() -> None:
    config = load(config_text())
    assert config.outbox == OutboxConfig()
    assert (config.unmatched, config.grace_period) == ("drop", timedelta(seconds=10))
    (stream,) = config.streams
    assert (stream.name, stream.transport, stream.url) == ("main", "websocket", "wss://scrape.st/ws")
    assert (stream.use_fast_x, stream.ignore_full_payload, stream.api_key_file) == (False, False, None)
    bot = config.destinations["bot"]
    assert (bot.timeout, bot.concurrency, bot.headers, bot.signing) == (timedelta(seconds=5), 16, {}, None)
    assert (bot.enabled, bot.retry) == (True, NAMED_POLICIES["live"])


def test_a_key_that_holds_nothing_is_as_if_left_out() -> None:
    config = load(
        config_text(stream="name: ~", destination="timeout:\nsigning: null\nurl_file:", route="name:", rest="outbox:")
    )
    assert config.destinations["bot"].timeout == timedelta(seconds=5)
    assert config.routes[0].name == "route 1"
    assert config.outbox == OutboxConfig()


def test_secrets_may_come_from_files() -> None:
    config = load(
        """
streams: [{api_key_file: /run/credentials/key}]
destinations:
  bot: {url_file: /run/credentials/url, signing: {secret_file: /run/credentials/secret}}
routes: [{to: bot}]
"""
    )
    assert config.streams[0].api_key.reveal() == "magpie-key-of-a-file"
    assert config.streams[0].api_key_file == "/run/credentials/key"
    bot = config.destinations["bot"]
    assert bot.url.reveal() == "https://example.com/magpie"
    assert bot.signing is not None
    assert [secret.reveal() for secret in bot.signing.secret] == ["MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"]


@pytest.mark.parametrize("sid", ["0777", "12:30:45", "1e3", "no", "1234567890123456789", "0x10", "2001-01-01", "1_000"])
def test_an_id_is_the_text_that_stands_in_the_file(sid: str) -> None:
    route = load(config_text(route=f"match: {{sid: {sid if ':' not in sid else repr(sid)}}}")).routes[0]
    block = load(config_text(route=f"match:\n  sid: {sid}")).routes[0]
    for condition in (route.match, block.match):
        assert condition.matches(Subject(event("", sid=sid), NOW))
        assert not condition.matches(Subject(event("", sid=sid + "0"), NOW))
        assert not condition.matches(Subject(event("", sid="45045"), NOW))


def test_names_are_text_too() -> None:
    text = config_text().replace("bot", "007")
    assert list(load(text).destinations) == ["007"]


def test_an_earlier_merge_and_the_mapping_itself_win() -> None:
    config = load(
        "x-a: &a {timeout: 1s, concurrency: 1}\nx-b: &b {timeout: 2s, concurrency: 2, enabled: false}\n"
        + config_text(destination="<<: [*a, *b]\nconcurrency: 3")
    )
    bot = config.destinations["bot"]
    assert (bot.timeout, bot.concurrency, bot.enabled) == (timedelta(seconds=1), 3, False)


def test_the_sources_of_unmatched_and_routes_may_be_one_destination() -> None:
    assert load(config_text(rest="unmatched: bot")).unmatched == "bot"


@pytest.mark.parametrize(
    "url", ["sqlite:outbox.db", "sqlite:var/outbox.db", "sqlite:///outbox.db", "sqlite:/outbox.db"]
)
def test_an_outbox_may_be_a_path(url: str) -> None:
    assert load(config_text(rest=f"outbox: {{url: '{url}'}}")).outbox.url == url


@pytest.mark.parametrize(
    "url",
    ["sqlite:", "sqlite:///", "sqlite://", "sqlite::memory:", "sqlite://host/a.db", "postgres://a/b", "outbox.db", ""],
)
def test_an_outbox_is_nothing_else(url: str) -> None:
    with pytest.raises(ConfigError, match=r"expected sqlite:///absolute/path or sqlite:relative/path"):
        load(config_text(rest=f"outbox: {{url: '{url}'}}"))


@pytest.mark.parametrize(
    "url", ["http://", "http://:80/", "http://a b/", "http://[::1", "http://h:0/", "//h/", "ftp://h/", ""]
)
def test_a_webhook_needs_a_scheme_and_a_host(url: str) -> None:
    with pytest.raises(ConfigError, match=r"^config.yaml:5:10: destinations.bot.url: "):
        load(config_text().replace("http://127.0.0.1:9000/hook", f"'{url}'"))


def test_nothing_secret_is_in_the_repr() -> None:
    assert CANARY not in repr(load(DESIGN))
    assert CANARY not in str(load(DESIGN))


def test_a_secret_hides_itself_and_its_length() -> None:
    secret = Secret("magpie")
    assert {repr(secret), str(secret), f"{secret}", f"{secret!r}", repr(Secret(""))} == {"***"}
    assert secret == Secret("magpie") != Secret("other")
    assert secret != "magpie"
    assert len({secret, Secret("magpie")}) == 1
    assert copy.deepcopy(secret) == pickle.loads(pickle.dumps(secret)) == secret  # noqa: S301 - our own bytes


def test_a_config_can_be_built_without_a_file() -> None:
    config = Config(
        streams=[StreamConfig(api_key=Secret("k"))],
        destinations={
            "a": DestinationConfig(
                url=Secret("http://a/"), timeout=timedelta(seconds=1), retry=RetryPolicy(delays=()), concurrency=2
            )
        },
        routes=[RouteConfig(name="all", to=["a"])],
    )
    assert config.destinations["a"].retry.delays == ()
    assert config.routes[0].match.matches(Subject(event(""), NOW))
    with pytest.raises(ValidationError):
        DestinationConfig(url=Secret("http://a/"), timeout=timedelta(hours=1))


def test_a_config_cannot_be_changed() -> None:
    config = load(config_text())
    with pytest.raises(ValidationError):
        config.unmatched = "bot"


def test_every_key_has_a_description_for_editors() -> None:
    schema = Config.model_json_schema()
    for model in (schema, *schema["$defs"].values()):
        for name, field in model["properties"].items():
            assert field["description"], name


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("", PlainSigning(keys=(b"s",), header="X-Hub-Signature-256", prefix="sha256=")),
        (
            "algorithm: sha1, encoding: base64",
            PlainSigning(
                keys=(b"s",),
                header="X-Hub-Signature",
                algorithm=Algorithm.SHA1,
                encoding=Encoding.BASE64,
                prefix="sha1=",
            ),
        ),
        (
            'header: Authorization, prefix: "HMAC "',
            PlainSigning(keys=(b"s",), header="Authorization", prefix="HMAC "),
        ),
        ('header: X-A, prefix: ""', PlainSigning(keys=(b"s",), header="X-A")),
        (
            "timestamped: true",
            PlainSigning(keys=(b"s",), header="Stripe-Signature", is_timestamped=True),
        ),
    ],
)
def test_a_plain_signature_is_as_github_has_it_but_for_what_is_written(written: str, expected: PlainSigning) -> None:
    bot = load(config_text(destination=f"signing: {{scheme: hmac, secret: s, {written}}}")).destinations["bot"]
    assert signing_of(bot.signing) == expected


def test_a_file_may_hold_several_secrets_one_a_line() -> None:
    bot = load(config_text(destination="signing: {secret_file: /run/credentials/two-secrets}")).destinations["bot"]
    assert signing_of(bot.signing) == StandardSigning(
        (SecretKey(b"012345678901234567890123"), PrivateKey(b"01234567890123456789012345678901"))
    )


def test_any_text_on_one_line_is_a_plain_secret() -> None:
    secret = "whsec_not base64, ключ: {}"
    bot = load(
        config_text(destination="signing: {scheme: hmac, timestamped: true, secret: ['${A}', b]}"),
        {"SCRAPEST_API_KEY": "k", "A": secret},
    ).destinations["bot"]
    signing = signing_of(bot.signing)
    assert isinstance(signing, PlainSigning)
    assert signing.keys == (secret.encode(), b"b")
    assert "ключ" not in repr(bot)
