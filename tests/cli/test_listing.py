"""Tables and values as a terminal gets them."""

import json

import pytest

from forwarder.cli.listing import MAX_CELL, local, print_json, shown, table_lines


def test_columns_line_up_and_the_last_one_is_as_long_as_it_is() -> None:
    rows = [("bot", 12, "ok"), ("a longer name", None, "")]
    assert list(table_lines(("NAME", "N", "STATE"), rows)) == [
        "NAME           N   STATE",
        "bot            12  ok",
        "a longer name  -",
    ]


def test_a_table_without_rows_has_its_names() -> None:
    assert list(table_lines(("NAME", "N"), [])) == ["NAME  N"]


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "-"), ([], "-"), (["a", None, 1], "a, -, 1"), ("é", "é"), ("a\x1b[2J\n", "a\\x1b[2J\\n"), (0, "0")],
)
def test_a_value_cannot_act_upon_the_terminal(value: object, text: str) -> None:
    assert shown(value) == text


def test_a_long_value_is_cut_and_makes_no_column_wide() -> None:
    long = "m" * 8_000_000
    lines = list(table_lines(("MID", "N", "TEXT"), [(long, 1, "short"), ("2", 2, long), ("3", long, [long] * 9)]))
    assert max(map(len, lines)) < 1_300
    assert lines[1].startswith("m" * (MAX_CELL - 1) + "…  1")
    assert len(shown(long)) == len(shown("\n" + long)) == 1_000
    assert shown("é\x9b漢") == "é\\x9b漢"


def test_an_id_of_forwarder_itself_is_never_cut() -> None:
    assert MAX_CELL > 32 + 1 + 64  # an event's id, a dot, the longest name of a destination


def test_a_moment_is_local_and_has_milliseconds() -> None:
    assert local(None) == local("") == "-"
    assert local("2026-01-31T17:00:01.5+00:00").endswith(":00:01.500")


def test_a_record_is_one_line_of_ascii(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"text": "é\udcff\n"})
    out = capsys.readouterr().out
    assert out.isascii()
    assert out.count("\n") == 1
    assert json.loads(out) == {"text": "é\udcff\n"}
