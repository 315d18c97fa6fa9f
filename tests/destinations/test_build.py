"""The settings of a config become destinations."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from forwarder.core.delivery import Answered
from forwarder.core.destinations.request import Renderer
from forwarder.core.destinations.transport import Tls
from forwarder.core.dispatch.ordering import Order
from forwarder.core.dispatch.retry import Rule
from forwarder.destinations.build import destinations_of
from tests.core.config.support import ENV, config_text, load
from tests.destinations.formats.support import delivery
from tests.support.raw import sender_to, serving


def destination(lines: str) -> str:
    """The config of one destination, `bot`, with these lines in place of its URL."""
    return config_text().replace("url: http://127.0.0.1:9000/hook", "\n    ".join(lines.splitlines()))


@pytest.mark.parametrize(
    ("lines", "rule"),
    [
        ("url: 'https://a.example/{{ mid }}'", Rule.DEAD),
        ("url: 'https://a.example/?id={{ mid }}'\nretry: {statuses: {404: dead}}", Rule.DEAD),
        ("url: 'https://a.example/{{ mid }}'\nretry: {statuses: {410: pause}}", Rule.PAUSE),
        ("url: 'https://a.example/{{ mid }}'\nretry: {statuses: {4xx: retry}}", Rule.RETRY),
        ("url: https://a.example/", Rule.PAUSE),
        ("url: https://a.example/\nformat: {type: template, body: '{{ mid }}', content_type: text/plain}", Rule.PAUSE),
    ],
)
def test_gone_pauses_no_destination_whose_url_is_of_the_event_alone(lines: str, rule: Rule) -> None:
    (found,) = destinations_of(load(destination(lines)))
    assert found.retry.rule_of(Answered(status=410)) is rule


SIGNED = "/hook/%3Aab%2Fc%40d//%7e/../e?sig=a%2Fb&z=%3A%40+[1]|&"


@pytest.mark.parametrize(
    ("target", "lines", "sent"),
    [
        (SIGNED, "", SIGNED),
        ("/bare?", "", "/bare?"),
        ("?only=%2F", "", "/?only=%2F"),
        ("/ü#not-sent", "", "/%C3%BC"),
        (f"{SIGNED}{{{{ source }}}}", "", f"{SIGNED}forwarder"),
        ("/{{ source }}?", "", "/forwarder?"),
        ("/%3A?b=%2F", "compression: gzip\ncompress_from: 0B", "/%3A?b=%2F"),
        ("/%3A?", "format: {type: template, body: 'a', content_type: text/plain}", "/%3A?"),
        ("/webhooks/1/%3A?x=%2F", "format: discord", "/webhooks/1/%3A?x=%2F&wait=true"),
        ("/%3A?x=%2F", "format: slack", "/%3A?x=%2F"),
        ("/bot1:%3A/sendMessage?x=%2F&chat_id=%2D100", "format: telegram", "/bot1:%3A/sendMessage?x=%2F"),
    ],
)
@pytest.mark.parametrize("is_proxied", [False, True])
async def test_the_request_line_has_the_url_as_it_is_written(
    target: str, lines: str, sent: str, is_proxied: bool
) -> None:
    heads: list[str] = []

    async def note(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    async with serving(note) as port:
        host = "a.example" if is_proxied else f"127.0.0.1:{port}"
        proxy = f"\nproxy: http://127.0.0.1:{port}" if is_proxied else ""
        text = destination(f"url: 'http://{host}{target}'\n{lines}{proxy}".replace("\n\n", "\n"))
        (found,) = destinations_of(load(text))
        renderer = Renderer(headers={}, signing=None, policy=found.retry, format_=found.format_)
        now = datetime(2026, 1, 1, tzinfo=UTC)
        request = renderer.render(delivery(b'{"source": "forwarder", "mid": "1", "payload": {"text": "a"}}'), now=now)
        async with sender_to(found.url, transport=found.transport) as sender:
            assert await sender.send(request) == Answered(status=200)
    (head,) = heads
    assert head.splitlines()[0] == f"POST {'http://a.example' if is_proxied else ''}{sent} HTTP/1.1"


def test_networks_hold_for_every_destination() -> None:
    rest = "networks: {deny: [private, 203.0.113.0/24, '2001:db8::/32'], allow: 10.1.2.3}"
    (destination,) = destinations_of(load(config_text(destination="socket: /run/bot.sock", rest=rest)))
    assert destination.transport.socket == "/run/bot.sock"
    networks = destination.transport.networks
    assert networks.why_not("10.1.2.3") is None
    assert networks.why_not("10.1.2.4") == "10.1.2.4 is in networks.deny (private)"
    (other,) = destinations_of(load(config_text(destination="socket: /run/bot.sock")))
    assert other != destination


@pytest.mark.parametrize(
    ("text", "age"),
    [
        (config_text(), timedelta(minutes=5)),
        (config_text(destination="max_connection_age: 30s"), timedelta(seconds=30)),
        (config_text(rest="defaults: {max_connection_age: 1h}"), timedelta(hours=1)),
    ],
)
def test_how_old_a_connection_may_become_is_set_per_destination_or_for_all(text: str, age: timedelta) -> None:
    (found,) = destinations_of(load(text))
    assert found.transport.max_connection_age == age


def test_a_destination_that_is_disabled_is_not_built() -> None:
    text = config_text(rest="unmatched: drop").replace(
        "  bot:\n", "  off: {url: 'http://a.example/', enabled: false}\n  bot:\n"
    )
    assert [each.name for each in destinations_of(load(text))] == ["bot"]


def test_what_the_config_leaves_out_is_as_documented() -> None:
    (found,) = destinations_of(load(config_text()))
    assert found.url == "http://127.0.0.1:9000/hook"
    assert found.transport.tls == Tls()
    assert (found.transport.proxy, found.transport.socket, found.signing, found.allowances) == (None, None, None, ())
    assert (found.order, found.rate_limit, found.retry.canary_age) == (Order.NONE, None, timedelta())


def test_the_authorization_is_one_of_the_headers() -> None:
    (found,) = destinations_of(load(config_text(destination="headers: {X-A: b}\nauth: {bearer: token}")))
    assert found.headers == {"X-A": "b", "Authorization": "Bearer token"}


def test_a_canary_is_given_up_when_the_next_one_is_due() -> None:
    (found,) = destinations_of(load(config_text(destination="canary: {every: 10m, within: 1m}")))
    assert found.retry.canary_age == timedelta(minutes=10)


@pytest.mark.parametrize(
    ("lines", "rule"),
    [
        ("url: https://discord.com/api/webhooks/1/a\nformat: discord", Rule.PAUSE),
        ("url: https://relay.example/hook\nformat: discord", Rule.PAUSE),
        ("url: https://discord.com/api/webhooks/1/a\nformat: discord\nretry: {statuses: {404: dead}}", Rule.DEAD),
        ("url: https://a.example/", Rule.SLOW),
    ],
)
def test_a_service_has_its_own_rules_which_the_config_can_change(lines: str, rule: Rule) -> None:
    (found,) = destinations_of(load(destination(lines)))
    assert found.retry.rule_of(Answered(status=404)) is rule


def test_the_limits_of_a_service_are_those_of_its_webhook_or_of_its_chat() -> None:
    def keys(lines: str) -> list[str]:
        (found,) = destinations_of(load(destination(lines)))
        return [each.key for each in found.allowances]

    webhook = "url: https://discord.com/api/webhooks/1/a\nformat: discord"
    assert (
        keys(webhook) == keys(webhook + "\nconcurrency: 3") == ["discord webhook discord.com 1", "discord discord.com"]
    )
    bot = "url: 'https://api.telegram.org/bot1:a/sendMessage{query}'\nformat: {format}"
    in_url = keys(bot.format(query="?chat_id=-5", format="telegram"))
    in_format = keys(bot.format(query="", format="{type: telegram, chat_id: -5}"))
    other = keys(bot.format(query="", format="{type: telegram, chat_id: -6}"))
    assert in_url == in_format != other


TEMPLATE = "{type: template, body: '{}'}"


@pytest.mark.parametrize(
    ("url", "format_", "service"),
    [
        ("https://api.telegram.org/bot1:t/sendMessage", TEMPLATE, "telegram"),
        ("https://discord.com/api/webhooks/1/t/slack", TEMPLATE, "discord"),
        ("http://127.0.0.1:9/bot1:t", "{type: telegram, chat_id: 5}", "telegram"),
        ("http://127.0.0.1:9/hooks/x", "slack", "slack"),
        ("http://127.0.0.1:9/hooks/x", "raw", None),
        ("http://127.0.0.1:9/hooks/{{ sid }}", "slack", None),  # the error may concern the address of one event
    ],
)
def test_whose_errors_are_known(url: str, format_: str, service: str | None) -> None:
    text = config_text().replace("url: http://127.0.0.1:9000/hook", f'url: "{url}"\n    format: {format_}')
    (found,) = destinations_of(load(text))
    assert found.answers.service == service
    assert found.answers.success is None


def test_a_header_is_a_template_only_if_the_file_says_so() -> None:
    lines = "url: http://127.0.0.1:9000/hook\nheaders: {A: '${TEXT}', B: 'b', C: '{{ source }} ${TEXT}'}\nmethod: PATCH"
    (found,) = destinations_of(load(destination(lines), {**ENV, "TEXT": "{{ 1 }}"}))
    assert found.headers == {"A": "{{ 1 }}", "B": "b"}
    content = found.format_(delivery(b'{"source":"x"}'))
    assert (dict(content.headers), content.method, content.body) == ({"C": "x 1"}, "PATCH", b'{"source":"x"}')
    (same,) = destinations_of(load(destination(lines), {**ENV, "TEXT": "{{ 1 }}"}))
    assert same == found
    (other,) = destinations_of(
        load(destination(lines.replace("{{ source }}", "{{ sid }}")), {**ENV, "TEXT": "{{ 1 }}"})
    )
    assert other != found


@pytest.mark.parametrize(
    ("lines", "attempts"),
    [
        ("batch: {count: 20}", 40),
        ("batch: {count: 20}\nconcurrency: 5", 100),
        ("batch: {count: 20}\nrate_limit: 2/s", 40),
        ("batch: {count: 20}\nrate_limit: 6/m\ntimeout: 10s\nconcurrency: 5", 20),
        ("batch: {count: 20}\nrate_limit: {rate: 6/m, burst: 3}\ntimeout: 10s", 40),
    ],
)
def test_no_more_events_leave_the_outbox_than_requests_may_be_under_way(lines: str, attempts: int) -> None:
    (found,) = destinations_of(load(destination(f"url: https://a.example/\n{lines}")))
    assert found.concurrency == attempts
