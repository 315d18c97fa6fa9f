"""What `explain` prints, to the letter."""

import io
import json
import sys

import pytest

from forwarder.cli import main
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
