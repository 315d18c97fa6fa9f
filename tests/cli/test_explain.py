"""What `explain` prints, to the letter."""

import io
import json
import sys
from pathlib import Path

import pytest

from forwarder.cli import exit_codes, main
from forwarder.core.config.routing_only import load_routing
from forwarder.core.delivery import DeliveryStatus
from forwarder.outbox.open import open_outbox
from tests.support.history import records
from tests.support.outbox import NOW, keep
from tests.support.paths import DATA
from tests.support.process import command

DATA = DATA / "explain"


@pytest.mark.parametrize(
    ("event", "options", "expected"),
    [
        ("everywhere", (), "everywhere.txt"),
        ("nowhere", (), "nowhere.txt"),
        ("nowhere", ("--all",), "nowhere_all.txt"),
        ("everywhere", ("--route", "urgent words"), "one_route.txt"),
    ],
)
def test_an_explanation_reads_like_this(
    event: str, options: tuple[str, ...], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ("explain", "-c", str(DATA / "config.yaml"), "--event", str(DATA / f"{event}.json"))
    assert main([*given, *options]) == 0
    assert capsys.readouterr().out == (DATA / expected).read_text(encoding="utf-8")


def test_standard_input_and_json(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO((DATA / "everywhere.json").read_bytes())))
    assert main(["explain", "-c", str(DATA / "config.yaml"), "--event", "-", "--json"]) == 0
    today = json.loads(capsys.readouterr().out)["today"]
    assert [(route["name"], route["outcome"]) for route in today["routes"]] == [
        ("contract addresses", "matched"),
        ("two accounts, no reposts", "matched"),
        ("urgent words", "matched"),
        ("rest", "cut off"),
    ]
    assert today["disabled"] == ["alerts"]
    assert today["routes"][1]["condition"]["children"][0] == {
        "label": 'sid is 44196397, "12"',
        "holds": True,
        "seen": '"12"',
        "hit": '"12"',
    }


def test_an_event_of_pieces_is_explained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(
        "streams: [{url: 'ws://127.0.0.1:9', api_key: k}]\ndestinations: {bot: {url: 'http://127.0.0.1:9/'}}\n"
        "routes:\n  - {name: night, match: {author: novadesk, source: telegram, text: {contains: listing}, "
        "now: {hours: '22:00-06:00'}}, to: bot}\n",
        encoding="utf-8",
    )
    given = ("explain", "-c", str(config), "--json", "--text", "New listing", "--author", "@NovaDesk")
    for words, to in (
        (("--source", "telegram", "--at", "2026-01-31T23:30Z"), ["bot"]),
        (("--source", "telegram", "--at", "2026-01-31T12:00Z"), []),
        (("--at", "2026-01-31T23:30Z"), []),
    ):
        assert main([*given, *words]) == 0
        assert list(json.loads(capsys.readouterr().out)["today"]["destinations"]) == to


def test_an_unknown_source_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    given = ("explain", "-c", str(DATA / "config.yaml"), "--text", "x")
    assert main([*given, "--source", "twitter"]) == exit_codes.USAGE
    assert capsys.readouterr().err.startswith('no source is called "twitter"; did you mean "x"? There are: x, fast-x')
    assert main([*given, "--source", "Telegram"]) == exit_codes.OK


async def test_a_change_of_a_destination_is_not_called_one_of_the_routes(config: Path) -> None:
    path, text = config, config.read_text(encoding="utf-8")
    routing = load_routing(text.encode(), name="config.yaml", env={}, read_list=lambda _name: "")
    assert routing.revision is not None
    async with open_outbox(path.with_name("outbox.db")) as outbox:
        outbox.note_revision(routing.revision, now=NOW)
        keep(outbox, 0, DeliveryStatus.DELIVERED)
    event_id = (await records(path, "events"))[0]["event_id"]
    for before, after, said in (
        ("", "", "routes it the same way."),
        (
            "bot: {url:",
            "bot: {limit: 5/1m, url:",
            "has the same routes and other settings of bot, but routes this event",
        ),
        (
            "routes: [",
            "routes: [{match: {author: nobody}, to: bot}, ",
            "has other routes, but routes this event the same way.",
        ),
    ):
        path.write_text(text.replace(before, after) if before else text, encoding="utf-8")
        code, out, err = await command("explain", "--id", event_id, "-c", str(path))
        assert (code, err) == (exit_codes.OK, "")
        assert said in out
        assert f"digest of its routing part {routing.revision.digest}):" in out
