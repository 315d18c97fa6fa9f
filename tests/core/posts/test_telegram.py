"""What is read of messages of Telegram."""

from forwarder.core.posts import Media, read_post
from tests.core.posts.support import post, read
from tests.destinations.formats.support import example


def test_hidden_links_of_telegram_are_shown_in_their_places() -> None:
    entities = [{"offset": 3, "length": 4, "className": "MessageEntityTextUrl", "url": "https://example.com"}]
    assert post("telegram", message="🎉 here!", entities=entities).text == "🎉 here (https://example.com)!"
    assert post("telegram", message="ab", entities=[{**entities[0], "offset": 10**9}]).text == "ab"


def test_the_link_leads_to_the_message() -> None:
    assert read_post(example("telegram-text")).link == "https://t.me/c/1234567890/4801"
    assert (
        post("telegram", id=5, channelId="-1001", message="a", chat={"username": "news", "title": "News"}).link
        == "https://t.me/news/5"
    )


def test_telegrams_media_are_known_by_kind() -> None:
    def media(**document: object) -> tuple[Media, ...]:
        return post("telegram", message="a", media={"className": "MessageMediaDocument", "document": document}).media

    assert media(mimeType="video/mp4") == (Media(is_video=True),)
    assert media(mimeType="x", attributes=[{"className": "DocumentAttributeVideo"}]) == (Media(is_video=True),)
    assert media(mimeType="image/png") == (Media(),)
    assert media(mimeType="application/pdf") == ()
    assert post("telegram", message="a", fwdFrom={"date": 1}).original is None


def test_what_telegram_marks_is_cut_out_by_utf_16_units() -> None:
    entities = [
        {"offset": 3, "length": 4, "className": "MessageEntityCashtag"},
        {"offset": 8, "length": 8, "className": "MessageEntityHashtag"},
        {"offset": 17, "length": 5, "className": "MessageEntityMention"},
        {"offset": 0, "length": 2, "className": "MessageEntityMentionName", "userId": "77"},
    ]
    message = "🎉 $BTC #día@chn @nova #no $no"
    assert read("symbols", "telegram", message=message, entities=entities) == ("BTC",)
    assert read("hashtags", "telegram", message=message, entities=entities) == ("día",)
    assert read("mentions", "telegram", message=message, entities=entities) == ("nova", "77")
    assert read("symbols", "telegram", message="$btc") == ("btc",)
    for odd in (
        {"offset": -3},
        {"offset": 10**9},
        {"offset": None},
        {"length": 1.5},
        {"offset": 10**400, "length": 1.5},
    ):
        assert read("symbols", "telegram", message="$BTC", entities=[{**entities[0], **odd}]) == ()


def test_a_link_is_an_address_that_is_written_out_or_hidden() -> None:
    bare = {"offset": 2, "length": 11, "className": "MessageEntityUrl"}
    hidden = {"offset": 0, "length": 1, "className": "MessageEntityTextUrl", "url": "https://example.com"}
    assert read("has_link", "telegram", message="a example.com", entities=[bare]) == (True,)
    assert read("has_link", "telegram", message="a tg://settings", entities=[bare | {"length": 13}]) == (False,)
    assert read("has_link", "telegram", message="a", entities=[hidden]) == (True,)
    assert read("has_link", "telegram", message="a", entities=[hidden | {"url": "tg://user?id=1"}]) == (False,)
