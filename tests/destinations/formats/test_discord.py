"""What the messages for Discord say, and how they are addressed, found again and edited."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarder.core.destinations.content import Content
from forwarder.destinations.formats import discord
from tests.destinations.formats.discord_reader import active
from tests.destinations.formats.support import NOT_A_MESSAGE, delivery, example, x_event
from tests.support.examples import examples


def discord_message(body: bytes) -> dict[str, Any]:
    message: dict[str, Any] = json.loads(discord.DiscordFormat()(delivery(body)).body)
    return message


def test_a_text_that_is_too_long_ends_after_a_word_with_a_sign_and_the_link() -> None:
    (embed,) = discord_message(x_event(text="word " * 2000, link="https://x.com/a/status/1"))["embeds"]
    text, link = embed["description"].split("\n\n")
    assert text.endswith("word…")
    assert link == "[Open on X](https://x.com/a/status/1)"


@pytest.mark.parametrize(
    ("written", "escaped"),
    [
        ("*a* _b_ ~~c~~ `d` ||e||", r"\*a\* \_b\_ \~\~c\~\~ \`d\` \|\|e\|\|"),
        ("# big\n> cited\n- listed\n-# small", "\\# big\n\\> cited\n\\- listed\n\\-# small"),
        ("<@1> <#2> <t:3> <:e:4>", r"\<@1> \<#2> \<t:3> \<:e:4>"),
        ("see https://a.example/b_c_d*e* and _f_", r"see https://a.example/b_c_d*e* and \_f\_"),
        ("[bank](https://evil.example)", r"\[bank](https://evil.example)"),
        ("1 - 2 > 0 # 3", "1 - 2 > 0 # 3"),
        ("\\*", "\\\\\\*"),
    ],
)
def test_discord_shows_a_text_as_it_was_written(written: str, escaped: str) -> None:
    assert discord.escape(written) == escaped


MASKED = [
    "http://[ label](https://evil.example)",
    "http://[label](https://evil.example)",
    "https://a.example/[ label](https://evil.example)",
    "https://a.example/[x](https://evil.example)",
    "https://a.example?[ x](https://evil.example)",
    "https://a.example[ x](https://evil.example)",
    "https://a.example:[ x](https://evil.example)",
    "https://a.example\\[ x](https://evil.example)",
    "https://a.example/\\[ x](https://evil.example)",
    "https://[::1]/[ x](https://evil.example)",
    "HTTPS://[ x](https://evil.example)",
    "steam://[ x](https://evil.example)",
    "[a [b] https://c.example/](https://evil.example)",
    "[https://bank.example](https://evil.example)",
    "[ https://bank.example/ ](<https://evil.example>)",
    "![https://bank.example/](https://evil.example 'title')",
    "https://a.example/<@123>",
    "https://a.example/x<https://evil.example>",
    "http://[x<@!123>",
    "http://x*<#123> http://y<:a:1> steam://z<t:1:R> https://a.example<id:home>",
    "https://a.example/||hidden|| https://b.example/``code``",
    "https://a.example/\\<@123>",
]


@pytest.mark.parametrize("text", MASKED)
def test_discord_makes_no_masked_link_and_no_mention_of_a_text_with_a_link(text: str) -> None:
    message = discord_message(x_event(text=text, link="https://x.com/a/status/1"))
    assert active(message["embeds"][0]["description"]) == {"[Open on X](https://x.com/a/status/1)"}


@pytest.mark.parametrize(
    ("written", "escaped"),
    [
        ("(https://a.example/b_(c)_d).", "(https://a.example/b_(c)_d)."),
        ("https://пример.example/ü*x*", "https://пример.example/ü*x*"),
        ("https://a.example/?a[]=1|2", "https://a.example/?a%5B%5D=1%7C2"),
        ("http://localhost:8080, http://a.example!", "http://localhost:8080, http://a.example!"),
        ("https://a.example/<b>", r"https://a.example/ \<b>"),
        ("a<b", r"a\<b"),
    ],
)
def test_discord_leaves_links_as_they_are(written: str, escaped: str) -> None:
    assert discord.escape(written) == escaped


PIECES = st.sampled_from(
    [
        *(
            "https://",
            "http://",
            "steam://",
            "a.example",
            "/",
            "?",
            "#",
            ":",
            ":80",
            "x",
            "@",
            ".",
            ",",
            "-",
            "é",
            "[::1]",
        ),
        *(
            "[",
            "]",
            "(",
            ")",
            "](",
            "](https://evil.example)",
            "<",
            ">",
            "<@1>",
            "<#1>",
            "<https://evil.example>",
            "<t:1>",
            "<:a:1>",
        ),
        *("\\", "`", "``", "|", "||", "*", "_", "~", "!", '"', "'", " ", "\n", "\t", "\xa0", "\ufeff", "\u200b"),
    ]
)


@given(text=st.lists(PIECES, max_size=14).map("".join))
@examples(2_000)
def test_discord_acts_upon_nothing_in_any_text(text: str) -> None:
    assert active(discord.escape(text)) == set()


def test_the_model_of_discord_finds_masked_links_and_mentions() -> None:
    assert active("http://[ x](https://evil.example) \\[y](https://z.example)") == {"[ x](https://evil.example)"}
    assert "<@1>" in active("https://a.example/\\<@1>")


def test_discord_groups_up_to_four_pictures_by_the_posts_link() -> None:
    media = [{"media_url_https": f"https://img.example.com/{n}.jpg", "type": "photo"} for n in range(6)]
    embeds = discord_message(x_event(text="a", link="https://x.com/a/status/1", media=media))["embeds"]
    assert [embed["image"]["url"][-5] for embed in embeds] == ["0", "1", "2", "3"]
    assert {embed["url"] for embed in embeds} == {"https://x.com/a/status/1"}


def test_discord_knows_a_name_and_a_picture_of_its_own() -> None:
    format_ = discord.DiscordFormat(username="Desk", avatar_url="https://img.example.com/a.png")
    message = json.loads(format_(delivery(example("x-plain"))).body)
    assert (message["username"], message["avatar_url"]) == ("Desk", "https://img.example.com/a.png")


def test_where_discord_messages_go() -> None:
    path = "/api/webhooks/1/tok"
    assert discord.target_of(path, "") == f"{path}?wait=true"
    assert discord.target_of(path, "thread_id=5&wait=false") == f"{path}?thread_id=5&wait=true"
    assert discord.target_of(path, "a=%2F&&b=") == f"{path}?a=%2F&&b=&wait=true"
    assert discord.target_of(path, "thread_id=5", thread_id="6") == f"{path}?wait=true&thread_id=6"


def test_a_message_is_found_again_in_the_answer() -> None:
    format_ = discord.DiscordFormat()
    assert format_.receipt(b'{"id":"1300000003774873600","content":""}') == "1300000003774873600"
    for answer in NOT_A_MESSAGE:
        assert format_.receipt(answer) is None


def test_a_message_is_edited_in_its_place() -> None:
    format_ = discord.DiscordFormat(target="/api/webhooks/1/tok?thread_id=5&wait=true", username="Desk")
    edit = format_.edit(format_(delivery(x_event(text="new"))), "42")
    assert (edit.method, edit.target) == ("PATCH", "/api/webhooks/1/tok/messages/42?thread_id=5")
    message = json.loads(edit.body)
    assert message["allowed_mentions"] == {"parse": []}
    assert "username" not in message
    with pytest.raises(ValueError, match="no target"):
        format_.edit(Content(body=b"{}"), "42")


def test_in_a_forum_each_message_is_a_post_and_its_edit_goes_to_the_thread_of_that_post() -> None:
    format_ = discord.DiscordFormat(target="/api/webhooks/1/tok?wait=true", thread_name="News")
    content = format_(delivery(x_event(text="new")))
    assert json.loads(content.body)["thread_name"] == "News"
    edit = format_.edit(content, "42")
    assert (edit.method, edit.target) == ("PATCH", "/api/webhooks/1/tok/messages/42?thread_id=42")
    assert "thread_name" not in json.loads(edit.body)


@pytest.mark.parametrize(
    ("status", "answer", "is_settled"),
    [
        (404, b'{"code":10008}', True),
        (404, b"", True),
        (404, b'{"code":10015}', False),
        (400, b'{"code":10008}', False),
    ],
)
def test_an_edit_of_a_message_that_is_gone_is_settled_but_not_of_a_webhook_that_is_gone(
    status: int, answer: bytes, is_settled: bool
) -> None:
    assert discord.DiscordFormat().is_settled(status, answer) == is_settled


def test_equal_settings_make_equal_formats_and_none_shows_what_is_secret() -> None:
    assert (
        discord.DiscordFormat(target="/a") == discord.DiscordFormat(target="/a") != discord.DiscordFormat(target="/b")
    )
    assert "secret" not in repr(discord.DiscordFormat(target="/secret"))
