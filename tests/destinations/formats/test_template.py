"""Bodies and URLs from templates of the user: what is sent, and which events cannot be rendered."""

import json

import pytest

from forwarder.core.destinations.content import CannotFormatError, RenderElsewhereError, raw
from forwarder.core.templates.fields import fields_of
from forwarder.destinations.formats.discord import DiscordFormat
from forwarder.destinations.formats.template import MAX_BODY_BYTES, TemplateFormat, ToFilledUrl, WithHeaders
from tests.destinations.formats.support import delivery, example, x_event


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
    with pytest.raises(CannotFormatError, match="/ divides by 0"):
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


def test_headers_are_rendered_around_any_format() -> None:
    body = delivery(b'{"source":"x","mid":"1","payload":{"text":"\xc3\xbc \\ud800","two":"a\\nb"}}')
    headers = {"Title": " {{ payload.text }} ", "Tags": "{{ source }},{{ mid }}", "Empty": "{{ payload.no }}"}
    content = WithHeaders(format_=raw, headers=headers)(body)
    assert content.body == body.body
    assert content.headers == {"Title": "\u00fc ?", "Tags": "x,1", "Empty": ""}
    with pytest.raises(CannotFormatError, match=r"^headers\.Title: the value has a line break"):
        WithHeaders(format_=raw, headers={"Title": "{{ payload.two }}"})(body)
    with pytest.raises(CannotFormatError, match=r"^headers\.Title, line 1: the filter abs fails for a text"):
        WithHeaders(format_=raw, headers={"Title": "{{ payload.two | abs }}"})(body)
    assert "Title" not in repr(WithHeaders(format_=raw, headers=headers))


def test_what_may_cost_much_is_rendered_elsewhere() -> None:
    small, large = x_event(n=300), x_event(text="a" * MAX_BODY_BYTES)
    cheap = template("{{ mid }}", is_json=False)
    assert cheap(delivery(small)).body == b"1"
    with pytest.raises(RenderElsewhereError) as caught:
        cheap(delivery(large))
    assert (caught.value.job.event, caught.value.job.templates.sources) == (large, {"format.body": "{{ mid }}"})
    assert caught.value.resume(["made"]).body == b"made"
    costly = template("{% for a in range(payload.n) %}{% for b in range(payload.n) %}{% endfor %}{% endfor %}", is_json=False)  # fmt: skip
    with pytest.raises(RenderElsewhereError):
        costly(delivery(small))
    assert costly(delivery(x_event(n=3))).body == b""


def test_a_wrapped_format_that_is_rendered_elsewhere_is_wrapped_later() -> None:
    format_ = WithHeaders(
        format_=ToFilledUrl(format_=template("{{ mid }}", is_json=False), source="/{{ mid }}"),
        headers={"A": "{{ sid }}"},
    )
    large = delivery(x_event(text="a" * MAX_BODY_BYTES))
    texts = []
    with pytest.raises(RenderElsewhereError) as caught:
        format_(large)
    error = caught.value
    for made in ("body", "/target"):
        texts.append(error.job.templates.part)
        with pytest.raises(RenderElsewhereError) as caught:
            error.resume([made])
        error = caught.value
    content = error.resume(["header"])
    assert (texts, error.job.templates.part) == (["text", "url"], "headers")
    assert (content.body, content.target, content.headers) == (b"body", "/target", {"A": "header"})
