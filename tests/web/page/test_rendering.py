"""Whatever a template prints is escaped, and no character of it acts upon the page."""

from datetime import UTC, datetime

import jinja2
import pytest

from forwarder.web.page.rendering import Rendering
from forwarder.web.page.static_files import StaticFiles

NOW = datetime(2026, 1, 1, tzinfo=UTC)
COMMON = {"view": "error", "views": (), "version": "1", "level": None}


def test_hostile_text_is_shown_and_does_not_act() -> None:
    text = "<script>alert(1)</script>\" ' & \u202e \x00 \x1b[2J \ud800 {{ 7 * 7 }}"
    shown = Rendering(StaticFiles()).render("error.html", now=NOW, title="Title", text=text, **COMMON)
    assert "<script>alert" not in shown
    assert (
        "&lt;script&gt;alert(1)&lt;/script&gt;&#34; &#39; &amp; \\u202e \\u0000 \\u001b[2J \\ud800 {{ 7 * 7 }}" in shown
    )
    shown.encode()


def test_a_value_that_is_missing_is_a_mistake_of_ours() -> None:
    with pytest.raises(jinja2.UndefinedError):
        Rendering(StaticFiles()).render("error.html", now=NOW, title="Title", **COMMON)
