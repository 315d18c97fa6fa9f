"""Where a problem is said to stand."""

from forwarder.core.config.nodes import read_nodes
from forwarder.core.config.places import Findings
from forwarder.core.config.problems import quote, render_path
from forwarder.core.tree import Path


def place(path: Path, *, key: bool = False) -> tuple[int, int, str]:
    findings = Findings(*read_nodes(b"a:\n  - b: 1\n    c_file: 2\n"))
    (findings.add_at_key if key else findings.add)(path, "wrong")
    (problem,) = findings.problems
    return problem.line, problem.column, problem.path


def test_a_value_has_its_own_place() -> None:
    assert place(("a", 0, "b")) == (2, 8, "a[0].b")
    assert place(("a", 0, "b"), key=True) == (2, 5, "a[0].b")


def test_what_is_not_there_has_the_place_of_what_should_hold_it() -> None:
    assert place(("a", 0, "d")) == (2, 5, "a[0]")
    assert place(("a", 0, "d"), key=True) == (2, 5, "a[0]")
    assert place(("a", 7)) == (2, 3, "a")
    assert place(("a", "d", "e"), key=True) == (2, 3, "a")


def test_what_came_from_a_file_has_the_place_of_its_name() -> None:
    assert place(("a", 0, "c", 0)) == (3, 13, "a[0].c_file")


def test_nothing_more_is_said_about_a_spoiled_value() -> None:
    findings = Findings(*read_nodes(b"a: b\nc: d\n"))
    findings.spoil(("a",), "cannot be known")
    findings.add(("a",), "wrong")
    findings.add(("c",), "wrong")
    assert [problem.message for problem in findings.problems] == ["cannot be known", "wrong"]


def test_a_path_is_written_as_people_write_it() -> None:
    assert render_path(("routes", 2, "to", 0)) == "routes[2].to[0]"
    assert render_path(("destinations", "my bot", "url")) == 'destinations."my bot".url'
    assert render_path(()) == ""


def test_a_quoted_text_is_short_and_harmless() -> None:
    assert quote('a"b\\\x1b\u202e\n') == '"a\\"b\\\\\\u001b\\u202e\\n"'
    assert len(quote("x" * 10_000)) <= 62
