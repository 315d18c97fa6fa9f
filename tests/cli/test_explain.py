"""What `explain` prints, to the letter."""

import io
import json
import sys
from pathlib import Path

import pytest

from forwarder.cli import main
from forwarder.cli.traces import lines_of
from forwarder.core.explaining import AtRoute, Explanation, Outcome
from forwarder.core.matching import Names, Subject, compile_condition
from forwarder.core.matching.explain import explain
from forwarder.core.tree import Scalar, Tree
from tests.support.conditions import subject

DATA = Path(__file__).parents[1] / "data" / "explain"


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


def written(tree: Tree, of: Subject, names: Names, *, is_all: bool) -> list[str]:
    condition = compile_condition(tree, lambda _, message: pytest.fail(message), names)
    trace = explain(condition, of)
    outcome = Outcome.MATCHED if trace.holds else Outcome.NOT_MATCHED
    walk = Explanation(routes=(AtRoute(name="r", outcome=outcome, to=("bot",), trace=trace),), is_matched=trace.holds)
    return [str(line) for line in lines_of(walk, route=None, is_all=is_all)]


def test_a_matcher_is_told_once_and_long_lists_of_parts_are_cut() -> None:
    names = Names(matchers={"m": compile_condition({"sid": Scalar("5")}, lambda _, message: pytest.fail(message))})
    twice: Tree = [{"matcher": Scalar("m")}, {"matcher": Scalar("m")}]
    assert written(twice, subject(), names, is_all=False) == [
        "✗ r → bot",
        "  ✗ any of",
        "    ✗ matcher m",
        '      ✗ sid is 5 — "2"',
        "    ✗ matcher m (as above)",
    ]
    many: Tree = [{"sid": Scalar(f"9{number}")} for number in range(1_000)]
    lines = written(many, subject(), names, is_all=False)
    assert (len(lines), lines[-1]) == (15, "    · 988 more like these (--all)")
    assert len(written(many, subject(), names, is_all=True)) == 1_002


def test_of_many_routes_that_do_not_match_the_first_are_shown() -> None:
    routes = [AtRoute(name=f"r{number}", outcome=Outcome.NOT_MATCHED) for number in range(100)]
    walk = Explanation(routes=(*routes, AtRoute(name="last", outcome=Outcome.MATCHED)), is_matched=True)
    lines = [str(line) for line in lines_of(walk, route=None, is_all=False)]
    assert (len(lines), lines[-2:]) == (32, ["✓ last → -", "· 70 more routes did not match (--all, or --route NAME)"])
    assert len(list(lines_of(walk, route=None, is_all=True))) == 101
