"""Difficult values that a config may have, and everything that a run builds from a config.

What `load` accepts, `build` must be able to build: a value is refused where it is written, or it can be used.
"""

import copy
import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from forwarder.configfile.locations import choose_outbox, socket_path
from forwarder.configfile.rule_tests import failures_of
from forwarder.core.config import Config, load_config
from forwarder.core.config.lint import warnings_of
from forwarder.core.delivery import new_delivery
from forwarder.core.destinations.content import CannotFormatError
from forwarder.core.destinations.request import Renderer
from forwarder.core.event import decode_event
from forwarder.core.posts.samples import SAMPLES
from forwarder.core.routing.limiter import Limiter
from forwarder.daemon.runtime import runtime_of
from forwarder.destinations.sender import open_sender
from forwarder.gaps.history_client import address_of as history_address
from forwarder.streams.sse import SseStream
from forwarder.streams.token import address_of as token_address
from forwarder.streams.websocket import WebSocketStream
from forwarder.tls.contexts import context_of, problems_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)

# fmt: off
HOSTS = (
    *("a", "example.com", "127.0.0.1", "localhost", "[::1]", "[::1%25lo]", "[::1%lo]", "[fe80::1%25eth0]", "[::1%]"),
    *(
        "[::ffff:1.2.3.4]",
        "[v1.x]",
        "[::1",
        "::1",
        "127.1",
        "0x7f.1",
        "2130706433",
        "1.2.3.4.5",
        "256.1.1.1",
        "08.1.1.1",
    ),
    *(
        "a\\b",
        "a b",
        "a\tb",
        "a\nb",
        "a\0b",
        "a%00b",
        "a%zzb",
        "ex%61mple.com",
        "%",
        "a!b",
        "a;b",
        "a,b",
        "a_b",
        "-a",
        "a-",
    ),
    *("🏳0🌈️", "💩.la", "aﷺb.example", "bücher.de", "faß.de", "ⅷ.de", "a\u00adb", "a\u200bb", "a。b", "\uff11\uff12\uff17.0.0.1"),
    *("xn--", "xn--a", "xn--bcher-kva.de", "xn--80ak6aa92e.com", "", ".", "..", ".a", "a.", "a..b", "a" * 64, "a" * 63),
    *(
        ".".join(["a" * 63] * 4),
        ".".join(["a" * 50] * 5),
        "user@a",
        "u:p@a",
        "u%0ap%ff:p%zz@a",
        "@a",
        ":@a",
        "a@b@c",
        "u[:p@a",
    ),
    *("u\\:p@a", "u%3Aa:p@a", "\ud800", "a\udc80", "A.EXAMPLE", "169.254.169.254", "\uff11\uff16\uff19.254.169.254", "0xA9FEA9FE"),
)
PORTS = (
    "",
    ":",
    ":80",
    ":443",
    ":0",
    ":65535",
    ":65536",
    ":99999999999999999999",
    ":x",
    ":+80",
    ":-1",
    ":8_0",
    ":\uff18\uff10",
    ":٣",
    ":080",
)
TARGETS = (
    *(
        "",
        "/",
        "/hook",
        "?",
        "?a=b",
        "#",
        "#f",
        "/ä?ö",
        "/%zz?%",
        "/%ff?a=%ff&a=%",
        "//a//",
        "/../a/./b",
        "/a\\b",
        '/[a]?b[]=1|2^`{}"<>',
    ),
    *("/\u200b", "/\ud800", "/a b", "/\t", "/\r\nX: y", "/" + "a" * 7_000, "/" + "ä" * 3_000, "?" + "a" * 9_000, "/💩"),
    *(
        "/{{ mid }}",
        "/%{{ mid }}",
        "/a%zz/{{ mid }}?ä=%",
        "/{{ mid }}#f",
        "?m={{ mid }}&x=\ud800",
        "/{{",
        "/}}",
        "/{% if x %}",
        "/{{ '\ud800' }}",
    ),
    *(
        "/{{ post.text }}/{{ post.author.handle or 'x' }}",
        "/{{ 9 ** 9 }}",
        "/{{ '/../' }}",
        "/{{ 1 / 0 }}",
        "/{{ [1] * 3 }}",
    ),
    *(
        "/{# x #}",
        "/\0{{ mid }}",
        "/\x001\0{{ mid }}",
        "/{{ mid }}\\",
        "/é{{ mid }}é?é={{ mid }}",
        "/{{ mid }} ",
        "/{{\nmid\n}}",
    ),
)
SCHEMES = ("http", "https", "HTTP", "ws", "wss", "WSS", "ftp", "", "https ", "ht\ttp", "file")
URLS = (
    *(f"http://{host}/" for host in HOSTS),
    *(f"http://a{port}/" for port in PORTS),
    *(f"http://a{target}" for target in TARGETS),
    *(f"{scheme}://a/" for scheme in SCHEMES),
    *(
        "http:/a",
        "http:a",
        "//a/",
        "/a",
        "a",
        "http://",
        "http:///a",
        "http://?a",
        "http://#",
        "http://a\\@b/",
        "http://a/@b",
        "http:\\\\a\\",
    ),
    *(
        f"http://{host}/{{{{ mid }}}}"
        for host in ("a\\b", "🏳0🌈️", "a..b", "xn--", "[::1%25lo]", "u:p@a", "{{ mid }}", "a{{ mid }}")
    ),
    *(
        "ws://a\\b:1/ws",
        "wss://a..b/ws",
        "ws://xn--a/ws",
        "ws://[::1%25lo]:1/ws",
        "wss://💩.la/ws?a=%ff#f",
        "https://.a/",
        "https://xn--/",
    ),
    *(
        "https://discord.com/api/webhooks/1/a",
        "https://discord.com./api/webhooks/1/a?thread_id=x&wait=%ff",
        "https://hooks.slack.com/services/a/b/c",
    ),
    *(
        "https://api.telegram.org/bot1:a/sendMessage?chat_id=%zz",
        "https://api.telegram.org/bot1:a/sendMessage?chat_id=",
        "http://a/bot?chat_id=1",
    ),
)
TEXTS = (
    *(
        "",
        " ",
        "a",
        "x y",
        "a\nb",
        "a\r\nb: c",
        "a\tb",
        "a\0b",
        "\x7f",
        "\x85",
        "é",
        "ÿ",
        "Ā",
        "日本",
        "💩",
        "\u200b",
        "\u2028",
        "\ufeff",
    ),
    *(
        "\ud800",
        "a\udc80b",
        "\udfff\ud800",
        "a" * 65,
        "a" * 5_000,
        "null",
        "~",
        "true",
        "no",
        "-1",
        "0",
        "00",
        "1e9",
        "0x10",
        ".inf",
        ".nan",
    ),
    *(
        "999999999999",
        "9" * 18,
        "9" * 30,
        "9" * 5_000,
        "1.5",
        "+1",
        "1_000",
        "٣",
        "\uff18",
        "0s",
        "0ms",
        "1ms",
        "999999d",
        "999999999d",
        "999999999999ms",
    ),
    *(
        "1h1h",
        "9" * 30 + "d",
        "7d",
        "3650d",
        "3651d",
        "0B",
        "1B",
        "1TiB",
        "999999999999TiB",
        "64KiB",
        "256MiB",
        "0/s",
        "1/s",
        "50/0s",
        "1/0ms",
    ),
    *(
        "999999999/s",
        "1/999999d",
        "1/0",
        "50/",
        "0%",
        "100%",
        "0.0001%",
        "1e-9%",
        "101%",
        "${CANARY}",
        "${NOT_SET}",
        "$${",
        "${",
        "{{ x",
        "{{ mid }}",
    ),
    *(
        "{{ 9 ** 9 ** 9 }}",
        "{{ '\ud800' }}",
        "\ud800{{ mid }}",
        "{% for x in y %}",
        "{{ 1" + "0" * 5_000 + " }}",
        "{{ " + "(" * 300 + "1" + ")" * 300 + " }}",
    ),
    *(
        "{{ " + "-" * 3_000 + "1 }}",
        "{{ a" + ".a" * 3_000 + " }}",
        "../../etc/passwd",
        "/dev/null",
        "/a\0b",
        "/" + "a" * 300,
        "/" + "a/" * 3_000,
    ),
    *(
        "/run/" + "s" * 200 + ".sock",
        "sqlite:///" + "a" * 300,
        "sqlite:\ud800",
        "sqlite:a\udc80",
        "sqlite:a/../b",
        "sqlite://",
        "sqlite:.",
    ),
    *(
        "127.0.0.1",
        "10.0.0.0/8",
        "10.0.0.1/8",
        "::/0",
        "fe80::1%eth0",
        "::ffff:10.0.0.0/104",
        "private",
        "0.0.0.0/0",
        "1.2.3.4/33",
        "::1/129",
    ),
    *(
        "-----BEGIN CERTIFICATE-----\nmagpie\n-----END CERTIFICATE-----",
        "-----BEGIN é-----",
        "-----BEGIN \ud800-----",
        "-----BEGIN X-----\0",
    ),
    *(
        "whsec_",
        "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz",
        "whsk_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
        "whpk_AAAA",
        "whsec_\ud800",
        "whsec_é",
    ),
    *(
        "text/plain",
        "text/plain; charset=é",
        "a/b\nc",
        "/",
        "application/json;",
        "@chat",
        "@" + "a" * 40,
        "-100",
        "23:00-07:00",
        "Europe/Berlin",
        "Mars/Base",
    ),
    *(
        "(",
        "(?P<a>",
        "[a-",
        "a{1000}",
        "(a{1000}){1000}",
        "\\",
        "\\ud800",
        "*" * 100,
        "?",
        "[!",
        "drop",
        "bot",
        "alerts",
        "everyone",
        "coins",
        "never",
    ),
)
# fmt: on
NASTY: tuple[Any, ...] = (
    *TEXTS,
    *URLS,
    None,
    [],
    {},
    [""],
    ["\ud800"],
    [None],
    {"a": "b"},
    {"\ud800": "x"},
    [[]],
    [{}],
    0,
    True,
)


def whole_config() -> dict[str, Any]:
    """Return a valid config with every possible key, except those that name files or exclude others."""
    return {
        "streams": [
            {
                "name": "main", "transport": "websocket", "url": "wss://scrape.st/ws", "api_key": "key", "use_fast_x": "true",
                "ignore_full_payload": "false", "max_frame": "1MiB", "max_connection_age": "24h", "expect_event_within": "1h",
                "gap_repair": "true", "on_failure": {"to": "alerts", "after": "1m"},
            },
            {"name": "second", "transport": "sse", "url": "https://scrape.st/stream", "api_key": "key", "gap_repair": "true"},
            {"name": "third", "api_key_file": "/run/key"},
        ],
        "expect": [{"name": "coins", "match": {"text": {"word": {"list": "coins"}}}, "within": "6h", "on_failure": {"to": "alerts", "after": "5m"}}],
        "outbox": {
            "url": "sqlite:outbox.db", "durability": "full", "keep_delivered": "24h", "keep_dead": "30d", "max_size": "2GiB", "dedupe_window": "30m",
        },
        "defaults": {"pause_after": "5d"},
        "destinations": {
            "bot": {
                "url": "https://127.0.0.1:9000/hook", "headers": {"X-A": "a", "User-Agent": "b"}, "auth": {"bearer": "token"},
                "tls": {"verify": "true", "server_name": "bot.example"}, "proxy": "http://u:p@127.0.0.1:3128", "timeout": "5s", "concurrency": "16",
                "signing": {"scheme": "standard", "secret": ["whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"]},
                "retry": {"delays": ["1s", "10s"], "statuses": {"404": "dead"}, "max_age": "1h", "on_expiry": "digest"},
                "rate_limit": {"rate": "50/s", "burst": "10"}, "backlog_concurrency": "4", "max_connection_age": "1m", "order": "sid",
                "breaker": {"enabled": "true", "failures_in_a_row": "5", "failure_ratio": "50%", "min_attempts": "10", "window": "1m"},
                "pause_after": "5d", "on_failure": {"to": "alerts", "after": "5m"}, "canary": {"every": "10m", "within": "1m"},
                "compression": "gzip", "compress_from": "8KiB", "enabled": "true",
            },
            "hmac": {
                "url_file": "/run/url", "socket": "/run/bot.sock", "auth": {"basic": {"username": "u", "password": "p"}}, "retry": "svix",
                "signing": {"scheme": "hmac", "header": "X-Sig", "algorithm": "sha1", "encoding": "base64", "prefix": "p=", "secret": "s"},
            },
            "stripe": {"url": "http://a/", "signing": {"scheme": "hmac", "timestamped": "true", "secret": "s"}, "rate_limit": "20/m"},
            "template": {
                "url": "http://a/{{ mid }}", "format": {"type": "template", "body": "{\"a\": {{ post.text | tojson }}}", "content_type": "application/json"},
            },
            "alerts": {
                "url": "https://discord.com/api/webhooks/1/a", "on_full": "edit",
                "format": {"type": "discord", "username": "u", "avatar_url": "https://a/b.png", "thread_id": "1"},
            },
            "slack": {"url": "https://hooks.slack.com/services/a/b/c", "format": "slack"},
            "telegram": {
                "url": "https://api.telegram.org/bot1:a/sendMessage",
                "format": {"type": "telegram", "chat_id": "@chat", "topic": "1", "silent": "true", "link_preview": "on"},
            },
        },
        "groups": {"everyone": ["bot", "alerts"]},
        "routes": [
            {
                "name": "one", "match": {"source": ["x", "fast-x"], "text": {"regex": "a+"}, "sid": ["1"], "not": {"payload.a": {"gt": "1"}}},
                "to": ["everyone"], "prefer": "full", "wait": "3s", "stop": "false", "enabled": "true", "sample": "10%",
                "limit": {"count": "5", "per": "10m", "by": "author", "summary": "alerts"},
            },
            {"to": "bot", "match": {"any": [{"text": {"word": ["a"]}}, {"matcher": "quiet"}]}, "continue": "true", "limit": "5/10m"},
        ],
        "lists": {"coins": ["btc", "eth"]},
        "matchers": {"quiet": {"now": {"hours": "23:00-07:00", "timezone": "Europe/Berlin"}}},
        "tests": [{"name": "t", "event": {"source": "x", "payload": {"text": "hello"}}, "expect": {"bot": ["route 2"]}}],
        "admin": {"socket": "control.sock"},
        "reload": {"watch": "true", "require_tests": "true"},
        "networks": {"deny": ["private"], "allow": ["127.0.0.1"]},
        "unmatched": "drop",
        "grace_period": "10s",
    }  # fmt: skip


Place = tuple[str | int, ...]


def places(tree: object, path: Place = ()) -> Iterator[Place]:
    """Yield the path to each value of a tree, to scalars and to sections."""
    for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ():
        yield (*path, key)
        yield from places(value, (*path, key))


def with_value(config: dict[str, Any], place: Place, value: object) -> dict[str, Any]:
    """Return the config with another value at a place, or unchanged if another change has removed the place."""
    changed: Any = copy.deepcopy(config)
    around = changed
    try:
        for step in place[:-1]:
            around = around[step]
        around[place[-1]] = value
    except (KeyError, IndexError, TypeError):
        pass
    return dict(changed)


def read(config: object, variable: str = "magpie") -> Config:
    """Load a config that is written as JSON, which is YAML; `variable` is the value of `${CANARY}`. Raises `ConfigError`."""
    files = {"/run/key": "key\n", "/run/url": "http://a.example/hook\n"}

    def read_file(name: str) -> str:
        if name in files:
            return files[name]
        return Path(name).read_bytes().decode()

    return load_config(
        json.dumps(config).encode(),
        name="config.yaml",
        env={"CANARY": variable},
        read_file=read_file,
        check_tls=problems_of,
    )


async def build(config: Config) -> None:
    """Build from a config what `run`, `send`, `preview` and `check` build, up to where a network is needed."""
    list(warnings_of(config))
    failures_of(config)
    parts = runtime_of(config)
    file = choose_outbox(config.outbox, Path("/etc/forwarder/config.yaml")).path
    for path in (file, socket_path(config.admin, Path("/etc/forwarder/config.yaml"), file)):
        os.fsencode(path)
    for stream in parts.streams:
        assert isinstance(stream, SseStream | WebSocketStream)
        url = stream.address()
        assert url.raw_host
        assert url.port
        if isinstance(stream, SseStream):
            assert token_address(url).absolute
        (stream.api_key or "").encode()
        stream.name.encode()
    for source in parts.repair.sources.values():
        assert history_address(source).absolute
    for event in SAMPLES.values():
        parts.routing_table.router.select(decode_event(event), NOW, Limiter())
    for route in parts.routing_table.router.routes:
        route.name.encode()
    for destination in parts.destinations:
        destination.name.encode()
        if destination.url.startswith("https"):
            context_of(destination.transport.tls)
        if destination.transport.socket is not None:
            os.fsencode(destination.transport.socket)
        renderer = Renderer(
            headers=destination.headers,
            signing=destination.signing,
            policy=destination.retry,
            format_=destination.format_,
        )
        async with open_sender(
            destination.url, transport=destination.transport, timeout=destination.timeout, clock=lambda: NOW
        ) as sender:
            for body in SAMPLES.values():
                delivery = new_delivery(decode_event(body), destination.name, ("r",), event_seq=1, accepted_at=NOW)
                try:
                    request = renderer.render(delivery, now=NOW)
                except CannotFormatError:
                    continue
                head, *lines = sender.head_of(request).split(b"\r\n")
                assert head.isascii()
                assert len(head.split(b" ")) == 3
                assert all(b": " in line and not set(line) & set(b"\r\n\0") for line in lines if line)
