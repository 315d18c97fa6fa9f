"""What each common field reads of each source, and that no JSON makes one fail."""

import json
import re
from typing import Any

import pytest
from hypothesis import example as also
from hypothesis import given
from hypothesis import strategies as st

from forwarder.core.event import JSONValue
from forwarder.core.posts import Kind, read_value
from forwarder.core.posts.common_fields import COMMON_FIELDS, CommonField, Facts
from tests.core.posts.fields_of_examples import EXPECTED
from tests.core.posts.support import read
from tests.support.paths import ROOT

EVENTS = ROOT / "tests" / "data" / "events"
STREAM = ROOT / "forwarder" / "emulator" / "data" / "stream.jsonl"


def facts(event: dict[str, Any]) -> Facts:
    return Facts(event["source"], event["payload"], event["timestamp"])


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
