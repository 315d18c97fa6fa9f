"""What each common field reads of each source, and that no JSON makes one fail."""

import json
import re
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import example as also
from hypothesis import given
from hypothesis import strategies as st

from forwarder.core.common_fields import COMMON_FIELDS, CommonField, Facts
from forwarder.core.event import JSONValue
from forwarder.core.posts import Kind, read_value
from forwarder.core.posts.fields import MAX_TAGS
from forwarder.core.posts.tags import MAX_SCANNED
from tests.core.fields_of_examples import EXPECTED

ROOT = Path(__file__).parents[2]
EVENTS = ROOT / "tests" / "data" / "events"
STREAM = ROOT / "forwarder" / "emulator" / "data" / "stream.jsonl"


def facts(event: dict[str, Any]) -> Facts:
    return Facts(event["source"], event["payload"], event["timestamp"])


def read(name: str, source: str, **payload: object) -> tuple[JSONValue, ...]:
    return COMMON_FIELDS[name].read(Facts(source, cast("JSONValue", payload), 1767225600000))


@pytest.mark.parametrize("name", sorted({path.stem for path in EVENTS.glob("*.json")} | set(EXPECTED)))
def test_each_example_reads_as_expected(name: str) -> None:
    found = facts(json.loads((EVENTS / f"{name}.json").read_bytes()))
    expected = EXPECTED[name]
    assert set(expected) <= set(COMMON_FIELDS)
    for field in COMMON_FIELDS.values():
        wanted = expected.get(field.name, False if field.values == ("true", "false") else [])
        assert list(field.read(found)) == (wanted if isinstance(wanted, list) else [wanted]), field.name


def test_a_post_of_x_and_its_fast_twin_read_the_same_but_for_what_the_fast_one_cannot_know() -> None:
    twins: dict[str, dict[str, Facts]] = {}
    for line in STREAM.read_text(encoding="utf-8").splitlines():
        event = json.loads(line)
        if event["source"] in {"x", "fast-x"}:
            twins.setdefault(event["mid"], {})[event["source"]] = facts(event)
    assert len(twins) == 84
    differing = {
        field.name
        for both in twins.values()
        for field in COMMON_FIELDS.values()
        if field.read(both["x"]) != field.read(both["fast-x"])
    }
    assert differing == {"has_media", "has_video"}


def test_every_field_says_what_it_is() -> None:
    assert [*COMMON_FIELDS] == [
        *("text", "title", "author", "author_id", "author_name", "channel", "link", "lang", "kind"),
        *("has_media", "has_link", "has_video", "symbols", "hashtags", "mentions", "reply_to"),
    ]
    for name, field in COMMON_FIELDS.items():
        assert field.name == name
        assert "\n" not in field.description
        assert field.description.endswith(".")
    marks = {name: field.marker for name, field in COMMON_FIELDS.items() if field.marker}
    assert marks == {"author": "@", "reply_to": "@", "mentions": "@", "symbols": "$", "hashtags": "#"}
    assert {name for name, field in COMMON_FIELDS.items() if field.is_many} == {"symbols", "hashtags", "mentions"}
    assert {name for name, field in COMMON_FIELDS.items() if not field.ignores_case} == {
        *("author_id", "channel", "link", "kind", "has_media", "has_link", "has_video")
    }
    assert COMMON_FIELDS["kind"].values == ("post", "reply", "repost", "quote", "edit") == tuple(Kind)


def test_the_page_has_a_row_for_each_field_in_their_order() -> None:
    page = (ROOT / "docs" / "fields.md").read_text(encoding="utf-8")
    rows = [line.split(" | ") for line in page.splitlines() if line.startswith("| `")]
    assert [row[0].removeprefix("| ").strip("`") for row in rows] == [*COMMON_FIELDS]
    assert {len(row) for row in rows} == {6}


def test_each_key_that_the_page_names_for_a_source_is_read_in_its_module() -> None:
    page = (ROOT / "docs" / "fields.md").read_text(encoding="utf-8")
    rows = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| `")]
    posts = ROOT / "forwarder" / "core" / "posts"
    for column, module in enumerate(("x", "x", "telegram", "discord", "feeds"), start=1):
        code = (posts / f"{module}.py").read_text(encoding="utf-8")
        code += (posts / "x.py").read_text(encoding="utf-8") if module == "feeds" else ""  # `entities` as X has them
        for row in rows:
            for path in re.findall(r"`([A-Za-z_.]+)`", row[column]):
                for key in path.split("."):
                    assert re.search(rf"[\"']{key}[\"']", code), f"{row[0]}, {module}: {path}"


def test_text_is_title_and_text_and_never_json() -> None:
    assert read("text", "forwarder", title="bot is down", text="5 attempts failed") == (
        "bot is down\n5 attempts failed",
    )
    assert read("text", "rss", title="t", description="<p>a &amp; b</p>") == ("t\na & b",)
    assert read("text", "radio", frequency=98.5) == ()
    assert read("text", "x", text="a &amp; b") == ("a & b",)


def test_an_author_has_no_at_sign() -> None:
    assert read("author", "x", author={"screen_name": "@nova"}) == ("nova",)
    assert read("author", "x", author={"screen_name": "@"}) == ()
    assert read("reply_to", "x", in_reply_to_screen_name="@nova") == ("nova",)
    assert read("author", "telegram", chat={"username": "news"}) == ("news",)
    assert read("author_id", "telegram", fromId={"userId": "7"}) == ("7",)


@pytest.mark.parametrize(("text", "symbols", "hashtags", "mentions"), [
    ("$BTC $btc $ETH", ["BTC", "ETH"], [], []),
    ("($BTC), $eth; $SOL.", ["BTC", "eth", "SOL"], [], []),
    ("$100 $1INCH $a1 $PEPE2", ["a1", "PEPE2"], [], []),
    ("US$BTC a$B $$C $BTC_X $BTCé", [], [], []),
    ("$ABCDEFGHIJKLMNO $ABCDEFGHIJKLMNOP", ["ABCDEFGHIJKLMNO"], [], []),
    ("#a #1 #1st #_ #a_b #a-b", [], ["a", "1st", "a_b"], []),
    ("#開発、\uff03天気 今日は#x #हिन्दी #ไทยแลนด์", [], ["開発", "天気", "हिन्दी", "ไทยแลนด์"], []),
    ("a#b &#39; #x#y #x##", [], [], []),
    ("@Nova hi @nova. .@orbit (\uff20kit)", [], [], ["Nova", "orbit", "kit"]),
    ("me@example.com @user@example.com @a/@b @" + "a" * 51, [], [], ["a"]),
    ("こんにちは@user", [], [], ["user"]),
    ("https://example.com/@a#b?q=$c https://e.com/#d/@e x", [], [], []),
    ("https://t.co/a、#開発", [], ["開発"], []),
])  # fmt: skip
def test_tags_out_of_a_text(text: str, symbols: list[str], hashtags: list[str], mentions: list[str]) -> None:
    for source in ("fast-x", "radio"):
        assert list(read("symbols", source, text=text)) == symbols
        assert list(read("hashtags", source, text=text)) == hashtags
        assert list(read("mentions", source, text=text)) == mentions


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


def test_whom_discord_mentions_is_in_its_lists() -> None:
    mentions = {"everyone": True, "users": ["8", {"id": "9"}, None], "roles": ["5"]}
    assert read("mentions", "discord", content="<@8> @x", mentions=mentions) == ("everyone", "8", "9", "5")
    channel = {"content": "see <#123> #real $BTC", "cleanContent": "see #general #real $BTC"}
    assert read("hashtags", "discord", **channel) == ("real",)
    assert read("symbols", "discord", **channel) == ("BTC",)
    assert read("hashtags", "discord", content="", embeds=[{"title": "#a", "description": "#b"}]) == ("a", "b")


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


def test_links_of_the_other_sources() -> None:
    bare = {"offset": 2, "length": 11, "className": "MessageEntityUrl"}
    hidden = {"offset": 0, "length": 1, "className": "MessageEntityTextUrl", "url": "https://example.com"}
    assert read("has_link", "telegram", message="a example.com", entities=[bare]) == (True,)
    assert read("has_link", "telegram", message="a tg://settings", entities=[bare | {"length": 13}]) == (False,)
    assert read("has_link", "telegram", message="a", entities=[hidden]) == (True,)
    assert read("has_link", "telegram", message="a", entities=[hidden | {"url": "tg://user?id=1"}]) == (False,)
    assert read("has_link", "discord", content="a", embeds=[{"url": "https://example.com"}]) == (True,)
    assert read("has_link", "discord", content="a", embeds=[{"title": "b"}]) == (False,)
    assert read("has_link", "rss", title="t", link="https://example.com") == (False,)
    assert read("has_link", "rss", description='<p class="a">b <a rel=x href="https://example.com">c</a>') == (True,)
    assert read("has_link", "rss", description='b <img src="https://example.com/1.jpg">') == (False,)
    assert read("has_link", "radio", text="see HTTPS://пример.рф") == (True,)


def test_work_is_bounded() -> None:
    many = [f"$A{number}" for number in range(10_000)]
    assert len(read("symbols", "fast-x", text=" ".join(many))) == MAX_TAGS
    listed = {"symbols": [{"text": tag} for tag in many]}
    assert len(read("symbols", "x", text="a", entities=listed)) == MAX_TAGS
    marked = [{"offset": 0, "length": 10**6, "className": "MessageEntityCashtag"}] * 10_000
    (longest,) = read("symbols", "telegram", message="é" * 200_000, entities=marked)
    assert len(str(longest)) == 300
    assert read("symbols", "fast-x", text=" " * MAX_SCANNED + "$BTC") == ()
    grows = [{"url": "https://", "expanded_url": "https://" + "b https://" * 190}] * 100
    (text,) = read("text", "x", text="https://a", entities={"urls": grows})
    assert len(str(text)) < 50_000


KEYS = sorted(
    {
        key
        for path in (ROOT / "forwarder" / "core" / "posts").glob("*.py")
        for key in re.findall(r'"([A-Za-z_]{2,})"', path.read_text(encoding="utf-8"))
    }
)
"""Every word that the readers know, keys among them."""
SCALAR = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20), st.sampled_from(KEYS),
    st.sampled_from(["$BTC #a @b", "https://t.co/a", "\ud800$A", "&#" + "9" * 5_000 + ";", "<a href=https://e.com>", "🎉" * 9, 10**400,
                     "Thu Jan 01 00:00:00 +0000 2026", "/status/1", "<br>", "0001-01-01T00:00:00+14:00"]),
)  # fmt: skip
ODD = st.recursive(
    SCALAR,
    lambda below: st.lists(below, max_size=4) | st.dictionaries(st.sampled_from(KEYS), below, max_size=6),
    max_leaves=40,
)
SOURCES = st.sampled_from(["x", "fast-x", "telegram", "discord", "rss", "web", "forwarder", "", "radio"])


@pytest.mark.parametrize("field", COMMON_FIELDS.values(), ids=lambda field: field.name)
@given(
    source=SOURCES,
    payload=st.one_of(ODD, st.dictionaries(st.sampled_from(KEYS), ODD, max_size=12)),
    timestamp=st.floats(),
)
@also(source="rss", payload={"text": "&#" + "9" * 5_000 + ";"}, timestamp=0.0)
@also(
    source="telegram",
    payload={"message": "a", "entities": [{"className": "MessageEntityTextUrl", "offset": 10**400, "length": 1.5}]},
    timestamp=0.0,
)
def test_no_json_makes_a_field_fail_and_each_value_is_of_its_type(
    field: CommonField, source: str, payload: JSONValue, timestamp: float
) -> None:
    values = field.read(Facts(source, payload, timestamp))
    if field.values == ("true", "false"):
        assert values in {(True,), (False,)}
        return
    assert len(values) <= 1 or field.is_many
    for value in values:
        assert isinstance(value, str)
        assert value
        assert not field.values or value in field.values
        assert not (field.marker and value.startswith(field.marker))
    assert len({str(value).casefold() for value in values}) == len(values)
    read_value({"source": source, "payload": payload, "timestamp": timestamp})
