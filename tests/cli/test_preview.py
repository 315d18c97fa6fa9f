"""`forwarder preview`, as a process of its own."""

import json
from pathlib import Path

import pytest

from forwarder.core.posts.samples import SAMPLES
from tests.destinations.formats.limits import CHECKS
from tests.destinations.hostile import CONTAINS, LARGE, NESTED
from tests.support.paths import EVENTS
from tests.support.process import command


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


async def test_a_batch_is_shown_as_it_would_be_sent(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(
        "streams: [{api_key: k}]\nroutes: [{to: bot}]\n"
        "destinations: {bot: {url: 'https://a.example/', batch: {count: 20}}}\n"
    )
    event = EVENTS / "x-plain.json"
    code, out, err = await command("preview", "bot", "--event", str(event), cwd=tmp_path)
    assert (code, err) == (0, "")
    assert "bytes, a batch with one event; one request has up to 20" in " ".join(out.split())
    assert "x-forwarder-batch: 1" in out
    code, out, _ = await command("preview", "bot", "--json", "--event", str(event), cwd=tmp_path)
    assert out == f"[{event.read_text(encoding='utf-8').strip()}]\n"


async def test_bad_input_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(
        "streams: [{api_key: k}]\nroutes: [{to: a}]\ndestinations: {a: {url: 'http://a.example/'}}\n"
    )
    (tmp_path / "pong").write_text("pong")
    for arguments, said in (
        (("--format", "discord", "--event", "missing.json"), "missing.json: cannot be read: No such file"),
        (("--format", "discord", "--event", "pong"), "pong: not an event"),
        (("a", "-c", "missing.yaml"), "missing.yaml: cannot be read"),
    ):
        code, out, err = await command("preview", *arguments, cwd=tmp_path)
        assert (code, out) == (1, "")
        assert said in err
        assert len(err.splitlines()) == 1
    code, out, err = await command("preview", "nobody", cwd=tmp_path)
    assert (code, out, err) == (2, "", 'config.yaml: no destination is called "nobody"; there are: a\n')
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


async def test_the_method_and_the_rendered_headers_are_shown(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(
        "streams: [{api_key: k}]\nroutes: [{to: a}]\ndestinations:\n"
        "  a: {url: 'http://a.example/', method: PUT, headers: {Title: 'New: {{ payload.title }}', Key: canary}}\n"
    )
    event = {"mid": "1", "sid": "1", "source": "x", "timestamp": 1, "payload": {"title": "Über \u202ex"}}
    (tmp_path / "event.json").write_text(json.dumps(event))
    code, out, err = await command("preview", "a", "--event", "event.json", cwd=tmp_path)
    assert (code, err) == (0, "")
    assert "PUT application/json" in out
    assert "Title: New: Über " in out
    assert "\u202e" not in out
    assert "canary" not in out
    event["payload"] = {"title": "two\nlines"}
    (tmp_path / "event.json").write_text(json.dumps(event))
    code, out, err = await command("preview", "a", "--event", "event.json", cwd=tmp_path)
    assert (code, out) == (1, "")
    assert "event.json: headers.Title: the value has a line break, which no header can have" in err


@pytest.mark.parametrize("body", [CONTAINS, NESTED])
async def test_neither_preview_nor_send_nor_test_hangs_on_an_event(tmp_path: Path, body: str) -> None:
    (tmp_path / "config.yaml").write_text(
        "streams: [{api_key: k}]\nroutes: [{to: a}]\ndestinations:\n"
        f"  a:\n    url: http://127.0.0.1:9/\n    format:\n      type: template\n      content_type: text/plain\n      body: |\n        {body}\n"
        "tests:\n  - {name: large, event: {file: large.json}, expect: [a], body: {a: {is: ok}}}\n"
    )
    (tmp_path / "large.json").write_bytes(LARGE)
    for arguments, code in ((("preview", "a", "--event", "large.json"), 1), (("send", "a", "--event", "large.json"), 1), (("test",), 1)):  # fmt: skip
        found, out, err = await command(*arguments, "-c", "config.yaml", cwd=tmp_path)
        assert found == code
        assert "format.body, line 1: " in out + err
