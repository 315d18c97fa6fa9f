"""Tables and values as a terminal gets them."""

import json
import time
from collections.abc import Iterator

import pytest

from forwarder.cli.listing import (
    MAX_CELL,
    columns_of,
    local,
    local_exact,
    moments,
    print_json,
    screen_width,
    shown,
    table_lines,
    wrapped,
)


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


@pytest.fixture
def in_berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as changed:
        changed.setenv("TZ", "Europe/Berlin")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("in_berlin")
def test_a_moment_is_local_and_names_its_zone() -> None:
    assert local(None) == local("") == local_exact(None) == "-"
    assert local("2026-01-31T17:00:01.5+00:00") == "2026-01-31 18:00:01 CET"
    assert local_exact("2026-01-31T17:00:01.5+00:00") == "2026-01-31 18:00:01.500 CET"
    assert local_exact("2026-07-31T17:00:01.000+00:00") == "2026-07-31 19:00:01 CEST"


@pytest.mark.usefixtures("in_berlin")
def test_a_zone_that_all_moments_of_a_column_share_is_in_its_name() -> None:
    winter, summer = "2026-01-31T17:00:01+00:00", "2026-07-31T17:00:01+00:00"
    assert moments("LAST", [winter, None]) == ("LAST (CET)", ["2026-01-31 18:00:01", "-"])
    assert moments("LAST", [winter, summer]) == ("LAST", ["2026-01-31 18:00:01 CET", "2026-07-31 19:00:01 CEST"])
    assert moments("LAST", []) == ("LAST", [])


def test_a_table_is_cut_to_the_screen_the_widest_column_first() -> None:
    rows = [("37d6473c", "a long name of a destination", "漢字" * 20)]
    lines = list(table_lines(("EVENT", "NAME", "TEXT"), rows, width=40, cut=("NAME", "TEXT")))
    assert lines == [
        "EVENT     NAME            TEXT",
        "37d6473c  a long name o…  漢字漢字漢字…",
    ]
    assert list(map(columns_of, lines)) == [30, 39]
    crowded = list(table_lines(("EVENT", "NAME"), [("e" * 60, "n" * 60)], width=40, cut=("NAME",)))
    assert crowded[1] == "e" * 60 + "  nnnnn…"  # only what may be cut is cut


def test_a_line_is_broken_between_words_and_indented() -> None:
    assert list(wrapped("  one two-three four", 14)) == ["  one", "    two-three", "    four"]
    assert list(wrapped("short", 14)) == ["short"]
    assert list(wrapped("", 14)) == [""]


def test_a_screen_has_at_least_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    assert screen_width() == 80
    monkeypatch.setenv("COLUMNS", "132")
    assert screen_width() == 132


def test_a_record_is_one_line_of_ascii(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"text": "é\udcff\n"})
    out = capsys.readouterr().out
    assert out.isascii()
    assert out.count("\n") == 1
    assert json.loads(out) == {"text": "é\udcff\n"}
