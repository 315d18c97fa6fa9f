"""What the messages for Telegram say, and how they are addressed, found again and edited."""

import html
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarder.core.destinations.content import Content
from forwarder.core.text import clean
from forwarder.destinations.formats import telegram
from forwarder.destinations.formats.telegram import LinkPreview
from tests.destinations.formats.limits import CHECKS
from tests.destinations.formats.support import NOT_A_MESSAGE, delivery, example, x_event
from tests.destinations.formats.telegram_reader import mentions
from tests.support.examples import examples


def test_telegram_counts_entities_as_what_they_stand_for_and_calls_nobody() -> None:
    format_ = telegram.TelegramFormat(chat_id="@news", topic=7, silent=True)
    message = json.loads(format_(delivery(x_event(text="&" * 3_000 + " @durov a@b.example https://m.example/@c"))).body)
    assert "&amp;" * 3_000 in message["text"]
    assert "@\u2060durov a@b.example https://m.example/@c" in message["text"]
    assert (message["chat_id"], message["message_thread_id"], message["disable_notification"]) == ("@news", 7, True)


MENTIONS = [
    f"{before}@victim"
    for before in (
        *("", " ", "(", ".", "-", "/", "…", "\u200b", "\u0301", "😀", "@", "é-", "http://", "https://@"),
        *(f"https://t.co/x{mark}" for mark in '"…«»<>\u200b\u2060\u2028\u3000\xa0)]}'),
        *("https://a.example/(b))", "https://a.example/'\"", 'https://a.example/?q="', "https://a.example/#<"),
        *(
            "https://a/",
            "https://a.b/",
            "https://a.b_c/",
            "https://_a.example/",
            "https://a_.example/",
            "https://a-.example/",
        ),
        *(
            "https://a..example/",
            "https://a.example:/",
            "https://a.example:99999/",
            "https://a.example:0/",
            "https://1.2.3/",
        ),
        *(
            "https://a.example.",
            "https://\xb2.example/",
            "https://a.\u0440/",
            "https://" + "\u4f8b" * 22 + ".example/",
            "https://a.ex4mple/",
            "https://xn--/",
            "https://teiegram.org/",
            "HTTPS://TEIEGRAM.ORG/",
            "shttp://a.example/",
        ),
        *(
            "/https://a.example/",
            "#https://a.example/",
            "x.y/(https://a.example/",
            "x.y@https://a.example/",
            "tg://resolve/",
            "ftp:/",
        ),
        *(f"https://{'a' * 64}.example/", "http://a.example\\", "https:/a.example/", "https://a.example@"),
    )
] + [
    "@\u0333victim",
    "@\u030avictim",
    "x\u0333 @victim",
    "mail a@b.example or @victim",
    "@victim@victim",
    "@Victim_1, @victim",
]


@pytest.mark.parametrize("text", MENTIONS)
def test_telegram_mentions_nobody_whatever_stands_before_the_at(text: str) -> None:
    body = x_event(text=text, title=text, author={"name": text, "screen_name": text}, in_reply_to_screen_name=text)
    CHECKS["telegram"](telegram.TelegramFormat(chat_id="1")(delivery(body)).body)
    assert not mentions(telegram.escape(text).replace("&lt;", "<").replace("&gt;", ">"))


@pytest.mark.parametrize(
    "text",
    [
        "https://m.example/@c",
        "(see https://www.tiktok.example/@some.one/video/1)",
        "“https://m.example/@c”",
        "a.b\nhttps://sub.m-n.example:8443?to=@c#@d",
        "HTTPS://M.EXAMPLE/漢字/@c",
        "https://xn--e1afmkfd.xn--p1ai/@c",
        "https://m.example/a_(b/@c",
        "https://m\u00fcnchen.example/@c https://\u043f\u0440\u0438\u043c\u0435\u0440.\u0440\u0444/@c https://\u4f8b\u3048.\u30c6\u30b9\u30c8/@c",
        "write to a@b.example, first.last@b.example",
        "5 @ 3, @ , @",
    ],
)
def test_telegram_leaves_links_and_mail_addresses_as_they_are(text: str) -> None:
    assert telegram.escape(text) == text


PIECES = st.sampled_from(
    [
        *(
            "https://",
            "http://",
            "shttp://",
            "HTTP://",
            "tg://",
            "a.example",
            "t.co",
            "a.b",
            "teiegram.org",
            "x",
            "_",
            "é",
            "1",
            "漢",
        ),
        *(
            "@victim",
            "@durov",
            "@",
            "a@b.example",
            "\u043f.\u0440\u0444",
            "\xb2",
            "/",
            "/x",
            "?",
            "#",
            "#tag",
            "/cmd",
            ":",
            ":80",
            ":99999",
            ".",
            "..",
            "-",
            "~",
            "$A",
        ),
        *(
            " ",
            "\n",
            "\t",
            "\xa0",
            "\u3000",
            "\u200b",
            "\u200c",
            "\u2010",
            "\u2028",
            "\u2060",
            "\u0333",
            "\u030a",
            "…",
            "«",
            "»",
        ),
        *("<", ">", '"', "'", "`", "(", ")", "[", "]", "{", "}", "\\", "|", "*", "&", "%", "“", "”", "!", ","),
    ]
)


@given(text=st.lists(PIECES, max_size=14).map("".join))
@examples(2_000)
def test_telegram_finds_no_mention_in_any_text(text: str) -> None:
    shown = html.unescape(telegram.escape(clean(text, limit=3_000)))
    assert mentions(shown) == []


def test_the_model_of_telegram_finds_mentions_and_links() -> None:
    assert mentions('https://t.co/x"@victim, @durov https://m.example/@c a@b.example x@abcd') == ["@victim", "@durov"]


@pytest.mark.parametrize(("preview", "name", "expected"), [
    ("media", "x-photo", {"url": "https://img.example.invalid/media/20067.jpg", "prefer_large_media": True}),
    ("media", "x-contract-address", {"is_disabled": True}),
    ("on", "x-contract-address", {"is_disabled": False}),
    ("off", "x-photo", {"is_disabled": True}),
])  # fmt: skip
def test_telegram_shows_a_picture_as_a_preview(preview: LinkPreview, name: str, expected: dict[str, object]) -> None:
    format_ = telegram.TelegramFormat(chat_id="1", link_preview=preview)
    assert json.loads(format_(delivery(example(name))).body)["link_preview_options"] == expected


def test_where_telegram_messages_go() -> None:
    for path in ("/bot1:a", "/bot1:a/", "/bot1:a/sendMessage", "/bot1:a/sendmessage/"):
        assert telegram.target_of(path, "chat_id=-100&x=1") == ("/bot1:a/sendMessage?x=1", "-100")
    assert telegram.target_of("/bot1:a", "a=%2F&&b=") == ("/bot1:a/sendMessage?a=%2F&&b=", "")
    assert telegram.target_of("/bot1:a", "chat_id=%40news") == ("/bot1:a/sendMessage", "@news")


def test_a_message_is_found_again_in_the_answer() -> None:
    format_ = telegram.TelegramFormat()
    assert format_.receipt(b'{"ok":true,"result":{"message_id":42}}') == "42"
    for answer in NOT_A_MESSAGE:
        assert format_.receipt(answer) is None


def test_a_message_is_edited_in_its_place() -> None:
    format_ = telegram.TelegramFormat(target="/bot1:a/sendMessage", chat_id="5", topic=7)
    edit = format_.edit(format_(delivery(x_event(text="new"))), "42")
    assert (edit.method, edit.target) == ("POST", "/bot1:a/editMessageText")
    message = json.loads(edit.body)
    assert (message["chat_id"], message["message_id"], message["parse_mode"]) == (5, 42, "HTML")
    assert "message_thread_id" not in message
    with pytest.raises(ValueError, match="no target"):
        format_.edit(Content(body=b"{}"), "42")


@pytest.mark.parametrize(
    ("status", "description", "is_settled"),
    [
        (400, "Bad Request: message is not modified: specified new message content", True),
        (400, "Bad Request: message to edit not found", True),
        (400, "Bad Request: can't parse entities", False),
        (403, "Forbidden: message is not modified", False),
    ],
)
def test_an_edit_that_has_nothing_left_to_do_is_settled(status: int, description: str, is_settled: bool) -> None:
    answer = json.dumps({"ok": False, "description": description}).encode()
    assert telegram.TelegramFormat().is_settled(status, answer) == is_settled


def test_equal_settings_make_equal_formats_and_none_shows_what_is_secret() -> None:
    assert telegram.TelegramFormat(target="/a") == telegram.TelegramFormat(target="/a")
    assert "secret" not in repr(telegram.TelegramFormat(target="/secret", chat_id="secret"))
