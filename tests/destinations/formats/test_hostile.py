"""Whatever an event holds, each message is one that its service takes, and calls nobody."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from forwarder.core.posts import read_post
from tests.destinations.formats.limits import CHECKS
from tests.destinations.formats.support import FORMATS, delivery

SPICE = st.sampled_from(
    [
        *(
            "@everyone",
            "@here",
            "<@123>",
            "<!channel>",
            "<@U123>",
            "<!subteam^S1>",
            "<#C1>",
            "@durov",
            "<b>",
            "</a>",
            "&lt;",
        ),
        *("[x](https://evil.example)", "```", "||", "**", "__", "\n# ", "\n> ", "\n- ", "\\", "`", "~~", "~"),
        *(
            "https://example.com/a_b*c?x=(1)&y=<2>",
            "https://пример.рф/ü",
            "https://",
            "https://a.example/|>x",
            "javascript:x",
        ),
        *(
            "\u202e",
            "\u2066",
            "\x00",
            "\x1b[2J",
            "\ud800",
            "\udc00",
            "👩‍👩‍👧‍👦",
            "e\u0301" * 9,
            "\u200d",
            "\u2028",
            "\r\n",
        ),
        *(
            "&",
            "<",
            ">",
            '"',
            "&amp;amp;",
            "漢" * 50,
            "\U0001d54f" * 40,
            " " * 30,
            "\n" * 9,
            "a" * 5000,
            "word " * 1500,
            "&" * 4000,
        ),
    ]
)
TEXT = st.lists(st.one_of(SPICE, st.text(max_size=40)), max_size=12).map("".join)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=6), below, max_size=3),
    max_leaves=12,
)
ADDRESS = st.one_of(
    TEXT, st.sampled_from(["https://img.example.com/a b.jpg", "https://x.example.com/" + "&" * 400, "http://[::1"])
)
VALUE = st.one_of(TEXT, JSON)


def _mapping(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


PERSON = _mapping(
    name=VALUE, screen_name=VALUE, id=VALUE, profile_image_url=ADDRESS, username=VALUE, globalName=VALUE, link=ADDRESS
)
MEDIA = st.lists(
    _mapping(
        media_url_https=ADDRESS,
        type=st.sampled_from(["photo", "video"]),
        url=ADDRESS,
        video_info=st.just({"variants": [{"content_type": "video/mp4", "url": "https://v.example.com/" + "v" * 100}]}),
    ),
    max_size=6,
)


def _payload(**more: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return _mapping(
        id=st.one_of(st.just("123"), VALUE),
        text=VALUE,
        message=VALUE,
        content=VALUE,
        title=VALUE,
        author=st.one_of(PERSON, VALUE),
        link=ADDRESS,
        url=ADDRESS,
        media=st.one_of(MEDIA, VALUE),
        in_reply_to_screen_name=VALUE,
        created_at=VALUE,
        entities=st.one_of(
            st.just({"urls": [{"url": "https://t.co/x", "expanded_url": "https://example.com/" + "e" * 1900}]}), VALUE
        ),
        channelId=VALUE,
        guildId=VALUE,
        embeds=st.lists(
            _mapping(title=TEXT, description=TEXT, fields=VALUE, image=st.just({"url": "https://e.example.com/i.png"})),
            max_size=3,
        ),
        attachments=VALUE,
        fwdFrom=_mapping(fromName=VALUE, fromId=VALUE, date=VALUE),
        messageSnapshots=VALUE,
        level=VALUE,
        **more,
    )


PAYLOAD = _payload(quoted_tweet=_payload(quoted_tweet=_payload()), retweeted=_payload(), retweeted_tweet=st.booleans())
EVENT = _mapping(
    source=st.one_of(st.sampled_from(["x", "fast-x", "telegram", "discord", "rss", "forwarder"]), VALUE),
    mid=VALUE,
    sid=VALUE,
    timestamp=st.one_of(st.integers(), st.floats(allow_nan=False), VALUE),
    payload=st.one_of(PAYLOAD, VALUE),
)


@pytest.mark.parametrize("format_", sorted(FORMATS))
@given(event=EVENT)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_any_event_becomes_a_message_within_the_limits(format_: str, event: dict[str, Any]) -> None:
    CHECKS[format_](FORMATS[format_](delivery(json.dumps(event).encode())).body)


@given(body=st.one_of(st.binary(max_size=200), JSON.map(lambda value: json.dumps(value).encode())))
@settings(max_examples=300, deadline=None)
def test_any_bytes_have_a_post(body: bytes) -> None:
    post = read_post(body)
    assert read_post(body) == post
    for format_, check in CHECKS.items():
        check(FORMATS[format_](delivery(body)).body)


@pytest.mark.parametrize("format_", sorted(FORMATS))
@pytest.mark.parametrize(
    "text",
    [
        "a" * 1_000_000,
        "word " * 200_000,
        "\U0001d54f" * 300_000,
        "<&>" * 300_000,
        "*_~" * 300_000,
        "\n" * 1_000_000 + "x",
        "@a " * 300_000,
    ],
)
def test_a_megabyte_of_text_becomes_a_message(format_: str, text: str) -> None:
    person = {"name": text, "screen_name": text}
    quoted = {"text": text, "author": person}
    for payload in ({"text": text}, {"text": text, "title": text, "author": person, "quoted_tweet": quoted}, quoted):
        for source in ("x", "rss"):
            event = {"source": source, "payload": payload}
            CHECKS[format_](FORMATS[format_](delivery(json.dumps(event).encode())).body)


@pytest.mark.parametrize("format_", sorted(FORMATS))
def test_deep_nesting_becomes_a_message(format_: str) -> None:
    quoted: dict[str, Any] = {"text": "the innermost"}
    for _ in range(300):
        quoted = {"text": "outer", "quoted_tweet": quoted}
    CHECKS[format_](FORMATS[format_](delivery(json.dumps({"source": "x", "payload": quoted}).encode())).body)
    deep = b'{"source":"x","payload":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    CHECKS[format_](FORMATS[format_](delivery(deep)).body)
