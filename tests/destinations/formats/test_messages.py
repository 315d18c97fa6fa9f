"""What the messages say, and how they are addressed, found again and edited."""

import json
from typing import Any

import pytest

from forwarder.core.content import Content
from forwarder.core.text import shorten, split_off, units, web_address
from forwarder.destinations.formats import discord, slack, telegram
from forwarder.destinations.formats.telegram import LinkPreview
from tests.destinations.formats.support import delivery, example


def x(**payload: object) -> bytes:
    return json.dumps({"source": "x", "mid": "1", "sid": "2", "timestamp": 1767225600000, "payload": payload}).encode()


def discord_message(body: bytes) -> dict[str, Any]:
    message: dict[str, Any] = json.loads(discord.DiscordFormat()(delivery(body)).body)
    return message


def test_a_text_that_is_too_long_ends_after_a_word_with_a_sign_and_the_link() -> None:
    (embed,) = discord_message(x(text="word " * 2000, link="https://x.com/a/status/1"))["embeds"]
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


def test_discord_groups_up_to_four_pictures_by_the_posts_link() -> None:
    media = [{"media_url_https": f"https://img.example.com/{n}.jpg", "type": "photo"} for n in range(6)]
    embeds = discord_message(x(text="a", link="https://x.com/a/status/1", media=media))["embeds"]
    assert [embed["image"]["url"][-5] for embed in embeds] == ["0", "1", "2", "3"]
    assert {embed["url"] for embed in embeds} == {"https://x.com/a/status/1"}


def test_discord_knows_a_name_and_a_picture_of_its_own() -> None:
    format_ = discord.DiscordFormat(username="Desk", avatar_url="https://img.example.com/a.png")
    message = json.loads(format_(delivery(example("x-plain"))).body)
    assert (message["username"], message["avatar_url"]) == ("Desk", "https://img.example.com/a.png")


def test_slack_splits_a_long_text_over_sections_and_loses_no_word() -> None:
    message = json.loads(slack.SlackFormat()(delivery(x(text=" ".join(map(str, range(2000)))))).body)
    sections = [block["text"]["text"] for block in message["blocks"] if block["type"] == "section"]
    assert len(sections) == 4
    assert " ".join(sections).split() == [str(number) for number in range(2000)]


def test_slack_writes_links_out_and_makes_markup_harmless() -> None:
    assert slack.escape("a<b> & <!channel>") == "a&lt;b&gt; &amp; &lt;!channel&gt;"
    assert slack.escape("see https://a.example/?b=1&c=2.") == "see <https://a.example/?b=1&amp;c=2>."


def test_telegram_counts_entities_as_what_they_stand_for_and_calls_nobody() -> None:
    format_ = telegram.TelegramFormat(chat_id="@news", topic=7, silent=True)
    message = json.loads(format_(delivery(x(text="&" * 3_000 + " @durov a@b.example https://m.example/@c"))).body)
    assert "&amp;" * 3_000 in message["text"]
    assert "@\u2060durov a@b.example https://m.example/@c" in message["text"]
    assert (message["chat_id"], message["message_thread_id"], message["disable_notification"]) == ("@news", 7, True)


@pytest.mark.parametrize(("wish", "name", "expected"), [
    ("media", "x-photo", {"url": "https://img.example.invalid/media/20067.jpg", "prefer_large_media": True}),
    ("media", "x-contract-address", {"is_disabled": True}),
    ("on", "x-contract-address", {"is_disabled": False}),
    ("off", "x-photo", {"is_disabled": True}),
])  # fmt: skip
def test_telegram_shows_a_picture_as_a_preview(wish: LinkPreview, name: str, expected: dict[str, object]) -> None:
    format_ = telegram.TelegramFormat(chat_id="1", link_preview=wish)
    assert json.loads(format_(delivery(example(name))).body)["link_preview_options"] == expected


def test_where_discord_messages_go() -> None:
    path = "/api/webhooks/1/tok"
    assert discord.target_of(path, "") == f"{path}?wait=true"
    assert discord.target_of(path, "thread_id=5&wait=false") == f"{path}?thread_id=5&wait=true"
    assert discord.target_of(path, "thread_id=5", thread_id="6") == f"{path}?wait=true&thread_id=6"


def test_where_telegram_messages_go() -> None:
    for path in ("/bot1:a", "/bot1:a/", "/bot1:a/sendMessage", "/bot1:a/sendmessage/"):
        assert telegram.target_of(path, "chat_id=-100&x=1") == ("/bot1:a/sendMessage?x=1", "-100")
    assert telegram.target_of("/bot1:a", "chat_id=%40news") == ("/bot1:a/sendMessage", "@news")


def test_a_message_is_found_again_in_the_answer() -> None:
    assert discord.message_id(b'{"id":"1300000003774873600","content":""}') == "1300000003774873600"
    assert telegram.message_id(b'{"ok":true,"result":{"message_id":42}}') == "42"
    for answer in (
        b"",
        b"ok",
        b"[]",
        b'{"id":5}',
        b'{"id":"../x"}',
        b'{"result":[]}',
        b'{"result":{"message_id":true}}',
        b"\xff",
    ):
        assert discord.message_id(answer) is None
        assert telegram.message_id(answer) is None


def test_a_message_is_edited_in_its_place() -> None:
    content = discord.DiscordFormat(target="/api/webhooks/1/tok?thread_id=5&wait=true", username="Desk")(
        delivery(x(text="new"))
    )
    edit = discord.edit_of(content, "42")
    assert (edit.method, edit.target) == ("PATCH", "/api/webhooks/1/tok/messages/42?thread_id=5")
    message = json.loads(edit.body)
    assert message["allowed_mentions"] == {"parse": []}
    assert "username" not in message

    content = telegram.TelegramFormat(target="/bot1:a/sendMessage", chat_id="5", topic=7)(delivery(x(text="new")))
    edit = telegram.edit_of(content, "42")
    assert (edit.method, edit.target) == ("POST", "/bot1:a/editMessageText")
    message = json.loads(edit.body)
    assert (message["chat_id"], message["message_id"], message["parse_mode"]) == (5, 42, "HTML")
    assert "message_thread_id" not in message
    for module in (discord, telegram):
        with pytest.raises(ValueError, match="no target"):
            module.edit_of(Content(body=b"{}"), "42")


def test_equal_settings_make_equal_formats_and_none_shows_what_is_secret() -> None:
    assert (
        discord.DiscordFormat(target="/a") == discord.DiscordFormat(target="/a") != discord.DiscordFormat(target="/b")
    )
    assert slack.SlackFormat() == slack.SlackFormat()
    shown = repr([discord.DiscordFormat(target="/secret"), telegram.TelegramFormat(target="/secret", chat_id="secret")])
    assert "secret" not in shown


def test_a_beginning_that_escapes_to_more_than_a_longer_one_fits_all_the_same() -> None:
    def doubled(text: str) -> str:
        return text if text.endswith("!") else text * 2

    head, _ = split_off("one two three! four", limit=14, escape=doubled)
    assert units(doubled(head)) <= 14


def test_texts_are_cut_between_words_and_never_within_a_character() -> None:
    assert shorten("one two three", limit=8) == "one two…"
    assert split_off("one two three", limit=9) == ("one two", "three")
    family = "👩‍👩‍👧‍👦"
    for limit in range(2, 60):
        text = shorten(family * 5, limit=limit)
        assert units(text) <= limit
        assert set(text.removesuffix("…").split(family)) <= {""} or limit < units(family) + 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "javascript:alert(1)",
        "https://",
        "http://localhost/a",
        "https://a b.example/",
        "https://u:p@a.example/",
        "x" * 3000,
        "https://a.example\n.b",
        "https://a.example/\ud800",
    ],
)
def test_an_odd_address_is_left_out(text: str) -> None:
    assert web_address(text) == ""


def test_an_address_is_written_as_the_services_take_it() -> None:
    assert (
        web_address("HTTPS://A.Example:8080/ü (1)?q=%20&r=[x]")
        == "https://a.example:8080/%C3%BC%20%281%29?q=%20&r=%5Bx%5D"
    )
