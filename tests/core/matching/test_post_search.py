"""Posts are found as a person looks for them, and a list shows who wrote them and how they begin."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarder.core.matching.post_search import HEADING_LENGTH, Heading, PostSearch, heading_of
from forwarder.core.posts.samples import SAMPLES


@pytest.mark.parametrize(
    ("search", "name", "is_found"),
    [
        (PostSearch(), "x", True),
        (PostSearch(author="novadesk"), "x", True),
        (PostSearch(author="@NovaDesk"), "x", True),
        (PostSearch(author="nova"), "x", False),
        (PostSearch(author='Nova "The" Desk'), "x", True),
        (PostSearch(author="44100001"), "x", True),
        (PostSearch(author="1234567890"), "telegram", True),
        (PostSearch(author="novadesk"), "telegram", False),
        (PostSearch(text="RATES “on hold”"), "x", True),
        (PostSearch(text="\uff32ates"), "x", True),
        (PostSearch(text='hold"  🎉\nA'), "x", True),
        (PostSearch(text="rates off"), "x", False),
        (PostSearch(text="снег"), "x quote", True),
        (PostSearch(text='a "title"'), "rss", True),
        (PostSearch(link="https://example.com/p/1/"), "rss", True),
        (PostSearch(link="https://example.com/p"), "rss", False),
        (PostSearch(author="novadesk", text="hold"), "x", True),
        (PostSearch(author="novadesk", text="snow"), "x", False),
        (PostSearch(author="other", text="hold"), "x", False),
    ],
    ids=str,
)
def test_a_post_is_found_by_its_author_its_text_and_its_address(search: PostSearch, name: str, is_found: bool) -> None:
    assert search.finds(SAMPLES[name]) is is_found


def heading(name: str, **changes: object) -> Heading:
    event = json.loads(SAMPLES[name])
    event["payload"] |= changes
    return heading_of(json.dumps(event).encode())


def test_a_heading_has_the_handle_or_else_the_name_the_id_or_the_channel() -> None:
    assert heading("x") == Heading("novadesk", 'Rates "on hold" 🎉\nA \\ B & C < D')
    assert heading("telegram").author == "1234567890"
    assert heading("telegram", postAuthor="Nova").author == "Nova"
    assert heading("discord").author == "800000000000000007"
    assert heading("rss") == Heading("", 'A "title"')
    assert heading("forwarder").text == "bot does not answer\n5 attempts failed: HTTP 503"


def test_a_heading_is_short_and_that_of_a_forwarded_message_is_what_was_forwarded() -> None:
    assert len(heading("x", text="word " * 1_000).text) == HEADING_LENGTH
    assert heading("discord", content="", cleanContent="", messageSnapshots=[{"content": "before"}]).text == "before"


@given(st.binary(max_size=200), st.text(max_size=20))
def test_no_bytes_are_an_error(body: bytes, text: str) -> None:
    PostSearch(author=text, text=text, link=text).finds(body)
    assert len(heading_of(body).text) <= HEADING_LENGTH


def test_a_text_that_begins_with_its_title_is_shown_once() -> None:
    payload = {
        "title": "3 posts not sent to bot",
        "text": "3 posts not sent to bot (limit 5 per 10 min). First: 10:00.",
    }
    body = json.dumps({"source": "forwarder", "mid": "1", "sid": "bot", "timestamp": 1, "payload": payload}).encode()
    assert heading_of(body).text == payload["text"]
