"""Messages drawn on a terminal: with their links, and without anything that acts upon it."""

import json
import re

import pytest

from forwarder.cli.message_preview import pretty, show
from forwarder.core.destinations.content import Content

MESSAGES = {
    "discord": {
        "embeds": [
            {
                "author": {"name": "Nova\x1b"},
                "description": "[a link](https://a.example/) \\*plain\\*",
                "footer": {"text": "f"},
            }
        ]
    },
    "slack": {"blocks": [{"type": "section", "text": {"text": "<https://a.example/|a link> &amp; *plain*"}}]},
    "telegram": {"parse_mode": "HTML", "text": '<b>Nova</b> <a href="https://a.example/">a link</a> &lt;plain&gt;\x1b'},
}


@pytest.mark.parametrize("format_", MESSAGES)
def test_a_message_is_drawn_with_its_body_below(format_: str, capsys: pytest.CaptureFixture[str]) -> None:
    show("bot", Content(body=json.dumps(MESSAGES[format_]).encode()), format_)
    out = capsys.readouterr().out
    picture = out.partition("POST application/json")[0]
    assert "a link" in picture
    assert "https://a.example" not in picture
    assert "plain" in picture
    assert "\x1b" not in out
    assert f", {format_}" in out


EVIL = "https://a.example/\x1b]8;;http://evil.example\x07\x9b2J\u202e x"
HOSTILE = {
    "discord": {
        "embeds": [{"title": EVIL, "description": f"[label]({EVIL})", "image": {"url": EVIL}, "footer": {"text": EVIL}}]
    },
    "slack": {
        "blocks": [{"type": "image", "image_url": EVIL}, {"type": "section", "text": {"text": f"<{EVIL}|label>"}}]
    },
    "telegram": {"parse_mode": "HTML", "text": f'<a href="{EVIL}">label</a>', "link_preview_options": {"url": EVIL}},
}


@pytest.mark.parametrize("format_", HOSTILE)
@pytest.mark.parametrize("is_terminal", [False, True])
def test_no_address_acts_upon_the_terminal(
    format_: str, is_terminal: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("FORCE_COLOR" if is_terminal else "NO_COLOR", "1")
    show(EVIL, Content(body=json.dumps(HOSTILE[format_]).encode()), format_)
    out = capsys.readouterr().out
    assert "label" in out
    assert ("\x1b[" in out) == is_terminal
    rest = re.sub(
        r"\x1b\[[0-9;]*m|\x1b\]8;id=[0-9]+;https://a\.example/[!-~]*\x1b\\\\|\x1b\]8;;\x1b\\\\", "", out
    )  # what rich itself writes
    assert rest.replace("\n", "").isprintable()


@pytest.mark.parametrize(
    "message",
    [
        {"embeds": [{"color": "red"}]},
        {"embeds": [{"author": {}}]},
        {"embeds": ["text"]},
        {"embeds": [{"image": 5, "footer": "f"}]},
        {"embeds": [{"description": 5}]},
        {"blocks": [{"type": "context", "elements": [{}]}]},
        {"parse_mode": "HTML", "text": "</b>"},
        {"parse_mode": "HTML", "text": "a", "link_preview_options": []},
    ],
)
def test_what_only_resembles_a_message_is_shown_as_its_body(
    message: object, capsys: pytest.CaptureFixture[str]
) -> None:
    show("bot", Content(body=json.dumps(message).encode()), "")
    assert "POST application/json" in capsys.readouterr().out


@pytest.mark.parametrize("body", [b"no json", b"[" * 100_000, b"\xff"])
def test_a_body_that_is_no_json_is_shown_as_it_is(body: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    show("bot", Content(body=body), "")
    assert "bot" in capsys.readouterr().out
    assert pretty(Content(body=body)) == body.decode("utf-8", "replace")
