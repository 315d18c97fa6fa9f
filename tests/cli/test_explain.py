"""What `explain` prints, to the letter."""

import io
import json
import sys
from pathlib import Path

import pytest

from forwarder.cli import exit_codes, main
from tests.support.paths import DATA

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
