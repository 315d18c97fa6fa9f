"""What is read of posts of X, full and fast."""

from datetime import UTC, datetime

from forwarder.core.posts import Author, Media, read_post
from tests.core.posts.support import post, read
from tests.destinations.formats.support import example


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


def test_tags_that_a_post_of_x_lists_are_taken_in_place_of_its_text() -> None:
    entities = {
        "symbols": [{"text": "BTC"}, {"text": "$btc"}, {"text": None}, 7],
        "hashtags": [{"text": "A"}],
        "user_mentions": [{"screen_name": "Nova"}],
    }
    payload = {"text": "$ETH #b @c", "entities": entities}
    assert read("symbols", "x", **payload) == ("BTC",)
    assert read("hashtags", "x", **payload) == ("A",)
    assert read("mentions", "x", **payload) == ("Nova",)
    assert read("symbols", "x", text="$ETH", entities={}) == ()
    assert read("symbols", "x", text="$ETH") == read("symbols", "x", text="$ETH", entities=[]) == ("ETH",)


def test_a_link_of_x_that_stands_for_a_picture_or_another_post_is_none() -> None:
    photo = {"media_url_https": "https://i.example.com/1.jpg", "type": "photo", "url": "https://t.co/pp"}
    quoted = {"id": "2", "text": "q", "link": "https://x.com/b/status/2"}
    to_quoted = {"url": "https://t.co/qq", "expanded_url": "https://twitter.com/b/status/2?s=20"}
    to_page = {"url": "https://t.co/aa", "expanded_url": "https://example.com"}
    assert read("has_link", "x", text="a https://t.co/pp", media=[photo]) == (False,)
    assert read("has_link", "x", text="a https://t.co/pp b", media=[{**photo, "url": None}]) == (False,)
    assert read("has_link", "x", text="a https://t.co/qq b", quoted_tweet=quoted, entities={"urls": [to_quoted]}) == (
        False,
    )
    assert read(
        "has_link", "x", text="a https://t.co/aa https://t.co/pp", media=[photo], entities={"urls": [to_page]}
    ) == (True,)
    assert read("has_link", "x", text="a", entities={"urls": [to_page]}) == (True,)
    assert read("has_link", "x", text="a https://example.com/b.", media=[photo]) == (True,)
    whole = {"url": "https://t.co/ww", "expanded_url": "https://x.com/i/web/status/1"}
    assert read("has_link", "x", id="1", text="cut… https://t.co/ww", entities={"urls": [whole]}) == (False,)
    assert read("has_link", "fast-x", text="a https://t.co/aa") == (True,)


def test_media_without_an_address_of_a_picture_or_a_video_is_none() -> None:
    assert post("x", text="a", media=[{"type": "photo"}]).media == ()
    assert post("x", text="a", media=[{"type": "animated_gif"}]).media == (Media(is_video=True),)
