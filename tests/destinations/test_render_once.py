"""Rendering for a command, in a process of its own where that may cost much."""

import pytest

from forwarder.core.destinations.content import CannotFormatError, raw
from forwarder.destinations import render_once
from forwarder.destinations.formats.compression import Compressed
from forwarder.destinations.formats.template import TemplateFormat, ToFilledUrl, WithHeaders
from forwarder.destinations.render_once import environment, render_content
from tests.destinations.formats.support import delivery, example
from tests.destinations.hostile import CONTAINS, LARGE


def test_what_costs_little_is_rendered_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render_once, "COMMAND", ("/nonexistent/python",))
    assert render_content(raw, delivery(b"{}")).body == b"{}"
    format_ = TemplateFormat(source="{{ mid }}", content_type="text/plain", is_json=False)
    assert render_content(format_, delivery(example("x-plain"))).body.isdigit()
    with pytest.raises(CannotFormatError, match="cannot be started: No such file"):
        render_content(format_, delivery(LARGE))


def test_every_part_of_a_large_event_is_rendered() -> None:
    body = TemplateFormat(source="{{ payload.text | length }}", content_type="text/plain", is_json=False)
    filled = ToFilledUrl(format_=body, source="/{{ mid }}")
    headed = WithHeaders(format_=filled, headers={"Title": "{{ source }}", "Tags": "{{ sid }}"})
    content = render_content(Compressed(format_=headed, compression="gzip", from_bytes=1), delivery(LARGE))
    assert (content.body, content.target) == (b"2000000", "/large")
    assert dict(content.headers) == {"Title": "x", "Tags": "1"}
    packed = TemplateFormat(source="{{ payload.text[:1000000] }}", content_type="text/plain", is_json=False)
    content = render_content(Compressed(format_=packed, compression="gzip", from_bytes=1), delivery(LARGE))
    assert content.headers["Content-Encoding"] == "gzip"


def test_what_costs_too_much_is_refused() -> None:
    format_ = TemplateFormat(source=CONTAINS, content_type="text/plain", is_json=False)
    with pytest.raises(CannotFormatError, match=r"format\.body, line 1: "):
        render_content(format_, delivery(LARGE))


@pytest.mark.parametrize("command", [("/bin/true",), ("/bin/false",)])
def test_a_process_that_ends_is_an_error(command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render_once, "COMMAND", command)
    format_ = TemplateFormat(source="{{ mid }}", content_type="text/plain", is_json=False)
    with pytest.raises(CannotFormatError, match="ended unexpectedly"):
        render_content(format_, delivery(LARGE))


def test_a_process_that_does_not_answer_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render_once, "COMMAND", ("/bin/sleep", "1000"))
    monkeypatch.setattr(render_once, "LONGEST_S", 0.1)
    format_ = TemplateFormat(source="{{ mid }}", content_type="text/plain", is_json=False)
    with pytest.raises(CannotFormatError, match="did not answer"):
        render_content(format_, delivery(LARGE))


def test_the_environment_has_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOT_TOKEN", "magpie")
    assert "BOT_TOKEN" not in environment()
    assert set(environment()) <= {*render_once._PASSED_ON, "PYTHONPATH"}
