"""Plain texts: what a person reads of each kind of post."""

import pytest

from forwarder.core.destinations.content import TITLE
from forwarder.destinations.formats.text import MAX_TEXT, MAX_TITLE, TextFormat
from tests.destinations.formats.support import NAMES, delivery, example


def lines(body: bytes) -> list[str]:
    return TextFormat()(delivery(body)).body.decode().split("\n")


@pytest.mark.parametrize("name", NAMES)
def test_every_example_has_a_headline_and_the_same_text_with_a_title(name: str) -> None:
    alone, titled = TextFormat()(delivery(example(name))), TextFormat(has_title=True)(delivery(example(name)))
    title = titled.headers[TITLE]
    assert 0 < len(title) <= MAX_TITLE
    assert "\n" not in title
    assert alone.body.decode() == f"{title}\n\n{titled.body.decode()}\n"
    assert alone.content_type == "text/plain; charset=utf-8"
    assert not alone.headers
    assert len(alone.body) < 4 * (MAX_TEXT + 4_000)


def test_a_quoted_post_follows_the_text_and_the_link_is_written_out() -> None:
    found = lines(example("x-quote"))
    assert found[0] == "Nova Desk @novadesk · quoted"
    assert any(line.startswith("This matters more than the headline") for line in found)
    assert any(line.startswith("> ") for line in found)
    assert "Open on X: https://" in found[-2]
