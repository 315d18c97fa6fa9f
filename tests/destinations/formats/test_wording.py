"""The words that the messages of all services share: who wrote a post, how it relates to others, and what is below it."""

import json
import re
from datetime import UTC, datetime

import pytest

from forwarder.core.posts import Kind, Post
from forwarder.core.posts.post import Author, Media
from forwarder.destinations.formats import wording
from tests.destinations.formats.support import FORMATS, delivery

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("source", "name", "opener"),
    [
        ("x", "X", "Open on X"),
        ("fast-x", "X (fast)", "Open on X"),
        ("telegram", "Telegram", "Open in Telegram"),
        ("discord", "Discord", "Open in Discord"),
        ("rss", "RSS", "Open"),
        ("farcaster", "farcaster", "Open"),
        ("a\nb" + "c" * 100, "a b" + "c" * 36 + "…", "Open"),
        ("", "event", "Open"),
    ],
)
def test_a_source_is_shown_by_its_name_or_by_its_own_word(source: str, name: str, opener: str) -> None:
    assert wording.source_name(Post(source=source)) == name
    assert wording.opener(Post(source=source)) == opener


def test_a_notice_has_the_colour_and_the_mark_of_its_level_and_a_post_those_of_its_source() -> None:
    assert wording.colour(Post(source="forwarder", level="error")) == 0xE74C3C
    assert wording.mark(Post(source="forwarder", level="error")) == "❌"
    assert wording.colour(Post(source="telegram")) == 0x26A5E4
    assert wording.mark(Post(source="telegram")) == "🔵"
    assert wording.colour(Post(source="new", level="new")) == 0x99AAB5
    assert wording.mark(Post(source="new", level="new")) == "⚪"


@pytest.mark.parametrize(
    ("post", "name", "handle"),
    [
        (Post(source="x", author=Author(name="Alice", handle="alice")), "Alice", "@alice"),
        (Post(source="x", author=Author(name="Alice")), "Alice", ""),
        (Post(source="x", author=Author(handle="alice")), "@alice", ""),
        (Post(source="telegram", channel="-100", author=Author(id="5")), "Telegram -100", ""),
        (Post(source="telegram", author=Author(id="5")), "Telegram 5", ""),
        (Post(), "event", ""),
        (Post(source="x", author=Author(name="\u202e\n", handle="alice")), "@alice", ""),
    ],
)
def test_an_author_always_has_a_name_and_a_handle_is_not_shown_twice(post: Post, name: str, handle: str) -> None:
    assert (wording.author_name(post), wording.handle(post)) == (name, handle)


def feed_event(payload: dict[str, object]) -> bytes:
    return json.dumps(
        {"source": "rss", "mid": "1", "sid": "2", "timestamp": 1767225600000, "payload": payload}
    ).encode()


BANK = "https://bank.example/login"


@pytest.mark.parametrize(
    ("shown", "is_linked"),
    [
        ("News", True), ("Node.js 20 is out", True), ("5.5 and/or 6", True), ("a@b.example wrote", True), ("evil.example", True),
        ("www.Evil.example", True), ("https://evil.example/other", True), ("(https://evil.example).", True), ("", True),
        (BANK, False), ("BANK.example", False), ("see bank.example/login", False), ("Log in: HTTPS://bank.example", False),
        ("www.bank.example now", False), ("bank\u200b.example", False), ("https://b\u200bank.example", False),
        ("https://evil.example https://bank.example", False), ("evil.example.bank.example", False), ("\u0431ank.example", False),
        ("ftp://bank.example", False), ("https://evil.example@bank.example", False), ("\u00abx\u00bb //x", True), ("[bank.example]", False),
    ],
)  # fmt: skip
def test_no_link_is_under_a_text_that_shows_another_address(shown: str, is_linked: bool) -> None:
    assert wording.link_under(shown, "https://evil.example:8080/x") == (
        "https://evil.example:8080/x" if is_linked else ""
    )


def test_a_link_is_under_an_address_of_the_same_host() -> None:
    assert wording.link_under("bank.example", "https://www.bank.example")
    assert wording.link_under("bank.example", "") == ""


@pytest.mark.parametrize("type_", ["discord", "slack", "telegram"])
@pytest.mark.parametrize("key", ["title", "author"])
def test_a_message_has_no_link_to_another_address_than_its_title_or_its_author_shows(type_: str, key: str) -> None:
    evil = "https://evil.example/x"
    fields: dict[str, object] = (
        {"title": BANK, "link": evil} if key == "title" else {"author": {"name": BANK, "url": evil}}
    )
    message = json.loads(FORMATS[type_](delivery(feed_event(fields))).body)
    if type_ == "discord":
        (embed,) = message["embeds"]
        assert embed.get("title") != BANK
        assert "url" not in embed["author"]
        assert BANK in (embed["description"] if key == "title" else embed["author"]["name"])
        return
    written = message["text"] if type_ == "telegram" else json.dumps(message["blocks"])
    assert BANK in written
    assert not re.search(
        r"evil\.example/x[^<]*?bank" if type_ == "telegram" else r"evil\.example/x\|[^>]*bank", written
    )


def test_a_name_is_cut() -> None:
    post = Post(source="x", author=Author(name="n" * 200, handle="h" * 200))
    assert len(wording.author_name(post)) == wording.MAX_NAME
    assert len(wording.handle(post)) == wording.MAX_NAME + 1


@pytest.mark.parametrize(
    ("post", "manner"),
    [
        (Post(source="x"), ""),
        (Post(source="x", kind=Kind.REPOST), "reposted"),
        (Post(source="telegram", kind=Kind.REPOST), "forwarded"),
        (Post(source="x", kind=Kind.REPLY, reply_to="bob"), "replied to @bob"),
        (Post(source="x", kind=Kind.REPLY), "replied"),
        (Post(source="x", kind=Kind.QUOTE), "quoted"),
        (Post(source="x", kind=Kind.EDIT), "edited"),
    ],
)
def test_how_a_post_relates_to_another_is_said_in_a_word(post: Post, manner: str) -> None:
    assert wording.manner(post) == manner


def test_a_repost_with_its_original_shows_no_text_of_its_own() -> None:
    original = Post(text="the whole text")
    assert wording.own_text(Post(kind=Kind.REPOST, text="the who…", original=original)) == ""
    assert wording.own_text(Post(kind=Kind.REPOST, text="the who…", original=Post())) == "the who…"
    assert wording.own_text(Post(kind=Kind.REPOST, text="the who…")) == "the who…"
    assert wording.own_text(Post(kind=Kind.QUOTE, text="look", original=original)) == "look"


@pytest.mark.parametrize(
    ("source", "media", "word"),
    [
        ("telegram", (), ""),
        ("telegram", (Media(),), "🖼 photo"),
        ("discord", (Media(),), "📎 attachment"),
        ("telegram", (Media(), Media(is_video=True)), "🎬 video"),
        ("x", (Media(image="https://a.example/1.jpg"),), ""),
    ],
)
def test_media_that_an_event_only_mentions_are_named(source: str, media: tuple[Media, ...], word: str) -> None:
    assert wording.missing_media(Post(source=source, media=media)) == word


def test_only_addresses_of_the_web_are_pictures_and_videos() -> None:
    media = (
        Media(image="https://a.example/1.jpg"),
        Media(image="javascript:alert(1)"),
        Media(is_video=True, image="https://a.example/2.jpg", video="https://a.example/2.mp4"),
        Media(is_video=True, video="https://a.example/" + "v" * 100),
    )
    post = Post(media=media)
    assert wording.pictures(post) == ["https://a.example/1.jpg", "https://a.example/2.jpg"]
    assert wording.videos(post, limit=50) == ["https://a.example/2.mp4"]
    assert len(wording.videos(post)) == 2


def test_a_time_is_shown_in_utc_or_not_at_all() -> None:
    assert wording.clock(AT) == "2026-01-02 03:04:05 UTC"
    assert wording.clock(None) == ""


def test_the_first_line_has_the_author_the_handle_and_the_relation() -> None:
    post = Post(source="x", kind=Kind.QUOTE, author=Author(name="Alice", handle="a_b"))
    assert wording.headline(post, "*Alice*", lambda text: text.replace("_", r"\_")) == r"*Alice* @a\_b · quoted"
    assert wording.headline(Post(source="x"), "X", str) == "X"


def test_the_last_line_has_the_source_the_time_and_the_links() -> None:
    post = Post(source="telegram", at=AT, media=(Media(is_video=True),))

    def linked(text: str, address: str) -> str:
        return f"[{text}]({address})"

    assert wording.footer(post, "https://t.me/a/1", videos=["https://v.example/1"], linked=linked, escape=str) == (
        "🔵 Telegram · 2026-01-02 03:04:05 UTC · [Open in Telegram](https://t.me/a/1) · [▶ Video](https://v.example/1)"
        " · 🎬 video"
    )
    assert wording.footer(Post(source="x"), "", videos=[], linked=linked, escape=str.lower) == "⚫ x"


def test_links_are_left_as_they_are_and_everything_around_them_is_escaped() -> None:
    links = re.compile(r"https://\S+")

    def escaped(text: str) -> str:
        return wording.escape_around_links(text, links, escape=str.upper, link=lambda link: f"<{link}>")

    assert escaped("see https://a.example/x_y and https://b.example/ ok") == (
        "SEE <https://a.example/x_y> AND <https://b.example/> OK"
    )
    assert escaped("no link") == "NO LINK"
    assert escaped("odd :// thing") == "ODD :// THING"


def test_a_post_without_pictures_has_a_word_in_their_place() -> None:
    media = (Media(image="https://a.example/1.png"), Media(is_video=True, image="https://a.example/2.png", video="https://a.example/v.mp4"))  # fmt: skip
    author = Author(name="A", avatar="https://a.example/a.png")
    post = wording.without_pictures(Post(source="x", author=author, media=media, original=Post(author=author, media=media)))  # fmt: skip
    assert (wording.pictures(post), post.author.avatar, wording.missing_media(post)) == ([], "", "🖼 photo")
    assert wording.videos(post) == ["https://a.example/v.mp4"]
    assert post.original is not None
    assert (wording.pictures(post.original), post.original.author.avatar) == ([], "")
