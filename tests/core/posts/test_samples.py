"""The samples that templates are tried on."""

import pytest

from forwarder.core.event import KNOWN_SOURCES, decode_event
from forwarder.core.posts import Kind, read_post
from forwarder.core.posts.samples import SAMPLES


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_is_an_event_with_something_to_show(name: str) -> None:
    event = decode_event(SAMPLES[name])
    post = read_post(SAMPLES[name])
    assert event.source == name.partition(" ")[0]
    assert post.text or post.title


def test_there_is_a_sample_of_every_source_and_of_a_quote_and_a_repost() -> None:
    assert {name.partition(" ")[0] for name in SAMPLES} == {*KNOWN_SOURCES} - {"web"}
    assert read_post(SAMPLES["x quote"]).kind is Kind.QUOTE
    assert read_post(SAMPLES["x repost"]).kind is Kind.REPOST
