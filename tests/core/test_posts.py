"""What of an event is read as its post, source by source."""

import json
from datetime import UTC, datetime

import pytest

from forwarder.core.posts import Author, Kind, Media, Post, read_post
from tests.destinations.formats.support import example


def post(source: str, **payload: object) -> Post:
    event = {"mid": "1", "sid": "2", "source": source, "timestamp": 1767225600000, "payload": payload}
    return read_post(json.dumps(event).encode())


@pytest.mark.parametrize(("name", "kind"), [
    ("x-plain", Kind.POST), ("x-reply", Kind.REPLY), ("x-repost", Kind.REPOST), ("x-quote", Kind.QUOTE), ("fast-x-plain", Kind.POST),
    ("telegram-text", Kind.POST), ("telegram-edited", Kind.EDIT), ("telegram-reply", Kind.REPLY), ("telegram-forward", Kind.REPOST),
    ("discord-text", Kind.POST), ("discord-reply", Kind.REPLY), ("rss-unknown-source", Kind.POST),
])  # fmt: skip
def test_the_kind_of_each_example(name: str, kind: Kind) -> None:
    assert read_post(example(name)).kind is kind


def test_a_post_of_x_and_its_fast_twin_say_the_same() -> None:
    full, fast = read_post(example("x-contract-address")), read_post(example("fast-x-contract-address"))
    for field in ("author", "text", "link", "lang", "at"):
        assert getattr(full, field) == getattr(fast, field)
    assert full.author == Author(
        name="Chain Lantern",
        handle="chainlantern",
        id="44100006",
        link="https://x.com/chainlantern",
        avatar="https://img.example.invalid/chainlantern.jpg",
    )


def test_links_of_x_are_written_in_full_and_those_to_pictures_and_quotes_are_left_out() -> None:
    short = post(
        "x",
        text="a https://t.co/aa b &amp; &lt;c&gt; https://t.co/pp",
        entities={"urls": [{"url": "https://t.co/aa", "expanded_url": "https://example.com/long"}]},
        media=[{"media_url_https": "https://img.example.com/1.jpg", "type": "photo", "url": "https://t.co/pp"}],
    )
    assert short.text == "a https://example.com/long b & <c>"
    quoting = post(
        "x",
        text="see https://t.co/qq",
        entities={"urls": [{"url": "https://t.co/qq", "expanded_url": "https://x.com/b/status/2"}]},
        quoted_tweet={
            "text": "inner",
            "link": "https://x.com/b/status/2",
            "created_at": "Thu Jan 01 00:00:06 +0000 2026",
        },
    )
    assert quoting.text == "see"
    assert quoting.original is not None
    assert quoting.original.at == datetime(2026, 1, 1, 0, 0, 6, tzinfo=UTC)


def test_of_a_video_the_best_file_is_taken() -> None:
    (media,) = read_post(example("x-video")).media
    assert media == Media(
        is_video=True,
        image="https://img.example.invalid/thumb/20068.jpg",
        video="https://vid.example.invalid/20068-1280.mp4",
    )


def test_hidden_links_of_telegram_are_shown_where_they_stand() -> None:
    entities = [{"offset": 3, "length": 4, "className": "MessageEntityTextUrl", "url": "https://example.com"}]
    assert post("telegram", message="🎉 here!", entities=entities).text == "🎉 here (https://example.com)!"
    assert post("telegram", message="ab", entities=[{**entities[0], "offset": 10**9}]).text == "ab"


def test_telegram_and_discord_link_to_the_message() -> None:
    assert read_post(example("telegram-text")).link == "https://t.me/c/1234567890/4801"
    assert (
        post("telegram", id=5, channelId="-1001", message="a", chat={"username": "news", "title": "News"}).link
        == "https://t.me/news/5"
    )
    assert read_post(example("discord-text")).link.endswith(
        "/900000000000000001/900000000000000042/1300000003774873600"
    )


def test_a_message_of_discord_that_is_an_embed_alone_has_its_text() -> None:
    embedded = read_post(example("discord-embed"))
    assert (embedded.title, embedded.text.splitlines()[:2]) == ("v4.2.0", ["Faster cold starts", "Commits: 128"])


def test_a_notice_has_its_level_and_a_feed_no_tags() -> None:
    assert post("forwarder", title="a", level="error").level == "error"
    assert post("forwarder", title="a", level="loud").level == "info"
    assert post("rss", title="t", description="<p>a &amp; <b>b</b></p><p>c</p>").text == "a & b\nc"


def test_what_nobody_knows_is_shown_as_it_is() -> None:
    assert post("radio", frequency=98.5).text == '{"frequency": 98.5}'
    assert read_post(example("public-sse-telegram")).text.startswith('{"id":4801')
    assert read_post(b"not json").text == "not json"
    assert read_post(b'{"source":"x","payload":{"text":"\\ud800"}}').text == "\ud800"


def test_telegrams_media_are_known_by_kind() -> None:
    def media(**document: object) -> tuple[Media, ...]:
        return post("telegram", message="a", media={"className": "MessageMediaDocument", "document": document}).media

    assert media(mimeType="video/mp4") == (Media(is_video=True),)
    assert media(mimeType="x", attributes=[{"className": "DocumentAttributeVideo"}]) == (Media(is_video=True),)
    assert media(mimeType="image/png") == (Media(),)
    assert media(mimeType="application/pdf") == ()
    assert post("telegram", message="a", fwdFrom={"date": 1}).original is None


def test_discord_describes_attachments_and_forwards() -> None:
    shown = post(
        "discord",
        content="a",
        attachments=[
            {"contentType": "image/png", "url": "https://cdn.example.com/1.png"},
            {"contentType": "video/mp4", "url": "https://cdn.example.com/2.mp4"},
            {"contentType": "text/plain", "url": "https://cdn.example.com/3.txt"},
        ],
        embeds=[{"image": {"url": "https://cdn.example.com/4.png"}}, {"title": "no picture"}],
    )
    assert [media.image or media.video for media in shown.media] == [
        f"https://cdn.example.com/{name}" for name in ("1.png", "2.mp4", "4.png")
    ]
    forwarded = post("discord", content="", messageSnapshots=[{"message": {"content": "inner"}}])
    assert forwarded.kind is Kind.REPOST
    assert forwarded.original is not None
    assert forwarded.original.text == "inner"


def test_a_number_that_python_does_not_print_is_shown_as_nothing() -> None:
    body = b'{"source":"radio","payload":{"n":' + b"9" * 5_000 + b"}}"
    assert read_post(body).source in {"", "radio"}
