"""An event of pieces has them where rules and messages read them."""

import pytest

from forwarder.core.event import decode_event
from forwarder.core.posts import read_post
from forwarder.core.posts.pieces import event_of_pieces


@pytest.mark.parametrize("source", ["x", "fast-x", "telegram", "discord", "rss", "mastodon"])
def test_each_source_has_the_text_and_the_author(source: str) -> None:
    body = event_of_pieces(source=source, text='"gm" 🎉', author="@novadesk", timestamp_ms=1767225600000)
    post = read_post(body)
    assert (post.text, post.author.handle, post.kind) == ('"gm" 🎉', "novadesk", "post")
    assert decode_event(body).source == source


@pytest.mark.parametrize("source", ["x", "telegram", "discord", "rss"])
def test_without_an_author_there_is_none(source: str) -> None:
    post = read_post(event_of_pieces(source=source, text="gm", author="", timestamp_ms=0))
    assert (post.text, post.author.handle, post.author.name) == ("gm", "", "")
