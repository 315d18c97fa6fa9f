"""The links of posts, as people copy them: which post each names, and which events are of that post."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarder.core.posts import read_post
from forwarder.core.posts.links import Fit, NoPostLinkError, PostLink, fits, read_link
from forwarder.core.posts.samples import SAMPLES

X = PostLink(mid="2006700000000918273", sources=("x", "fast-x"))
PUBLIC = PostLink(mid="4801", sources=("telegram",), name="novadesk")
PRIVATE = PostLink(mid="4801", sources=("telegram",), channel="1234567890")
DISCORD = PostLink(mid="1300000003774873600", sources=("discord",))


@pytest.mark.parametrize(
    ("text", "link"),
    [
        ("https://x.com/novadesk/status/2006700000000918273", X),
        ("x.com/novadesk/status/2006700000000918273", X),
        ("http://www.twitter.com/novadesk/statuses/2006700000000918273/", X),
        (" https://mobile.twitter.com/novadesk/status/2006700000000918273?s=20&t=a/b ", X),
        ("https://X.com/i/web/status/2006700000000918273/photo/1#top", X),
        ("https://fxtwitter.com/i/status/2006700000000918273", X),
        ("https://t.me/novadesk/4801", PUBLIC),
        ("t.me/s/novadesk/4801?single", PUBLIC),
        ("https://t.me/novadesk/77/4801", PUBLIC),
        ("https://t.me/c/1234567890/4801", PRIVATE),
        ("https://telegram.me/c/1234567890/77/4801/", PRIVATE),
        ("https://discord.com/channels/900000000000000001/900000000000000042/1300000003774873600", DISCORD),
        ("https://ptb.discordapp.com/channels/@me/900000000000000042/1300000003774873600", DISCORD),
        (
            "https://blog.example/p/1?page=2",
            PostLink(mid="https://blog.example/p/1?page=2", address="https://blog.example/p/1?page=2"),
        ),
        ("2006700000000918273", None),
        ("msg_5f", None),
        ("", None),
        ("/" * 5_000, None),
    ],
)
def test_a_link_names_a_post(text: str, link: PostLink | None) -> None:
    assert read_link(text) == link


@pytest.mark.parametrize(
    "text",
    [
        "https://x.com/novadesk",
        "https://x.com/novadesk/status/latest",
        "https://t.me/novadesk",
        "https://t.me/+invitation",
        "https://discord.com/channels/1/2",
        "blog.example/p/1",
        "a b/c",
        "/etc/passwd",
    ],
)
def test_a_link_that_names_no_post_is_refused_with_those_that_do(text: str) -> None:
    with pytest.raises(NoPostLinkError, match=r"https://x\.com/NAME/status/ID, https://t\.me/NAME/ID"):
        read_link(text)


def fit(link: PostLink, source: str, **changes: object) -> Fit:
    event = json.loads(SAMPLES[source])
    event["payload"] |= changes
    return fits(link, source=source, post=read_post(json.dumps(event).encode()))


def test_an_event_of_the_source_with_the_mid_is_of_the_post() -> None:
    assert [fit(X, name) for name in ("x", "fast-x", "telegram")] == [Fit.YES, Fit.YES, Fit.NO]
    assert [fit(DISCORD, name) for name in ("discord", "x")] == [Fit.YES, Fit.NO]
    assert fit(PostLink(mid="https://example.com/p/1", address="https://example.com/p/1"), "rss") is Fit.YES


def test_a_message_of_telegram_is_one_of_its_channel() -> None:
    assert fit(PRIVATE, "telegram") is Fit.YES
    assert fit(PRIVATE, "telegram", channelId="-1001234567890") is Fit.YES
    assert fit(PRIVATE, "telegram", channelId="77") is Fit.NO


def test_a_channel_is_known_by_its_name_only_where_the_event_has_the_name() -> None:
    assert fit(PUBLIC, "telegram") is Fit.POSSIBLE
    assert fit(PUBLIC, "telegram", channelId=None) is Fit.POSSIBLE
    assert fit(PUBLIC, "telegram", chat={"username": "NovaDesk"}) is Fit.YES
    assert fit(PUBLIC, "telegram", chat={"username": "novadesk2"}) is Fit.NO


@given(st.text(max_size=100))
def test_any_text_is_a_link_or_none_or_refused(text: str) -> None:
    try:
        link = read_link(text)
    except NoPostLinkError:
        return
    assert link is None or link.mid
