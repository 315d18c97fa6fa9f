"""Secrets that a config file contains itself are found, whatever key has them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args, get_origin

import pytest

from forwarder.core.config.checks.literal_secrets import literal_secrets, warning_of_readable_file
from forwarder.core.config.model.root import Config
from forwarder.core.config.values.secret import Secret
from forwarder.core.config.values.section import Section
from forwarder.core.destinations.transport import Proxy
from tests.core.config.support import config_text, load

LITERAL = """
streams: [{api_key: k1}, {name: b, api_key: '${KEY}'}]
destinations:
  bot:
    url: https://bot.example/hook?token=abc
    headers: {X-Api-Key: k, X-Team: a, Cookie: '${KEY}'}
    auth: {bearer: t}
    signing: {scheme: hmac, header: X-Sig, secret: s1}
  discord: {url: 'https://discord.com/api/webhooks/1/tok', format: discord}
  basic: {url: 'https://u:p@bot.example/hook'}
  other: {url: 'https://bot.example/hook', auth: {basic: {username: u, password: p}}}
  expanded: {url: 'https://discord.com/api/webhooks/1/${KEY}', format: discord, auth: {bearer: '${KEY}'}}
  client: {url: 'https://bot.example/hook', tls: {cert: "-----BEGIN CERTIFICATE-----", key: "-----BEGIN PRIVATE KEY-----"}}
  plain: {url: 'https://bot.example/hook?page=1&token={{ mid }}'}
  azure: {url: 'https://bot.example/hook?sig=abcdef'}
  proxied: {url: 'https://bot.example/hook', proxy: 'http://u:p@proxy.example:3128'}
  proxied_too: {url: 'https://bot.example/hook', proxy: 'http://u:${KEY}@proxy.example:3128'}
  proxied_without: {url: 'https://bot.example/hook', proxy: 'http://proxy.example:3128'}
routes: [{to: bot}]
"""


def test_secrets_that_the_file_itself_contains_are_found() -> None:
    config = load(LITERAL, {"KEY": "value"})
    assert list(literal_secrets(config)) == [
        "streams[0].api_key",
        "destinations.bot.url",
        "destinations.bot.headers.X-Api-Key",
        "destinations.bot.auth.bearer",
        "destinations.bot.signing.secret",
        "destinations.discord.url",
        "destinations.basic.url",
        "destinations.other.auth.basic.password",
        "destinations.client.tls.key",
        "destinations.azure.url",
        "destinations.proxied.proxy",
    ]
    assert warning_of_readable_file("/etc/forwarder/config.yaml", config) == (
        "/etc/forwarder/config.yaml: every user of this machine can read it, and it contains secrets (streams[0].api_key, "
        "destinations.bot.url, destinations.bot.headers.X-Api-Key and 8 more): write them as ${NAME} or in files of their own, or let "
        "only the user of the daemon read it"
    )


def test_a_file_without_secrets_may_be_readable() -> None:
    assert warning_of_readable_file("config.yaml", load(config_text())) is None


def test_the_proxy_and_the_private_key_of_a_stream_are_secrets_too() -> None:
    key = "-----BEGIN PRIVATE KEY-----"
    cert = "-----BEGIN CERTIFICATE-----"
    text = config_text(stream=f"proxy: 'http://u:pw@p'\ntls: {{cert: '{cert}', key: '{key}'}}")
    assert sorted(literal_secrets(load(text))) == ["streams[0].proxy", "streams[0].tls.key"]
    assert list(literal_secrets(load(config_text(stream="proxy: 'http://p'")))) == []


def test_a_url_for_apprise_is_a_secret_where_it_is_written() -> None:
    text = config_text().replace("url: http://127.0.0.1:9000/hook", "apprise: pover://user@token")
    assert list(literal_secrets(load(text))) == ["destinations.bot.apprise"]


def test_a_token_and_a_key_in_the_config_itself_are_secrets() -> None:
    admin = "admin: {token: magpie-magpie-magpie, tls: {cert: '-----BEGIN CERTIFICATE-----', key: '-----BEGIN PRIVATE KEY-----'}}"
    assert {"admin.token", "admin.tls.key"} <= {*literal_secrets(load(config_text(rest=admin)))}
    assert "admin.token" not in {*literal_secrets(load(config_text(rest=admin)), "other.yaml")}


PEMS = """cert: "-----BEGIN CERTIFICATE-----", key: '-----BEGIN PRIVATE KEY-----'"""
TLS = f"tls: {{{PEMS}, ca: '-----BEGIN PRIVATE KEY-----'}}"
PROXY = "proxy: 'http://u:p@proxy.example:3128'"
EVERY = f"""
streams: [{{api_key: k1, {PROXY}, {TLS}}}]
admin: {{token: magpie-magpie-magpie, tls: {{{PEMS}}}}}
heartbeat: {{url: 'https://hc.example/ping', fail_url: 'https://hc.example/fail', {PROXY}, {TLS}}}
tracing: {{endpoint: 'https://u:p@traces.example/v1/traces', headers: {{x-tenant: magpie}}}}
destinations:
  one:
    url: https://bot.example/hook?token=abc
    headers: {{X-Api-Key: k}}
    auth: {{bearer: t}}
    signing: {{scheme: hmac, header: X-Sig, secret: s1}}
    {PROXY}
    {TLS}
  two: {{url: 'https://bot.example/hook', auth: {{basic: {{username: u, password: p}}}}}}
  three: {{apprise: 'pover://user@token'}}
routes: [{{to: one}}]
"""
ONLY_WITH_A_KEY = {"cert"}
"""The last key of a place with a certificate, which is no secret."""


def keys_of_secrets(kind: object, place: str = "") -> Iterator[str]:
    """Yield the places in the model whose type is that of a secret; a star stands for a name."""
    if kind in {Secret, Proxy}:
        yield place
    elif isinstance(kind, type) and issubclass(kind, Section):
        for name, field in kind.model_fields.items():
            yield from keys_of_secrets(field.annotation, f"{place}.{name}".lstrip("."))
    else:
        arguments: tuple[Any, ...] = get_args(kind)
        origin = get_origin(kind)
        if isinstance(origin, type) and issubclass(origin, Mapping):
            yield from keys_of_secrets(arguments[1], f"{place}.*")
        else:
            is_list = isinstance(origin, type) and issubclass(origin, Sequence)
            for each in arguments:
                yield from keys_of_secrets(each, place + "[]" * (is_list and isinstance(each, type)))


def test_every_key_of_the_config_that_may_have_a_secret_is_looked_at() -> None:
    names = {"one": "*", "two": "*", "three": "*", "X-Api-Key": "*", "x-tenant": "*"}
    found = {
        ".".join(names.get(part, part.replace("[0]", "[]")) for part in place.split("."))
        for place in literal_secrets(load(EVERY))
    }
    expected = {
        key.replace("signing.secret[]", "signing.secret")
        for key in keys_of_secrets(Config)
        if key.rpartition(".")[2] not in ONLY_WITH_A_KEY and not key.startswith("defaults.")  # these are the same
    }
    assert len(expected) > 15
    assert found == expected


def test_a_secret_of_the_defaults_is_found_once() -> None:
    defaults = "defaults: {headers: {X-Api-Key: k, X-Team: a}, auth: {bearer: t}}"
    assert list(literal_secrets(load(config_text(rest=defaults)))) == [
        "defaults.headers.X-Api-Key",
        "defaults.auth.bearer",
    ]


def test_an_included_file_has_no_secrets_but_those_of_its_destinations() -> None:
    assert list(literal_secrets(load(EVERY), "other.yaml")) == []


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:4318/v1/traces", "https://traces.example/v1/traces"])
def test_the_address_of_a_collector_without_a_password_is_no_secret(endpoint: str) -> None:
    assert list(literal_secrets(load(config_text(rest=f"tracing: {{endpoint: '{endpoint}'}}")))) == []
