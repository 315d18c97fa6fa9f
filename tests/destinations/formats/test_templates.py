"""Templates as a format: what is sent, and which events cannot be put."""

import json

import pytest

from forwarder.core.content import CannotFormatError, raw
from forwarder.core.template_fields import fields_of
from forwarder.destinations.formats.discord import DiscordFormat
from forwarder.destinations.formats.template import TemplateFormat, ToFilledUrl
from tests.destinations.formats.support import delivery, example


def template(source: str, *, is_json: bool = True) -> TemplateFormat:
    return TemplateFormat(source=source, content_type="application/json" if is_json else "text/plain", is_json=is_json)


def test_the_body_is_what_the_template_makes_with_the_deliverys_id() -> None:
    content = template('{"id": {{ id | tojson }}, "t": {{ post.text | tojson }}}')(delivery(example("x-unicode")))
    made = json.loads(content.body)
    assert made["id"] == delivery(b"").id
    assert made["t"] == json.loads(example("x-unicode"))["payload"]["text"]
    assert content.content_type == "application/json"


def test_an_event_that_a_template_fails_for_cannot_be_put() -> None:
    with pytest.raises(CannotFormatError, match="not JSON"):
        template("{{ post.text }}")(delivery(example("x-plain")))
    with pytest.raises(CannotFormatError, match="ZeroDivisionError"):
        template("{{ 1 / 0 }}", is_json=False)(delivery(example("x-plain")))
    with pytest.raises(CannotFormatError, match="empty"):
        ToFilledUrl(format_=raw, source="/{{ post.author.handle }}")(delivery(example("telegram-text")))


def test_half_a_character_is_sent_as_something_that_utf_8_holds() -> None:
    body = b'{"source":"x","payload":{"text":"a\\ud800"}}'
    assert template("{{ post.text }}", is_json=False)(delivery(body)).body == b"a?"
    assert json.loads(template("{{ post.text | tojson }}")(delivery(body)).body) == "a\ud800"


def test_any_bytes_have_variables() -> None:
    for body in (b"", b"\xff", b"[]", b'"x"', b'{"source":"x","payload":"cut"}'):
        fields = fields_of(body, id_="m")
        assert set(fields) == {"event", "id", "mid", "payload", "post", "sid", "source", "timestamp"}


def test_a_filled_url_stands_around_any_format() -> None:
    format_ = ToFilledUrl(format_=DiscordFormat(target="/hook?wait=true"), source="/hook/{{ post.source }}?wait=true")
    content = format_(delivery(example("x-plain")))
    assert content.target == "/hook/x?wait=true"
    assert "embeds" in json.loads(content.body)


def test_equal_templates_are_equal_and_show_nothing() -> None:
    assert template("1") == template("1") != template("2")
    assert ToFilledUrl(format_=raw, source="/a{{ mid }}") == ToFilledUrl(format_=raw, source="/a{{ mid }}")
    assert "secret" not in repr([template("'secret'"), ToFilledUrl(format_=raw, source="/secret{{ mid }}")])
