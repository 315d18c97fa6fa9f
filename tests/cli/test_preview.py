"""`forwarder preview`, as a process of its own."""

import json
from pathlib import Path

import pytest

from forwarder.core.samples import SAMPLES
from tests.destinations.formats.limits import CHECKS
from tests.support.process import command

EVENTS = Path(__file__).parent.parent / "data" / "events"


@pytest.mark.parametrize("format_", ["discord", "slack", "telegram"])
async def test_without_an_event_there_is_a_message_for_each_source(format_: str) -> None:
    code, out, err = await command("preview", "--format", format_, "--json")
    assert (code, err) == (0, "")
    assert len(out.splitlines()) == len(SAMPLES)
    for line in out.splitlines():
        CHECKS[format_](line.encode())


@pytest.mark.parametrize("format_", ["raw", "discord", "slack", "telegram"])
async def test_the_picture_shows_who_and_what(format_: str) -> None:
    code, out, err = await command("preview", "--format", format_, "--event", str(EVENTS / "x-quote.json"))
    assert (code, err) == (0, "")
    for word in ("Nova Desk", "This matters more than the headline number", "Погода Сейчас"):
        assert word in out
    assert ("Open on X" in out) == (format_ != "raw")


async def test_nothing_in_an_event_acts_upon_the_terminal(tmp_path: Path) -> None:
    event = {
        "mid": "1",
        "sid": "1",
        "source": "x",
        "timestamp": 1,
        "payload": {"text": "a\x1b[2J\x9bb", "author": {"name": "\x1b]0;x\x07"}},
    }
    (tmp_path / "event.json").write_text(json.dumps(event))
    for format_ in ("raw", "discord", "slack", "telegram"):
        code, out, _ = await command("preview", "--format", format_, "--event", str(tmp_path / "event.json"))
        assert code == 0
        assert not {"\x1b", "\x9b", "\x07"} & set(out)


async def test_a_destination_is_shown_with_its_settings_and_without_its_url(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(
        "streams: [{api_key: k}]\nroutes: [{to: [desk, notes]}]\ndestinations:\n"
        "  desk: {url: 'https://discord.com/api/webhooks/1/canary', format: {type: discord, username: Desk}}\n"
        "  notes: {url: 'https://a.example/canary/{{ mid }}', format: {type: template, body: '{{ post.text | tojson }}'}, compression: gzip, compress_from: 0B}\n"
    )
    code, out, err = await command("preview", "desk", "--event", str(EVENTS / "x-plain.json"), cwd=tmp_path)
    assert (code, err) == (0, "")
    assert '"username": "Desk"' in out
    assert "canary" not in out
    code, out, _ = await command("preview", "notes", "--json", "--event", str(EVENTS / "x-plain.json"), cwd=tmp_path)
    assert json.loads(out) == "Markets open flat while futures drift lower ahead of the rate decision"


async def test_bad_input_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(
        "streams: [{api_key: k}]\nroutes: [{to: a}]\ndestinations: {a: {url: 'http://a.example/'}}\n"
    )
    (tmp_path / "pong").write_text("pong")
    for arguments, said in (
        (("--format", "discord", "--event", "missing.json"), "missing.json: cannot be read: No such file"),
        (("--format", "discord", "--event", "pong"), "pong: not an event"),
        (("nobody",), "no destination 'nobody'; it has a"),
        (("a", "-c", "missing.yaml"), "missing.yaml: cannot be read"),
    ):
        code, out, err = await command("preview", *arguments, cwd=tmp_path)
        assert (code, out) == (1, "")
        assert said in err
        assert len(err.splitlines()) == 1
    for line in ("", "a --format discord", "--format template"):
        code, _, err = await command("preview", *line.split(), cwd=tmp_path)
        assert code == 2
        assert "Traceback" not in err


async def test_a_template_that_fails_for_the_event_says_why(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(
        "streams: [{api_key: k}]\nroutes: [{to: a}]\n"
        "destinations: {a: {url: 'http://a.example/', format: {type: template, body: '{{ payload.raw or 1 }}'}}}\n"
    )
    event = {"mid": "1", "sid": "1", "source": "x", "timestamp": 1, "payload": {"raw": "{broken"}}
    (tmp_path / "event.json").write_text(json.dumps(event))
    code, _, err = await command("preview", "a", "--event", "event.json", cwd=tmp_path)
    assert code == 1
    assert "event.json: the result is not JSON" in err
    assert "broken" not in err
