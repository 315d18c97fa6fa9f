"""The post of an event: its kind, and what is shown where nothing is known."""

import json
from datetime import UTC, datetime

import pytest

from forwarder.core.posts import MOST_WHOLE_BYTES, Kind, read_beginning, read_for_display, read_post, read_value
from tests.core.posts.support import post
from tests.destinations.formats.support import example


@pytest.mark.parametrize(("name", "kind"), [
    ("x-plain", Kind.POST), ("x-reply", Kind.REPLY), ("x-repost", Kind.REPOST), ("x-quote", Kind.QUOTE), ("fast-x-plain", Kind.POST),
    ("telegram-text", Kind.POST), ("telegram-edited", Kind.EDIT), ("telegram-reply", Kind.REPLY), ("telegram-forward", Kind.REPOST),
    ("discord-text", Kind.POST), ("discord-reply", Kind.REPLY), ("rss-unknown-source", Kind.POST),
])  # fmt: skip
def test_the_kind_of_each_example(name: str, kind: Kind) -> None:
    assert read_post(example(name)).kind is kind


def test_what_nobody_knows_is_shown_as_it_is() -> None:
    assert post("radio", frequency=98.5).text == '{"frequency": 98.5}'
    assert read_post(example("public-sse-telegram")).text.startswith('{"id":4801')
    assert read_post(example("public-sse-fast-x")).text.startswith("Markets open flat")
    assert read_post(b"not json").text == "not json"
    assert read_post(b'{"source":"x","payload":{"text":"\\ud800"}}').text == "\ud800"


def test_a_number_that_python_does_not_print_is_shown_as_nothing() -> None:
    body = b'{"source":"radio","payload":{"n":' + b"9" * 5_000 + b"}}"
    assert read_post(body).source in {"", "radio"}


def test_a_value_that_cannot_be_written_as_json_is_shown_as_nothing() -> None:
    assert not read_value({"source": "radio", "payload": {"n": 10**5_000}}).text


def test_the_time_of_a_post_is_the_envelopes_for_x_and_the_messages_own_elsewhere() -> None:
    assert post("x", text="a", created_at="Thu Jan 01 00:00:06 +0000 2026").at == datetime(2026, 1, 1, tzinfo=UTC)
    assert post("telegram", message="a", date=1767225606).at == datetime(2026, 1, 1, 0, 0, 6, tzinfo=UTC)
    assert post("telegram", message="a").at == datetime(2026, 1, 1, tzinfo=UTC)


def test_of_a_large_event_only_the_beginning_is_read_to_be_shown() -> None:
    body = json.dumps(
        {"source": "x", "payload": {"text": "short", "values": [1] * MOST_WHOLE_BYTES, "link": "https://example.com/"}}
    ).encode()
    assert (read_for_display(body).text, read_for_display(body).link) == ("short", "")
    assert read_for_display(example("x-plain")) == read_post(example("x-plain"))
    assert read_beginning(b"no JSON \xff" + body).text.startswith('no JSON {"source"')
