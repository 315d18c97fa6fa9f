"""Which module reads which source."""

import pytest

from forwarder.core.event import JSONValue
from forwarder.core.posts.readers import reader_of
from forwarder.core.posts.tags import Tag


@pytest.mark.parametrize(
    ("source", "payload", "text"),
    [
        ("x", {"text": "a"}, "a"),
        ("fast-x", {"text": "a"}, "a"),
        ("telegram", {"message": "a"}, "a"),
        ("discord", {"content": "a"}, "a"),
        ("rss", {"description": "<p>a</p>"}, "a"),
        ("forwarder", {"text": "a"}, "a"),
        ("new", {"content": "a"}, "a"),
    ],
)
def test_each_source_is_read_by_its_own_rules(source: str, payload: dict[str, JSONValue], text: str) -> None:
    assert reader_of(source).read(source, payload).text == text


def test_posts_of_fast_x_are_read_as_those_of_x() -> None:
    assert reader_of("fast-x") is reader_of("x")


def test_sources_that_are_not_documented_share_the_reader_of_feeds() -> None:
    assert reader_of("new") is reader_of("rss") is reader_of("forwarder")
    assert reader_of("new").read("new", {"text": "a"}).source == "new"


def test_only_the_envelope_of_x_has_the_time_of_the_post() -> None:
    sources = ("x", "fast-x", "telegram", "discord", "rss", "new")
    assert [source for source in sources if reader_of(source).has_time_of_post] == ["x", "fast-x"]


def test_tags_are_those_that_the_payload_lists_or_unknown() -> None:
    listed: dict[str, JSONValue] = {"text": "#a", "entities": {"hashtags": [{"text": "a"}]}}
    found = reader_of("x").tags(listed, Tag.HASHTAG)
    assert found is not None
    assert list(found) == ["a"]
    assert reader_of("x").tags({"text": "#a"}, Tag.HASHTAG) is None


@pytest.mark.parametrize("source", ["telegram", "discord", "rss"])
def test_a_link_is_looked_for_by_the_rules_of_the_source(source: str) -> None:
    key = {"telegram": "message", "discord": "content", "rss": "description"}[source]
    for text, expected in (("see https://example.com", True), ("see example", False)):
        payload: dict[str, JSONValue] = {key: text}
        reader = reader_of(source)
        assert reader.has_link(payload, reader.read(source, payload)) is expected
