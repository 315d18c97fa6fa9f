"""What is read of messages of Discord."""

from forwarder.core.posts import Kind, read_post
from tests.core.posts.support import post, read
from tests.destinations.formats.support import example


def test_the_link_leads_to_the_message() -> None:
    assert read_post(example("discord-text")).link.endswith(
        "/900000000000000001/900000000000000042/1300000003774873600"
    )


def test_a_message_of_discord_that_is_an_embed_alone_has_its_text() -> None:
    embedded = read_post(example("discord-embed"))
    assert (embedded.title, embedded.text.splitlines()[:2]) == ("v4.2.0", ["Faster cold starts", "Commits: 128"])


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


def test_whom_discord_mentions_is_in_its_lists() -> None:
    mentions = {"everyone": True, "users": ["8", {"id": "9"}, None], "roles": ["5"]}
    assert read("mentions", "discord", content="<@8> @x", mentions=mentions) == ("everyone", "8", "9", "5")
    channel = {"content": "see <#123> #real $BTC", "cleanContent": "see #general #real $BTC"}
    assert read("hashtags", "discord", **channel) == ("real",)
    assert read("symbols", "discord", **channel) == ("BTC",)
    assert read("hashtags", "discord", content="", embeds=[{"title": "#a", "description": "#b"}]) == ("a", "b")


def test_an_embed_may_lead_to_a_link() -> None:
    assert read("has_link", "discord", content="a", embeds=[{"url": "https://example.com"}]) == (True,)
    assert read("has_link", "discord", content="a", embeds=[{"title": "b"}]) == (False,)


def test_the_text_of_a_forward_is_that_of_the_message_that_was_forwarded() -> None:
    assert read("text", "discord", content="", messageSnapshots=[{"message": {"content": "inner"}}]) == ("inner",)


def test_a_message_with_a_time_of_its_edit_is_an_edit() -> None:
    assert post("discord", content="a", editedTimestamp=1767225600000).kind is Kind.EDIT
